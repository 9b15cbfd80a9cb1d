/** Which rows differ: buckets whose checksums differ are looked at row by row, by key and hash. Values of rows do not travel. */
import { copyBetween } from '../db/copy-stream.ts';
import type { Session } from '../db/session.ts';
import { type Buckets, bucketOf } from './buckets.ts';
import type { Moment } from './moment.ts';
import { type KeyRanges, narrowRanges, rowsInRanges } from './narrow-ranges.ts';
import { rowHash, rowKey, type Side, whereOf } from './row-sql.ts';
import type { Subject } from './subject.ts';

/** What is wrong with a row, seen from this node. */
export type DifferenceKind = 'missing' | 'extra' | 'different';

/** Differing rows of a table; their keys stand in kaja_diff of the moment's first session here. */
export interface Differences {
  readonly missing: bigint;
  readonly extra: bigint;
  readonly different: bigint;
}

/** Sum of the kinds. */
export const differenceCount = (found: Differences): bigint => found.missing + found.extra + found.different;

/** What the checksums said. */
export interface DifferingBuckets {
  readonly buckets: Buckets;
  readonly numbers: readonly bigint[];
  /** Rows in them, on the side that has more. */
  readonly rows: bigint;
  /** Of all rows. */
  readonly share: number;
}

/** Ranges are read through the key's index where they hold at most this share of the rows. */
const INDEX_SHARE = 0.2;

const EMPTY_TABLES = `
  create temp table if not exists kaja_their (k text[] collate "C", h int8) on commit delete rows;
  create temp table if not exists kaja_our (k text[] collate "C", h int8) on commit delete rows;
  create temp table if not exists kaja_diff (k text[] collate "C", theirs int8, ours int8) on commit delete rows;
  truncate pg_temp.kaja_their; truncate pg_temp.kaja_our; truncate pg_temp.kaja_diff`;

/** Find them. Memory does not grow with the table: what has to be kept is in temporary tables of this node. */
export async function findDifferences(
  moment: Moment,
  subject: Subject,
  found: DifferingBuckets,
): Promise<Differences> {
  const provider = moment.provider[0] as Session;
  const here = moment.here[0] as Session;
  const ranges = found.buckets.by === 'range' ? await narrowRanges(moment, subject, found) : undefined;
  const rows = (side: Side): string => rowsOf(side, found, ranges);
  await here.query(EMPTY_TABLES);
  await copyBetween({
    from: provider,
    fromSql: `copy (${rows(subject.source)}) to stdout`,
    to: here,
    toSql: 'copy pg_temp.kaja_their (k, h) from stdin',
  });
  await here.query(`insert into pg_temp.kaja_our (k, h) ${rows(subject.dest)}`);
  // Equal rows pair off one by one; what is left of each key says what is wrong with it.
  await here.query(`analyze pg_temp.kaja_their; analyze pg_temp.kaja_our;
    insert into pg_temp.kaja_diff (k, theirs, ours)
    select coalesce(s.k, o.k), count(s.k), count(o.k)
      from (select k, h, row_number() over (partition by k, h) as n from pg_temp.kaja_their) s
      full join (select k, h, row_number() over (partition by k, h) as n from pg_temp.kaja_our) o
        on s.k = o.k and s.h = o.h and s.n = o.n
     where s.k is null or o.k is null
     group by 1`);
  return here.one<Differences>(
    `select coalesce(sum(greatest(theirs - ours, 0)), 0)::int8 as missing, coalesce(sum(greatest(ours - theirs, 0)), 0)::int8 as extra,
            coalesce(sum(least(theirs, ours)), 0)::int8 as different from pg_temp.kaja_diff`,
  );
}

/** Key and hash of the rows that may differ. */
function rowsOf(side: Side, found: DifferingBuckets, ranges: KeyRanges | undefined): string {
  const columns = `${rowKey(side)} as k, ${rowHash(side)} as h`;
  if (ranges && ranges.share <= INDEX_SHARE) return rowsInRanges(side, ranges.list, columns);
  const part = `${bucketOf(side, found.buckets)} = any ('{${found.numbers.join(',')}}'::int8[])`;
  return `select ${columns} from ${side.from} t${whereOf(side.filter, part)}`;
}
