/** Asks the provider for the next batch, within the limits that copies, compares and the ini set. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** A batch: everything between two ticks. */
export interface Batch {
  readonly id: bigint;
  readonly tick: bigint;
  readonly previousTick: bigint;
}

interface BatchRow {
  id: bigint | null;
  tick: bigint;
  previousTick: bigint;
}

const COLUMNS = 'batch_id as id, cur_tick_id as tick, prev_tick_id as "previousTick"';

/**
 * Open the consumer's next batch, or get the open one again.
 * @param maxTick the batch must not go beyond this tick; null: no limit
 * @returns undefined when there is nothing to take now
 */
export async function openBatch(
  provider: Session,
  settings: WorkerSettings,
  maxTick: bigint | null,
): Promise<Batch | undefined> {
  const { queue, consumer, batchMaxEvents, keepLagMs, collectEvents, collectIntervalMs } = settings;
  // Londiste's own keys collect or hold back on purpose; a limit by tick matters more than they do.
  const custom = maxTick === null && keepLagMs + collectEvents + collectIntervalMs > 0;
  const interval = (ms: number): string | null => (ms > 0 ? `${ms} milliseconds` : null);
  const row = custom
    ? await provider.one<BatchRow>(
        `select ${COLUMNS} from pgq.next_batch_custom($1, $2, $3::interval, $4, $5::interval)`,
        [
          queue,
          consumer,
          interval(keepLagMs),
          collectEvents > 0 ? collectEvents : null,
          interval(collectIntervalMs),
        ],
      )
    : await provider.one<BatchRow>(`select ${COLUMNS} from kaja.next_batch($1, $2, $3, $4, $5)`, [
        queue,
        consumer,
        BigInt(batchMaxEvents),
        1_000_000,
        maxTick,
      ]);
  return row.id === null ? undefined : { id: row.id, tick: row.tick, previousTick: row.previousTick };
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
