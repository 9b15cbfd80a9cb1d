/** What can be known and changed about queues and consumers, as functions over a session. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { toDate } from './event.ts';
import { queueError } from './queue-error.ts';

/** Settings of a queue; seconds may have fractions. Absent: stays as it is, for a new queue PgQ's default. */
export interface QueueSettings {
  /** Tick after so many events. Default 500. */
  readonly tickerMaxCount?: number | undefined;
  /** Tick at the latest so long after an event. Default 3; kaja's own ticker is faster anyway. */
  readonly tickerMaxLagSeconds?: number | undefined;
  /** Tick so often without events. Default 60. */
  readonly tickerIdlePeriodSeconds?: number | undefined;
  readonly tickerPaused?: boolean | undefined;
  /** How long events stay at least before their table is emptied. Default 7200. */
  readonly rotationPeriodSeconds?: number | undefined;
}

/** A queue as `pgq.get_queue_info` shows it. */
export interface QueueInfo {
  readonly name: string;
  readonly tables: number;
  readonly currentTable: number;
  readonly rotationPeriodSeconds: number;
  readonly rotatedAt: Date;
  readonly externalTicker: boolean;
  readonly tickerPaused: boolean;
  readonly tickerMaxCount: number;
  readonly tickerMaxLagSeconds: number;
  readonly tickerIdlePeriodSeconds: number;
  /** Age of the newest tick; null without ticks. */
  readonly tickerLagSeconds: number | null;
  readonly eventsPerSecond: number | null;
  /** Events since the newest tick, by the event sequence; null without ticks. */
  readonly newEvents: bigint | null;
  readonly lastTick: bigint | null;
}

/** A consumer as `pgq.get_consumer_info` shows it, with what waits for it. */
export interface ConsumerInfo {
  readonly queue: string;
  readonly name: string;
  /** Age of the tick the consumer stands at. */
  readonly lagSeconds: number | null;
  readonly lastSeenSeconds: number;
  readonly lastTick: bigint | null;
  /** Batch in hand; null when there is none. */
  readonly batch: bigint | null;
  readonly nextTick: bigint | null;
  /** An estimate by the event sequence. */
  readonly pendingEvents: bigint | null;
}

/** A place in a queue: its oldest or newest tick, a tick by number, or the newest tick at a time. */
export type Position = 'start' | 'end' | bigint | Date;

const SETTINGS = {
  tickerMaxCount: 'ticker_max_count',
  tickerMaxLagSeconds: 'ticker_max_lag',
  tickerIdlePeriodSeconds: 'ticker_idle_period',
  tickerPaused: 'ticker_paused',
  rotationPeriodSeconds: 'rotation_period',
} as const satisfies Record<keyof QueueSettings, string>;

const seconds = (column: string): string => `extract(epoch from ${column})::float8`;

/**
 * Queues, sorted by name.
 * @param name only this one
 */
export async function readQueues(session: Session, name?: string | undefined): Promise<QueueInfo[]> {
  const rows = await session.query<Omit<QueueInfo, 'rotatedAt'> & { rotatedAt: string }>(
    `select queue_name as name, queue_ntables as tables, queue_cur_table as "currentTable",
            ${seconds('queue_rotation_period')} as "rotationPeriodSeconds", queue_switch_time as "rotatedAt",
            queue_external_ticker as "externalTicker", queue_ticker_paused as "tickerPaused",
            queue_ticker_max_count as "tickerMaxCount", ${seconds('queue_ticker_max_lag')} as "tickerMaxLagSeconds",
            ${seconds('queue_ticker_idle_period')} as "tickerIdlePeriodSeconds", ${seconds('ticker_lag')} as "tickerLagSeconds",
            ev_per_sec as "eventsPerSecond", ev_new as "newEvents", last_tick_id as "lastTick"
       from pgq.get_queue_info($1::text)`,
    [name ?? null],
  );
  return rows.map((row) => ({ ...row, rotatedAt: toDate(row.rotatedAt) }));
}

/** One queue. @throws KajaError queue-missing */
export async function readQueue(session: Session, name: string): Promise<QueueInfo> {
  const [info] = await readQueues(session, name);
  if (!info) throw new KajaError('queue-missing', `queue "${name}" does not exist (${session.location})`);
  return info;
}

/**
 * Consumers, sorted by queue and name.
 * @param queue only of this queue; undefined: of all
 */
export function readConsumers(session: Session, queue?: string | undefined): Promise<ConsumerInfo[]> {
  return session.query<ConsumerInfo>(
    `select queue_name as queue, consumer_name as name, ${seconds('lag')} as "lagSeconds", ${seconds('last_seen')} as "lastSeenSeconds",
            last_tick as "lastTick", current_batch as batch, next_tick as "nextTick", pending_events as "pendingEvents"
       from pgq.get_consumer_info($1::text, null)`,
    [queue ?? null],
  );
}

/**
 * Create a queue and give it settings, in one transaction.
 * @returns false when it existed; the settings are applied in any case
 */
export function createQueue(session: Session, name: string, settings: QueueSettings = {}): Promise<boolean> {
  return session.transaction(async () => {
    const created = (await session.value('select pgq.create_queue($1)', [name])) === 1;
    await configureQueue(session, name, settings);
    return created;
  });
}

/** Change settings. @throws KajaError queue-missing */
export async function configureQueue(session: Session, name: string, settings: QueueSettings): Promise<void> {
  for (const [key, parameter] of Object.entries(SETTINGS)) {
    const value = settings[key as keyof QueueSettings];
    if (value === undefined) continue;
    const text = key.endsWith('Seconds') ? `${value} seconds` : String(value);
    await call(session, name, 'select pgq.set_queue_config($1, $2, $3)', [name, parameter, text]);
  }
}

/**
 * Drop a queue with all its events; waits for those who write or read them.
 * @param force also when consumers are registered
 * @throws KajaError queue-missing; state-refused when consumers are registered
 */
export async function dropQueue(session: Session, name: string, force: boolean): Promise<void> {
  if (!force) {
    const consumers = (await readConsumers(session, name)).map((one) => one.name);
    if (consumers.length > 0) {
      const more = consumers.length > 3 ? ` and ${consumers.length - 3} more` : '';
      throw new KajaError(
        'state-refused',
        `queue "${name}" has consumers: ${consumers.slice(0, 3).join(', ')}${more}`,
        { hint: 'unregister them, or force' },
      );
    }
  }
  await call(session, name, 'select pgq.drop_queue($1, $2)', [name, force]);
}

/**
 * Register a consumer.
 * @param at where it begins; undefined: at the newest tick, and one that is registered stays where it is
 * @returns false when it was registered
 */
export async function registerConsumer(
  session: Session,
  queue: string,
  consumer: string,
  at?: Position | undefined,
): Promise<boolean> {
  const tick = at === undefined ? null : await findTick(session, queue, at);
  const sql = 'select pgq.register_consumer_at($1, $2, $3)';
  return (await call<number>(session, queue, sql, [queue, consumer, tick])) === 1;
}

/** Unregister a consumer; its open batch and its waiting events are gone. @returns false when it was not registered */
export async function unregisterConsumer(
  session: Session,
  queue: string,
  consumer: string,
): Promise<boolean> {
  return (
    (await call<number>(session, queue, 'select pgq.unregister_consumer($1, $2)', [queue, consumer])) !== 0
  );
}

/**
 * Move a consumer; its open batch is given up.
 * @returns the tick it stands at now
 * @throws KajaError queue-missing, consumer-missing; state-refused when there is no such tick (any more)
 */
export async function seekConsumer(
  session: Session,
  queue: string,
  consumer: string,
  to: Position,
): Promise<bigint> {
  return session.transaction(async () => {
    await readQueue(session, queue);
    const known = (await readConsumers(session, queue)).some((one) => one.name === consumer);
    if (!known) {
      throw new KajaError(
        'consumer-missing',
        `consumer "${consumer}" is not registered on queue "${queue}" (${session.location})`,
      );
    }
    const tick = await findTick(session, queue, to);
    await call(session, queue, 'select pgq.register_consumer_at($1, $2, $3)', [queue, consumer, tick]);
    return tick;
  });
}

/**
 * The tick of a position.
 * @throws KajaError queue-missing; state-refused when there is none
 */
export async function findTick(session: Session, queue: string, at: Position): Promise<bigint> {
  await readQueue(session, queue);
  const from = `from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue where q.queue_name = $1`;
  const tick =
    at instanceof Date
      ? await session.value<bigint>(`select max(t.tick_id) ${from} and t.tick_time <= $2::timestamptz`, [
          queue,
          at.toISOString(),
        ])
      : typeof at === 'bigint'
        ? await session.value<bigint>(`select t.tick_id ${from} and t.tick_id = $2`, [queue, at])
        : await session.value<bigint>(`select ${at === 'start' ? 'min' : 'max'}(t.tick_id) ${from}`, [queue]);
  if (tick !== undefined && tick !== null) return tick;
  const what =
    at instanceof Date
      ? `tick of ${at.toISOString()} or before`
      : typeof at === 'bigint'
        ? `tick ${at}`
        : 'tick';
  throw new KajaError('state-refused', `queue "${queue}" has no ${what} (${session.location})`, {
    hint: typeof at === 'string' ? 'run a ticker' : 'ticks go with rotation; the oldest one is called start',
  });
}

/** First column of a call, with failures named. */
export async function call<T>(
  session: Session,
  queue: string,
  sql: string,
  values: readonly unknown[],
): Promise<T | undefined> {
  try {
    return await session.value<T>(sql, values);
  } catch (error) {
    throw queueError(error, queue, session.location);
  }
}
