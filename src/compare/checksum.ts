/** Count and checksum of tables, whole and in parts that hold the same keys on both sides. */
import type { Session } from '../db/session.ts';
import { type Buckets, bucketOf } from './buckets.ts';
import { readRanges } from './lanes.ts';
import type { Pace } from './pace.ts';
import { rowHash, type Side, whereOf } from './row-sql.ts';

/** Sum of the 64-bit hashes of all rows; it does not wrap, so that equal rows in any number count. */
export interface Checksum {
  readonly rows: bigint;
  readonly sum: bigint;
}

/** Checksums by number of bucket; empty ones are absent. */
export type BucketSums = ReadonlyMap<bigint, Checksum>;

/** A row of such a query: number of a bucket, rows and sum. */
export interface SumRow {
  bucket: bigint;
  n: bigint;
  sum: string;
}

/** Same rows? */
export const sameChecksum = (a: Checksum | undefined, b: Checksum | undefined): boolean =>
  a?.rows === b?.rows && a?.sum === b?.sum;

/** As 32 hex digits; null for no rows. */
export const checksumText = ({ rows, sum }: Checksum): string | null =>
  rows === 0n ? null : BigInt.asUintN(128, sum).toString(16).padStart(32, '0');

/** Rows of a side. */
export async function countRows(sessions: readonly Session[], side: Side, pace: Pace): Promise<bigint> {
  const rows = await readRanges<{ n: bigint }>(
    sessions,
    side,
    (range) => `select count(*) as n from ${range.from} t${whereOf(range.where, side.filter)}`,
    pace,
  );
  return rows.reduce((sum, row) => sum + row.n, 0n);
}

/** Checksums of a side's buckets, read in parallel ranges. */
export async function bucketSums(
  sessions: readonly Session[],
  side: Side,
  buckets: Buckets,
  pace: Pace,
): Promise<BucketSums> {
  const rows = await readRanges<SumRow>(
    sessions,
    side,
    (range) =>
      `select ${bucketOf(side, buckets)} as bucket, count(*) as n, sum(${rowHash(side)})::text as sum
         from ${range.from} t${whereOf(range.where, side.filter)} group by 1`,
    pace,
  );
  return addUp(rows);
}

/** Rows of partial sums, by bucket. */
export function addUp(rows: readonly SumRow[]): Map<bigint, Checksum> {
  const sums = new Map<bigint, Checksum>();
  for (const row of rows) {
    const before = sums.get(row.bucket);
    sums.set(row.bucket, {
      rows: (before?.rows ?? 0n) + row.n,
      sum: (before?.sum ?? 0n) + BigInt(row.sum),
    });
  }
  return sums;
}

/** Of all buckets together. */
export function total(sums: BucketSums): Checksum {
  let all: Checksum = { rows: 0n, sum: 0n };
  for (const one of sums.values()) all = { rows: all.rows + one.rows, sum: all.sum + one.sum };
  return all;
}

/** Buckets whose rows are not the same on both sides. */
export const differing = (a: BucketSums, b: BucketSums): bigint[] =>
  [...new Set([...a.keys(), ...b.keys()])].filter((bucket) => !sameChecksum(a.get(bucket), b.get(bucket)));
