/** From any node up to the root of its set. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { type NodeInfo, needNodeInfo, readMembers } from './node-info.ts';
import type { NodeSettings } from './node-settings.ts';
import { openThere } from './open-node.ts';

/** A node with a session on its database. */
export interface OpenNode extends AsyncDisposable {
  readonly session: Session;
  readonly info: NodeInfo;
  /** Public location of the node; undefined for the node the walk began at. */
  readonly location: string | undefined;
}

/**
 * Walk from provider to provider up to the root.
 * @param start session on a node of the set; it is the answer's session when that node is the root, and stays the caller's
 * @throws KajaError state-refused on a loop or a dead provider; connection errors of the nodes on the way
 */
export async function openRoot(
  start: Session,
  settings: Pick<NodeSettings, 'queue' | 'remoteExtra'>,
  signal?: AbortSignal,
): Promise<OpenNode> {
  const { queue } = settings;
  const seen = new Set<string>();
  let session = start;
  let location: string | undefined;
  const dispose = async (): Promise<void> => {
    if (session !== start) await session.close();
  };
  try {
    for (;;) {
      const info = await needNodeInfo(session, queue);
      if (info.type === 'root') return { session, info, location, [Symbol.asyncDispose]: dispose };
      seen.add(info.name);
      if (seen.has(info.providerNode)) {
        throw new KajaError(
          'state-refused',
          `providers of queue ${queue} run in a circle: ${[...seen, info.providerNode].join(' -> ')}`,
        );
      }
      const members = await readMembers(session, queue);
      if (members.find((one) => one.name === info.providerNode)?.dead) {
        throw new KajaError('state-refused', `provider ${info.providerNode} of ${info.name} is tagged dead`);
      }
      const next = await openThere(info.providerLocation, settings, { signal });
      await dispose();
      session = next;
      location = info.providerLocation;
    }
  } catch (error) {
    await dispose();
    throw error;
  }
}
