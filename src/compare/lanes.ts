/** Reads the ranges of a table with several sessions at once. */
import { planRanges, type TableRange } from '../db/ranges.ts';
import type { Session } from '../db/session.ts';
import type { Pace } from './pace.ts';
import type { Side } from './row-sql.ts';

/** Blocks of a range when the pace is limited: 16 MB. */
const SMALL_BLOCKS = 2048;

/**
 * Run a query per range of a table, as it lies on the disk.
 * @param sessions with one snapshot in common
 * @param sql query of a range; the table's alias is `t`, conditions of the side are up to the caller
 * @param pace asked before each range
 * @returns rows of all ranges, in no order
 */
export async function readRanges<R extends { n: bigint }>(
  sessions: readonly Session[],
  side: Side,
  sql: (range: TableRange) => string,
  pace: Pace,
): Promise<R[]> {
  const [first] = sessions;
  if (!first) return [];
  const ranges = await planRanges(first, side.name, sessions.length, pace.small ? SMALL_BLOCKS : undefined);
  return readParts<R>(sessions, ranges, sql, pace);
}

/**
 * As `readRanges`, for any parts of a table; each session takes the next until none is left.
 * @param onPart called when a part was read, with its number
 */
export async function readParts<R extends { n: bigint }>(
  sessions: readonly Session[],
  parts: readonly TableRange[],
  sql: (range: TableRange) => string,
  pace: Pace,
  onPart?: (n: number, rows: readonly R[]) => Promise<void>,
): Promise<R[]> {
  const rows: R[] = [];
  let next = 0;
  let failed = false;
  const lane = async (session: Session): Promise<void> => {
    while (!failed) {
      const n = next++;
      const part = parts[n];
      if (!part) return;
      await pace.before(session);
      const found = await session.query<R>(sql(part));
      rows.push(...found);
      await onPart?.(n, found);
      await pace.after(found.reduce((sum, row) => sum + Number(row.n), 0));
    }
  };
  const results = await Promise.allSettled(
    sessions.map((session) =>
      lane(session).catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return rows;
}
