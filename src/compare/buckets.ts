/** Parts of a table that hold the same keys on both sides: ranges of a whole-number key where there is one, else by hash of the key. */
import { quoteIdent } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { keyHash, type Side } from './row-sql.ts';
import type { Subject } from './subject.ts';

/** How rows fall into buckets. */
export type Buckets =
  /** Number of the bucket: the key without its lowest `shift` bits. */
  | {
      readonly by: 'range';
      readonly shift: number;
      /** First and last key of both sides; undefined without rows, or when it does not matter. */
      readonly span?: KeyRange | undefined;
    }
  /** Number of the bucket: the lowest bits of the key's hash; `count` is a power of two. */
  | { readonly by: 'hash'; readonly count: number };

/** First and last key of a range, both in it. */
export interface KeyRange {
  readonly lo: bigint;
  readonly hi: bigint;
}

const ROWS_PER_BUCKET = 1024;
const MAX_BUCKETS = 4096;

const isWhole = (side: Side): boolean => {
  const [key, ...others] = side.keys;
  return others.length === 0 && (key?.form === 'int' || key?.form === 'bigint') && key.present;
};

/** The key by which ranges are read, unquoted; undefined when the key is not one whole number. */
const rangeKey = ({ source, dest }: Subject): string | undefined =>
  isWhole(source) && isWhole(dest) ? source.keys[0]?.name : undefined;

/** Expression of the row's bucket, int8. */
export const bucketOf = (side: Side, buckets: Buckets): string =>
  buckets.by === 'range'
    ? `(${keyColumn(side)}::int8 >> ${buckets.shift})`
    : `(${keyHash(side)} & ${buckets.count - 1}::int8)`;

/** The only key column of a side that is read in ranges. */
export const keyColumn = (side: Side): string => `t.${quoteIdent(side.keys[0]?.name ?? '')}`;

/** The keys of a bucket. */
export const rangeOf = (bucket: bigint, shift: number): KeyRange => ({
  lo: bucket << BigInt(shift),
  hi: ((bucket + 1n) << BigInt(shift)) - 1n,
});

/**
 * Choose buckets.
 * @param rows about how many rows the bigger side has
 */
export async function chooseBuckets(
  subject: Subject,
  provider: Session,
  here: Session,
  rows: number,
): Promise<Buckets> {
  const count = powerOfTwo(Math.min(MAX_BUCKETS, rows / ROWS_PER_BUCKET));
  if (rangeKey(subject) === undefined) return { by: 'hash', count };
  const spans = await Promise.all([span(provider, subject.source), span(here, subject.dest)]);
  const ends = spans.flatMap((one) => (one ? [one.lo, one.hi] : [])).sort((a, b) => (a < b ? -1 : 1));
  const [lo, hi] = [ends[0], ends.at(-1)];
  const found = lo === undefined || hi === undefined ? undefined : { lo, hi };
  return { by: 'range', shift: shiftFor(found ? found.hi - found.lo : 0n, count), span: found };
}

/** Bits to leave out so that `width` keys fall into about `count` buckets. */
export function shiftFor(width: bigint, count: number): number {
  let shift = 0;
  while (width >> BigInt(shift) >= BigInt(2 * count)) shift++;
  return shift;
}

/** The next power of two. */
export function powerOfTwo(wanted: number): number {
  let count = 1;
  while (count < wanted) count *= 2;
  return count;
}

async function span(session: Session, side: Side): Promise<KeyRange | undefined> {
  const key = keyColumn(side);
  const row = await session.one<{ lo: bigint | null; hi: bigint | null }>(
    `select min(${key})::int8 as lo, max(${key})::int8 as hi from ${side.from} t`,
  );
  return row.lo === null || row.hi === null ? undefined : { lo: row.lo, hi: row.hi };
}

/** About how many rows a side has, as the planner sees it. */
export async function estimateRows(session: Session, side: Side): Promise<number> {
  const [row] = await session.query<Record<string, string>>(
    `explain (format json) select from ${side.from} t`,
  );
  const plan = JSON.parse(Object.values(row ?? {})[0] ?? '[]')[0]?.Plan;
  return Number(plan?.['Plan Rows'] ?? 0);
}
