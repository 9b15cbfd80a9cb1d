/** Gets batches from the provider, within the limits that copies, compares and the ini set. */
import { type BinaryRow, copyRows } from '../db/binary-copy.ts';
import { quoteLiteral } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** A batch: everything between two ticks. */
export interface Batch {
  readonly id: bigint;
  readonly tick: bigint;
  readonly previousTick: bigint;
  /** All wanted events in order (ev_id, ev_type, ev_data, ev_extra1), if they are few; undefined: to be streamed. */
  readonly events: readonly BinaryRow[] | undefined;
  /** No later tick was there yet. */
  readonly newest: boolean;
}

/** The events of batches up to this size come with the answer. */
const SMALL_EVENTS = 2_000;
const SMALL_BYTES = 1_048_576;

/** Ticks in a batch: more than anybody makes while `batch_max_events` come. */
export const MAX_TICKS = 1_000_000;

interface BatchRow {
  id: bigint | null;
  tick: bigint;
  previousTick: bigint;
}

/** What to open. */
export interface BatchRequest {
  /** Batch to finish first; null: none. */
  readonly finish: bigint | null;
  /** The batch must not go beyond this tick; null: no limit. */
  readonly maxTick: bigint | null;
  /** Logical names of the tables whose events are wanted. */
  readonly tables: readonly string[];
}

/** Londiste's own keys collect or hold back on purpose: batches end elsewhere then. */
export const isCustom = (settings: WorkerSettings): boolean =>
  settings.keepLagMs + settings.collectEvents + settings.collectIntervalMs > 0;

/**
 * Finish the consumer's last batch and open the next one, or get the open one again, with the events of a small one: one statement.
 * @returns undefined when there is nothing to take now
 */
export async function openBatch(
  provider: Session,
  settings: WorkerSettings,
  request: BatchRequest,
): Promise<Batch | undefined> {
  const { queue, consumer, batchMaxEvents } = settings;
  const { finish, maxTick, tables } = request;
  // A limit by tick matters more.
  if (maxTick === null && isCustom(settings)) return openCustomBatch(provider, settings, finish);
  const names = `array[${tables.map(quoteLiteral).join(', ')}]::text[]`;
  const rows = await copyRows(
    provider,
    `select * from kaja.take_batch(${quoteLiteral(queue)}, ${quoteLiteral(consumer)}, ${finish}, ${batchMaxEvents}, ${MAX_TICKS}, ${maxTick}, ${names}, ${SMALL_EVENTS}, ${SMALL_BYTES})`,
  );
  const about = rows.at(-1);
  if (!about) return undefined;
  const [id = 0n, tick = 0n, previousTick = 0n] = String(about[2]).split(' ').map(BigInt);
  const events = String(about[1]) === 'all' ? rows.slice(0, -1) : undefined;
  return { id, tick, previousTick, events, newest: about[3] !== null };
}

async function openCustomBatch(
  provider: Session,
  settings: WorkerSettings,
  finish: bigint | null,
): Promise<Batch | undefined> {
  const { queue, consumer, keepLagMs, collectEvents, collectIntervalMs } = settings;
  const interval = (ms: number): string | null => (ms > 0 ? `${ms} milliseconds` : null);
  if (finish !== null) await provider.query('select pgq.finish_batch($1)', [finish]);
  const row = await provider.one<BatchRow>(
    `select batch_id as id, cur_tick_id as tick, prev_tick_id as "previousTick" from pgq.next_batch_custom($1, $2, $3::interval, $4, $5::interval)`,
    [
      queue,
      consumer,
      interval(keepLagMs),
      collectEvents > 0 ? collectEvents : null,
      interval(collectIntervalMs),
    ],
  );
  return row.id === null
    ? undefined
    : { id: row.id, tick: row.tick, previousTick: row.previousTick, events: undefined, newest: false };
}

/**
 * Does the batch follow this node's position?
 * @returns false when it was applied before and only its end was lost
 * @throws KajaError lost-position when it starts elsewhere
 */
export function followsPosition(batch: Batch, position: bigint, queue: string): boolean {
  if (batch.tick === position) return false;
  if (batch.previousTick === position) return true;
  throw new KajaError(
    'lost-position',
    `lost position: batch of queue ${queue} goes from tick ${batch.previousTick} to ${batch.tick}, this node stands at ${position}`,
    { hint: 'was one of the databases restored? worker --rewind sets the provider back to this node' },
  );
}
