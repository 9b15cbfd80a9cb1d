/** Progress of a running copy, kept in `kaja.table_copy` where `status` and `tables` show it. */
import type { CopyContext } from './copy-context.ts';

const REPORT_MS = 1000;

/** Counts of one running copy. */
export interface CopyProgress {
  /** A lane moved bytes of its range; at the end of the range also rows. */
  readonly moved: (lane: number, rows: number, bytes: number, rangeDone: boolean) => void;
  rows(): number;
  bytes(): number;
  seconds(): string;
  /** Store the last figures. Never throws: progress must not fail a copy. */
  end(): Promise<void>;
}

/**
 * Start the row of a copy in `kaja.table_copy` and keep its figures fresh.
 * @param estimatedRows rows the provider's statistics promise
 */
export async function beginProgress(
  context: CopyContext,
  table: string,
  estimatedRows: number,
): Promise<CopyProgress> {
  const started = Date.now();
  const lanes = new Map<number, number>();
  let rows = 0;
  let done = 0;
  const bytes = (): number => [...lanes.values()].reduce((sum, one) => sum + one, done);
  const session = await context.openHere(`copy progress ${table}`);
  await session.execute(
    `insert into kaja.table_copy (queue_name, table_name, provider, rows_total, started_at) values ($1, $2, $3, $4, clock_timestamp())
     on conflict (queue_name, table_name) do update set provider = excluded.provider, rows_total = excluded.rows_total,
       started_at = excluded.started_at, rows_copied = 0, bytes_copied = 0, finished_at = null, copy_tick = null, last_error = null`,
    [context.queue, table, context.providerNode, BigInt(Math.round(estimatedRows))],
  );
  // Rows are known when a range ends; until then they are estimated by the bytes.
  const estimate = (): number => {
    const perRow = rows > 0 ? done / rows : 0;
    return perRow > 0 ? Math.round(bytes() / perRow) : rows;
  };
  let storing: Promise<unknown> = Promise.resolve();
  const store = (count: number): Promise<unknown> =>
    session
      .execute(
        'update kaja.table_copy set rows_copied = $3, bytes_copied = $4 where queue_name = $1 and table_name = $2',
        [context.queue, table, BigInt(count), BigInt(bytes())],
      )
      .catch(() => {});
  const timer = setInterval(() => {
    storing = storing.then(() => store(estimate()));
  }, REPORT_MS);
  return {
    moved: (lane, rangeRows, rangeBytes, rangeDone) => {
      if (rangeDone) {
        rows += rangeRows;
        done += rangeBytes;
        lanes.delete(lane);
      } else {
        lanes.set(lane, rangeBytes);
      }
    },
    rows: () => rows,
    bytes,
    seconds: () => ((Date.now() - started) / 1000).toFixed(1),
    end: async () => {
      clearInterval(timer);
      await storing.then(() => store(rows));
      await session.close();
    },
  };
}
