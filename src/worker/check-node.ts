/** A look at the node before its worker starts, so that a wrong ini is refused instead of tried for ever. */
import { openSession } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { retryPolicyOf } from '../errors/retry-policy.ts';
import { type NodeState, readNodeState } from './node-state.ts';
import type { WorkerSettings } from './worker-settings.ts';

/**
 * Check that the database is a node whose worker can run here.
 * @returns its state; undefined when that cannot be told now, but perhaps later (server not up yet)
 * @throws KajaError not-a-node, state-refused (a branch), auth-failed, database-missing, not-installed
 */
export async function checkNode(
  settings: WorkerSettings,
  signal?: AbortSignal,
): Promise<NodeState | undefined> {
  try {
    const session = await openSession(settings.location, {
      purpose: 'read',
      applicationName: `kaja ${settings.consumer}`,
      signal,
    });
    try {
      const state = await readNodeState(session, settings.queue, settings.consumer);
      if (state.nodeType !== 'branch') return state;
      throw new KajaError(
        'state-refused',
        `node ${state.nodeName} is a branch (${session.location}), which this version does not run yet`,
        { hint: '' },
      );
    } finally {
      await session.close();
    }
  } catch (error) {
    if (retryPolicyOf(error) === 'timed') return undefined;
    throw error;
  }
}
