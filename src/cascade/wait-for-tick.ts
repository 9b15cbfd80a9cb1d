/** Waits until the local node has everything that its root or provider has now. */
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { sleep } from '../runtime/sleep.ts';
import { openRoot } from './find-root.ts';
import { forceTick, newestTick, type TickTarget } from './force-tick.ts';
import { type NodeInfo, needNodeInfo } from './node-info.ts';
import type { NodeSettings } from './node-settings.ts';
import { openHere, openThere } from './open-node.ts';

const POLL_MS = 200;

/** What to wait for. */
export interface WaitRequest {
  readonly settings: NodeSettings;
  readonly upTo: 'root' | 'provider';
  /** Longest wait in milliseconds; 0: for ever. */
  readonly timeoutMs: number;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Wait until everything committed upstream before the call is applied here.
 * @returns the tick that was reached; undefined on the root itself, which has nothing to wait for
 * @throws KajaError timeout
 */
export async function waitForTick(request: WaitRequest): Promise<bigint | undefined> {
  const { settings, timeoutMs, log, signal } = request;
  await using local = await openHere(settings, signal);
  const info = await needNodeInfo(local, settings.queue);
  if (info.type === 'root') {
    log.info('Current node is root, no need to wait');
    return undefined;
  }
  const target = await tickToWaitFor(local, info, request);
  // Londiste's words: the tick before the one that is waited for.
  log.info(`Waiting for tick > ${target.tick - 1n}`);
  const reached = await reach(local, target.tick, {
    ...request,
    deadline: timeoutMs > 0 ? Date.now() + timeoutMs : Number.POSITIVE_INFINITY,
  });
  log.info(`Got tick ${reached}, exiting`);
  return reached;
}

async function tickToWaitFor(local: Session, info: NodeInfo, request: WaitRequest): Promise<TickTarget> {
  const { settings, upTo, log, signal } = request;
  try {
    await using root = await openRoot(local, settings, signal);
    return await forceTick(root.session, settings.queue, signal);
  } catch (error) {
    if (upTo === 'root' || signal?.aborted) throw error;
    // All data comes from the root, but a provider that is a branch can be waited for without it.
    log.debug(`root not reached, asking the provider: ${errorLine(error)}`);
    await using provider = await openThere(info.providerLocation, settings, { signal });
    return { tick: await newestTick(provider, settings.queue), made: true };
  }
}

interface Position {
  readonly completed_tick: bigint;
  readonly paused: boolean;
  readonly cur_error: string | null;
}

async function reach(
  local: Session,
  tick: bigint,
  request: WaitRequest & { deadline: number },
): Promise<bigint> {
  const { settings, log, signal, deadline, timeoutMs } = request;
  let told: string | undefined;
  for (;;) {
    const [state] = await callRet<Position>(local, 'pgq_node.get_consumer_state', [
      settings.queue,
      settings.consumer,
    ]);
    if (!state) throw new KajaError('internal', 'no answer from get_consumer_state');
    if (state.completed_tick >= tick) return state.completed_tick;
    const obstacle = state.cur_error ?? (state.paused ? 'the node is paused' : undefined);
    if (obstacle !== undefined && obstacle !== told) log.warn(`${settings.consumer}: ${obstacle}`);
    told = obstacle;
    if (Date.now() >= deadline) {
      throw new KajaError(
        'timeout',
        `tick ${tick} was not reached within ${timeoutMs / 1000} s, ${settings.consumer} stands at ${state.completed_tick}`,
        { hint: obstacle ?? 'check that the worker and the ticker run', retry: 'manual' },
      );
    }
    await sleep(POLL_MS, signal);
  }
}
