/** Reads a big table in ranges of its key, in the order of the key, the same on both sides: each is known to be equal as soon as both have read it. */
import { quoteFqName } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { type Buckets, bucketOf, type KeyRange, keyColumn } from './buckets.ts';
import { addUp, type BucketSums, type Checksum, differing, type SumRow, total } from './checksum.ts';
import { readParts } from './lanes.ts';
import type { Moment } from './moment.ts';
import type { Pace } from './pace.ts';
import type { DoneRange, RangeRecord } from './range-record.ts';
import { rowHash, type Side, whereOf } from './row-sql.ts';
import type { Subject } from './subject.ts';

/** Rows and bytes of a segment, about. */
const SEGMENT_ROWS = 65_536;
const SEGMENT_BYTES = 16 * 1024 * 1024;
const MAX_SEGMENTS = 4096;
/** So much takes long enough to be worth it unasked. */
const LONG_BYTES = 4 * 1024 * 1024 * 1024;
/** With fewer segments there is little to lose, and the planner may read the whole table for each. */
const MIN_SEGMENTS = 4;
/** Rows lie about in the order of the key: its index then reads blocks one after the other. */
const MIN_CORRELATION = 0.95;

/**
 * Split a table into segments. Reading by the key's index costs more than reading as rows lie on the disk, so it is for those who
 * have time, asked for it, or have very much to read.
 * @param buckets how its rows are summed
 * @param rows about how many it has
 * @param wanted also a table that is read soon
 * @returns undefined where it is better read as it lies on the disk
 */
export async function planSegments(
  subject: Subject,
  provider: Session,
  here: Session,
  buckets: Buckets,
  rows: number,
  wanted: boolean,
): Promise<readonly KeyRange[] | undefined> {
  if (buckets.by !== 'range' || !buckets.span) return undefined;
  if (!wanted && !(await isLong(provider, subject.source))) return undefined;
  const facts = await Promise.all([layout(provider, subject.source), layout(here, subject.dest)]);
  if (!facts.every((one) => one?.ordered)) return undefined;
  const bytes = Math.max(...facts.map((one) => one?.bytes ?? 0));
  const count = Math.min(MAX_SEGMENTS, Math.max(rows / SEGMENT_ROWS, bytes / SEGMENT_BYTES));
  return count < MIN_SEGMENTS ? undefined : split(buckets.span, buckets.shift, Math.ceil(count));
}

const isLong = async (session: Session, side: Side): Promise<boolean> =>
  ((await session.value<number>('select pg_relation_size(to_regclass($1))::float8', [
    quoteFqName(side.name),
  ])) ?? 0) >= LONG_BYTES;

interface Layout {
  readonly ordered: boolean;
  readonly bytes: number;
}

const layout = async (session: Session, side: Side): Promise<Layout | undefined> =>
  (
    await session.query<Layout>(
      `select c.relkind = 'r' and abs(coalesce(s.correlation, 0)) >= $3
                and exists (select from pg_index x join pg_class i on i.oid = x.indexrelid join pg_am m on m.oid = i.relam
                             where x.indrelid = c.oid and x.indkey[0] = a.attnum and x.indisvalid and x.indpred is null and m.amname = 'btree') as ordered,
              pg_relation_size(c.oid)::float8 as bytes
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attname = $2
         left join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname and not s.inherited
        where c.oid = to_regclass($1)`,
      [quoteFqName(side.name), side.keys[0]?.name, MIN_CORRELATION],
    )
  )[0];

/** Ranges of whole buckets; the first and the last end with the keys. */
export function split(span: KeyRange, shift: number, count: number): KeyRange[] {
  const bits = BigInt(shift);
  const [first, last] = [span.lo >> bits, span.hi >> bits];
  const step = (last - first) / BigInt(count) + 1n;
  const list: KeyRange[] = [];
  for (let at = first; at <= last; at += step) {
    const end = ((at + step) << bits) - 1n;
    list.push({ lo: at === first ? span.lo : at << bits, hi: end < span.hi ? end : span.hi });
  }
  return list;
}

/** What is left of segments when some keys are done already. Both lists are in order. */
export function without(segments: readonly KeyRange[], done: readonly KeyRange[]): KeyRange[] {
  return segments.flatMap(({ lo, hi }) => {
    const left: KeyRange[] = [];
    let at = lo;
    for (const one of done) {
      if (one.hi < at || one.lo > hi) continue;
      if (one.lo > at) left.push({ lo: at, hi: one.lo - 1n });
      at = one.hi + 1n;
    }
    if (at <= hi) left.push({ lo: at, hi });
    return left;
  });
}

/** Sums of both sides; what was done before is in `before`. */
export interface SegmentSums {
  readonly theirs: BucketSums;
  readonly ours: BucketSums;
  readonly before: Checksum;
}

/**
 * Read the segments that are not done yet, on both sides at once.
 * @param record gets every segment that is equal
 */
export async function readSegments(
  moment: Moment,
  subject: Subject,
  buckets: Buckets,
  segments: readonly KeyRange[],
  pace: Pace,
  record: RangeRecord,
): Promise<SegmentSums> {
  const todo = without(segments, record.done);
  const waiting = new Map<number, BucketSums>();
  const read = async (sessions: readonly Session[], side: Side): Promise<BucketSums> => {
    const key = keyColumn(side);
    const columns = `${bucketOf(side, buckets)} as bucket, count(*) as n, sum(${rowHash(side)})::text as sum`;
    const rows = await readParts<SumRow>(
      sessions,
      todo.map(({ lo, hi }) => ({ from: side.from, where: `${key} between ${lo} and ${hi}` })),
      ({ from, where }) => `select ${columns} from ${from} t${whereOf(where, side.filter)} group by 1`,
      pace,
      async (n, found) => {
        const sums = addUp(found);
        const other = waiting.get(n);
        if (!other) {
          waiting.set(n, sums);
          return;
        }
        waiting.delete(n);
        const range = todo[n];
        if (range && differing(sums, other).length === 0) await record.note({ ...range, ...total(sums) });
        failpoint('range-compared');
      },
    );
    return addUp(rows);
  };
  const results = await Promise.allSettled([
    read(moment.provider, subject.source),
    read(moment.here, subject.dest),
  ]);
  await record.flush();
  const [theirs, ours] = results.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  }) as [BucketSums, BucketSums];
  return { theirs, ours, before: addRanges(record.done) };
}

const addRanges = (done: readonly DoneRange[]): Checksum =>
  done.reduce((sum, one) => ({ rows: sum.rows + one.rows, sum: sum.sum + one.sum }), { rows: 0n, sum: 0n });
