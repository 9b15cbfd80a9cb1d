/** Follows a queue without being a consumer: what is between two ticks is read, nothing is registered and nothing left behind. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { createWaker, sleepUntilWoken } from '../runtime/waker.ts';
import { EVENT_COLUMNS, type EventRow, QueueEvent } from './event.ts';
import { findTick, type Position } from './queue-admin.ts';

/** Options of `tail`. */
export interface TailOptions {
  /** Where to begin: default `'end'`, only what comes from now on. Events stay for one to two rotation periods. */
  readonly from?: Position | undefined;
  /** Ends the loop. */
  readonly signal?: AbortSignal | undefined;
  /** End at the newest tick instead of waiting for the next one. */
  readonly follow?: boolean | undefined;
  /** Told when rotation has removed the events up to this tick before they were read. */
  readonly onGap?: ((tick: bigint) => void) | undefined;
}

const PAGE_EVENTS = 1_000;
/** A notification wakes at once; this is for databases without one. */
const POLL_MS = 1_000;

/**
 * Events as they become visible by ticks, in batches' order. Events that are delivered again to one consumer are not shown.
 * @param session used until the end
 * @throws KajaError queue-missing; state-refused when there is no such tick
 */
export async function* tailQueue(
  session: Session,
  queue: string,
  options: TailOptions = {},
): AsyncGenerator<QueueEvent, void, void> {
  const signal = options.signal ?? new AbortController().signal;
  const waker = createWaker();
  session.client.on('notification', (message) => {
    if (message.payload === queue) waker.wake();
  });
  await session.query('listen kaja_tick');
  let at = await findTick(session, queue, options.from ?? 'end');
  while (!signal.aborted) {
    const next = await nextTick(session, queue, at);
    if (next.oldest !== null && next.oldest > at) {
      options.onGap?.(next.oldest);
      at = next.oldest;
      continue;
    }
    if (next.tick !== null) {
      yield* eventsBetween(session, queue, at, next.tick, signal);
      at = next.tick;
    } else if (options.follow === false) return;
    else await sleepUntilWoken(POLL_MS, waker, signal);
  }
}

async function nextTick(
  session: Session,
  queue: string,
  at: bigint,
): Promise<{ tick: bigint | null; oldest: bigint | null }> {
  const [row] = await session.query<{ tick: bigint | null; oldest: bigint | null }>(
    `select min(t.tick_id) filter (where t.tick_id > $2) as tick, min(t.tick_id) as oldest
       from pgq.queue q left join pgq.tick t on t.tick_queue = q.queue_id where q.queue_name = $1 group by q.queue_id`,
    [queue, at],
  );
  if (!row) throw new KajaError('queue-missing', `queue "${queue}" was dropped (${session.location})`);
  return row;
}

async function* eventsBetween(
  session: Session,
  queue: string,
  from: bigint,
  to: bigint,
  signal: AbortSignal,
): AsyncGenerator<QueueEvent, void, void> {
  for (let after: EventRow | undefined; ; ) {
    const sql = await session.value<string>('select kaja.event_range_sql($1, $2, $3, null, $4)', [
      queue,
      from,
      to,
      after ? `(ev_id, ev_txid) > (${after.ev_id}, ${after.ev_txid})` : null,
    ]);
    const page = await session.query<EventRow>(
      `select ${EVENT_COLUMNS} from (${sql}) e order by ev_id, ev_txid limit ${PAGE_EVENTS}`,
    );
    for (const row of page) {
      if (signal.aborted) return;
      yield new QueueEvent(row);
    }
    after = page.at(-1);
    if (page.length < PAGE_EVENTS) return;
  }
}
