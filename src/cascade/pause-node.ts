/** Tells the local node's worker to stop or to go on, and waits until it has heard. */
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { sleep } from '../runtime/sleep.ts';
import { needNodeInfo } from './node-info.ts';
import type { NodeSettings } from './node-settings.ts';
import { openHere } from './open-node.ts';

const POLL_MS = 200;

/** What to do with the worker. */
export interface PauseRequest {
  readonly settings: NodeSettings;
  readonly paused: boolean;
  /** Longest wait for the worker's answer, in milliseconds; 0: do not wait. */
  readonly timeoutMs: number;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Set the flag and wait for the worker's acknowledgment.
 * @throws KajaError timeout when no worker answers: the flag stays set; state-refused when somebody flips the flag meanwhile
 */
export async function setPaused(request: PauseRequest): Promise<void> {
  const { settings, paused, timeoutMs, log, signal } = request;
  const { queue, consumer } = settings;
  await using local = await openHere(settings, signal);
  const { name } = await needNodeInfo(local, queue);
  await callRet(local, 'pgq_node.set_consumer_paused', [queue, consumer, paused], log);
  if (timeoutMs === 0) return;
  log.info('Waiting for worker to accept');
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const [state] = await callRet<{ paused: boolean; uptodate: boolean }>(
      local,
      'pgq_node.get_consumer_state',
      [queue, consumer],
    );
    if (state?.paused !== paused) {
      throw new KajaError(
        'state-refused',
        `operation canceled? somebody ${paused ? 'resumed' : 'paused'} ${consumer} meanwhile`,
      );
    }
    if (state.uptodate) break;
    if (Date.now() >= deadline) throw await unanswered(local, request);
    await sleep(POLL_MS, signal);
  }
  log.info(`Consumer '${consumer}' on node '${name}' ${paused ? 'paused' : 'resumed'}`);
}

async function unanswered(local: Session, { settings, paused, timeoutMs }: PauseRequest): Promise<KajaError> {
  const { consumer } = settings;
  const running = await local.value<boolean>(
    `select pg_catalog.bool_or(true) from pg_catalog.pg_stat_activity a
      where a.datname = pg_catalog.current_database() and a.application_name = $1`,
    [`kaja ${consumer}`],
  );
  const why = running ? 'it is connected but has not looked yet' : 'it is not running';
  const flag = paused ? 'it stays tagged as paused' : 'it stays tagged to go on';
  return new KajaError(
    'timeout',
    `worker ${consumer} did not answer within ${timeoutMs / 1000} s (${why}); ${flag}`,
    {
      hint: running ? 'see its log' : `the worker will follow when it is started: kaja CONFIG.ini worker`,
      retry: 'manual',
    },
  );
}
