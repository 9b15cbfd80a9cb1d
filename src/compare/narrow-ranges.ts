/** Makes ranges of keys that differ smaller, reading only them, through the key's index. */
import type { Session } from '../db/session.ts';
import { bucketOf, type KeyRange, keyColumn, powerOfTwo, rangeOf } from './buckets.ts';
import { addUp, type BucketSums, differing } from './checksum.ts';
import type { DifferingBuckets } from './find-differences.ts';
import type { Moment } from './moment.ts';
import { rowHash, type Side, whereOf } from './row-sql.ts';
import type { Subject } from './subject.ts';

/** Ranges that hold all differing rows. */
export interface KeyRanges {
  readonly list: readonly KeyRange[];
  /** Share of the table's rows in them. */
  readonly share: number;
}

/** So many rows are rather moved, as key and hash, than looked at again. */
const FEW_ROWS = 5000n;
/** Parts a range is split into at a time. */
const SPLIT_BITS = 8;

/**
 * Start with the differing buckets, split while much is left and something can be won.
 * @param found buckets by range
 */
export async function narrowRanges(
  moment: Moment,
  subject: Subject,
  found: DifferingBuckets,
): Promise<KeyRanges> {
  let shift = found.buckets.by === 'range' ? found.buckets.shift : 0;
  let numbers = found.numbers;
  let { rows, share } = found;
  while (rows > FEW_ROWS && shift > 0) {
    const before = numbers.map((number) => rangeOf(number, shift));
    const bits = Math.min(SPLIT_BITS, shift);
    // Many ranges are smaller each: there is nothing to win, and their sums must stay few.
    if (numbers.length * 2 ** bits > powerOfTwo(2 ** 17)) break;
    shift -= bits;
    const [theirs, ours] = await Promise.all([
      sumsInRanges(moment.provider[0] as Session, subject.source, before, shift),
      sumsInRanges(moment.here[0] as Session, subject.dest, before, shift),
    ]);
    numbers = differing(theirs, ours);
    const left = rowsIn(numbers, theirs, ours);
    share *= Number(left) / Math.max(1, Number(rows));
    const enough = left * 2n > rows;
    rows = left;
    if (enough) break;
  }
  return { list: merged(numbers.map((number) => rangeOf(number, shift))), share };
}

/** Rows of these buckets on the side that has more. */
export function rowsIn(numbers: readonly bigint[], a: BucketSums, b: BucketSums): bigint {
  return numbers.reduce((sum, number) => {
    const [theirs, ours] = [a.get(number)?.rows ?? 0n, b.get(number)?.rows ?? 0n];
    return sum + (theirs > ours ? theirs : ours);
  }, 0n);
}

async function sumsInRanges(
  session: Session,
  side: Side,
  ranges: readonly KeyRange[],
  shift: number,
): Promise<BucketSums> {
  const columns = `${bucketOf(side, { by: 'range', shift })} as bucket, ${rowHash(side)} as h`;
  return addUp(
    await session.query(
      `select bucket, count(*) as n, sum(h)::text as sum from (${rowsInRanges(side, merged(ranges), columns)}) x group by 1`,
    ),
  );
}

/**
 * SELECT of the rows in ranges of the key, range by range.
 * @param columns its list, over `t`
 */
export function rowsInRanges(side: Side, ranges: readonly KeyRange[], columns: string): string {
  const bounds = (of: keyof KeyRange): string => `'{${ranges.map((range) => range[of]).join(',')}}'::int8[]`;
  const key = keyColumn(side);
  // OFFSET keeps the planner from turning the loop over ranges into a join that reads the whole table.
  return `select x.* from rows from (unnest(${bounds('lo')}), unnest(${bounds('hi')})) as r (lo, hi),
    lateral (select ${columns} from ${side.from} t${whereOf(`${key} between r.lo and r.hi`, side.filter)} offset 0) x`;
}

function merged(ranges: readonly KeyRange[]): KeyRange[] {
  const sorted = [...ranges].sort((a, b) => (a.lo < b.lo ? -1 : a.lo > b.lo ? 1 : 0));
  const result: KeyRange[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last && last.hi + 1n === range.lo) result[result.length - 1] = { lo: last.lo, hi: range.hi };
    else result.push(range);
  }
  return result;
}
