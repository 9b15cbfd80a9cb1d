/** Count and checksum of tables: equal on both sides iff they hold the same rows, whatever the order, the server or its settings. */
import type { TableRange } from '../db/ranges.ts';
import type { Session } from '../db/session.ts';
import { readRanges } from './lanes.ts';
import { rowBucket, rowHash, type Side, whereOf } from './row-sql.ts';

/** Sums of the halves of all rows' hashes; they do not wrap, so that equal rows in any number count. */
export interface Checksum {
  readonly rows: bigint;
  readonly high: bigint;
  readonly low: bigint;
}

interface SumRow {
  bucket: number;
  n: bigint;
  high: string | null;
  low: string | null;
}

const EMPTY: Checksum = { rows: 0n, high: 0n, low: 0n };
const half = (from: number): string => `sum(('x' || substr(h, ${from}, 16))::bit(64)::int8)`;

/** Same rows? */
export const sameChecksum = (a: Checksum, b: Checksum): boolean =>
  a.rows === b.rows && a.high === b.high && a.low === b.low;

/** As 32 hex digits; null for no rows. */
export function checksumText({ rows, high, low }: Checksum): string | null {
  if (rows === 0n) return null;
  const hex = (value: bigint): string => BigInt.asUintN(64, value).toString(16).padStart(16, '0');
  return hex(high) + hex(low);
}

/** Rows of a side. */
export async function countRows(sessions: readonly Session[], side: Side): Promise<bigint> {
  const rows = await readRanges<{ n: bigint }>(
    sessions,
    side,
    (range) => `select count(*) as n from ${range.from} t${whereOf(range.where, side.filter)}`,
  );
  return rows.reduce((sum, row) => sum + row.n, 0n);
}

/** Count and checksum of a side. */
export async function tableChecksum(sessions: readonly Session[], side: Side): Promise<Checksum> {
  const sums = await sumRanges(sessions, side, 1);
  return sums.get(0) ?? EMPTY;
}

/**
 * Checksums of parts of a table that hold the same keys on both sides.
 * @param buckets number of parts, a power of two
 * @returns by bucket; empty ones are absent
 */
export const bucketChecksums = (
  sessions: readonly Session[],
  side: Side,
  buckets: number,
): Promise<Map<number, Checksum>> => sumRanges(sessions, side, buckets);

async function sumRanges(
  sessions: readonly Session[],
  side: Side,
  buckets: number,
): Promise<Map<number, Checksum>> {
  const bucket = buckets > 1 ? rowBucket(side, buckets) : '0';
  // offset 0: the hash is computed once per row, not once per use.
  const sql = (range: TableRange): string =>
    `select b as bucket, count(*) as n, ${half(1)}::text as high, ${half(17)}::text as low
       from (select ${bucket} as b, ${rowHash(side)} as h from ${range.from} t${whereOf(range.where, side.filter)} offset 0) s group by b`;
  const sums = new Map<number, Checksum>();
  for (const row of await readRanges<SumRow>(sessions, side, sql)) {
    const sum = sums.get(row.bucket) ?? EMPTY;
    sums.set(row.bucket, {
      rows: sum.rows + row.n,
      high: sum.high + BigInt(row.high ?? 0),
      low: sum.low + BigInt(row.low ?? 0),
    });
  }
  return sums;
}
