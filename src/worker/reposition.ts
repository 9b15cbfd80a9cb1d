/** Sets one side of a worker's position to the other: after a database was restored. */
import { remoteLocation } from '../config/remote-nodes.ts';
import { callRet } from '../db/ret-code.ts';
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { type NodeState, readNodeState } from './node-state.ts';
import type { WorkerSettings } from './worker-settings.ts';

/**
 * `--rewind`: the provider's position becomes the node's. Loses nothing, if the provider still has that tick.
 * @throws KajaError when the provider does not have the tick any more, or a worker of the node is running
 */
export async function rewindProvider(settings: WorkerSettings, log: Log): Promise<void> {
  await withBothSides(settings, async ({ provider, state }) => {
    log.info('Rewinding queue');
    const before = await providerTick(provider, settings);
    await provider.query('select pgq.register_consumer_at($1, $2, $3)', [
      settings.queue,
      settings.consumer,
      state.completedTick,
    ]);
    log.info(`provider ${state.providerNode}: tick ${before ?? '(none)'} → ${state.completedTick}`);
  });
}

/**
 * `--reset`: the node's position becomes the provider's. Events between the two are skipped, or come twice.
 * @throws KajaError when the consumer is not registered on the provider, or a worker of the node is running
 */
export async function resetPosition(settings: WorkerSettings, log: Log): Promise<void> {
  await withBothSides(settings, async ({ target, provider, state }) => {
    log.info('Resetting queue tracking on dst side');
    const tick = await providerTick(provider, settings);
    if (tick === undefined) {
      throw new KajaError(
        'state-refused',
        `consumer ${settings.consumer} is not registered on queue ${settings.queue} of ${provider.location}`,
        { hint: '--rewind registers it at the tick of this node' },
      );
    }
    await callRet(target, 'pgq_node.set_consumer_completed', [settings.queue, settings.consumer, tick]);
    log.info(`node ${state.nodeName}: tick ${state.completedTick} → ${tick}`);
  });
}

interface Sides {
  readonly target: Session;
  readonly provider: Session;
  readonly state: NodeState;
}

async function withBothSides(settings: WorkerSettings, work: (sides: Sides) => Promise<void>): Promise<void> {
  const { location, queue, consumer, remoteExtra } = settings;
  const open = (at: string): Promise<Session> =>
    openSession(at, { purpose: 'admin', applicationName: `kaja ${consumer}` });
  await using target = await open(location);
  const state = await readNodeState(target, queue, consumer);
  if (state.nodeType === 'root') {
    throw new KajaError('state-refused', `node ${state.nodeName} is the root and reads from nobody`, {
      hint: '',
    });
  }
  // The same lock as a running worker holds; it may run on another host, where our pidfile says nothing.
  const key = `kaja worker ${queue} ${consumer}`;
  if (!(await target.value<boolean>('select pg_try_advisory_lock(hashtextextended($1, 0))', [key]))) {
    throw new KajaError('state-refused', `a worker of node ${state.nodeName} is running`, {
      hint: 'stop it first',
    });
  }
  await using provider = await open(remoteLocation(state.providerLocation, remoteExtra));
  await work({ target, provider, state });
}

async function providerTick(provider: Session, settings: WorkerSettings): Promise<bigint | undefined> {
  return provider.value<bigint>('select i.last_tick from pgq.get_consumer_info($1, $2) i', [
    settings.queue,
    settings.consumer,
  ]);
}
