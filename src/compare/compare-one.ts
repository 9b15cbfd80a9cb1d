/** Compares one table at a moment. */
import { quoteIdent } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { type Buckets, chooseBuckets, estimateRows } from './buckets.ts';
import { bucketSums, type Checksum, checksumText, countRows, differing, total } from './checksum.ts';
import type { CompareContext } from './compare-context.ts';
import {
  type Differences,
  type DifferingBuckets,
  differenceCount,
  findDifferences,
} from './find-differences.ts';
import type { Moment } from './moment.ts';
import { rowsIn } from './narrow-ranges.ts';
import { type Pace, tablePace } from './pace.ts';
import type { RangeRecord } from './range-record.ts';
import { expandCompareSql, formatResult } from './result-format.ts';
import type { Side } from './row-sql.ts';
import { type Sample, sampleDifferences } from './sample-rows.ts';
import { planSegments, readSegments, type SegmentSums } from './segments.ts';
import type { Subject } from './subject.ts';

/** How a table is compared. */
export interface TableRequest {
  readonly countOnly: boolean;
  /** The ini's compare_sql; '' for the built-in comparison. */
  readonly sql: string;
  /** The ini's compare_fmt. */
  readonly format: string;
  /** Differing rows to show. */
  readonly show: number;
  /** Go on with a run that was stopped, and be able to. */
  readonly resume: boolean;
}

/** Result of one table. */
export interface TableComparison {
  readonly tableName: string;
  readonly destName: string;
  readonly equal: boolean;
  /** As compare_fmt prints them. */
  readonly source: string;
  readonly dest: string;
  /** Null with an own query. */
  readonly sourceRows: bigint | null;
  readonly destRows: bigint | null;
  /** Null when equal, and when only counts or an own query were compared. */
  readonly differences: Differences | null;
  readonly samples: readonly Sample[];
  readonly seconds: number;
  /** Rows that were equal at an earlier tick, before the run was stopped, and were not compared again; null for none. */
  readonly resumed: { readonly rows: bigint; readonly tick: bigint } | null;
}

/** Compare, tell the log as Londiste does, and find the rows that differ. */
export async function compareOne(
  context: CompareContext,
  request: TableRequest,
  moment: Moment,
  subject: Subject,
  record: RangeRecord,
): Promise<TableComparison> {
  const { log } = context;
  const { tableName, destName } = subject;
  const started = Date.now();
  log.info(`Counting ${destName}`);
  const both = await readBoth(context, request, moment, subject, record);
  log.info(`srcdb: ${both.source}`);
  log.info(`dstdb: ${both.dest}`);
  const result = (differences: Differences | null, samples: readonly Sample[]): TableComparison => ({
    tableName,
    destName,
    equal: both.equal,
    source: both.source,
    dest: both.dest,
    sourceRows: both.sums?.[0].rows ?? null,
    destRows: both.sums?.[1].rows ?? null,
    differences,
    samples,
    seconds: (Date.now() - started) / 1000,
    resumed: both.resumed ?? null,
  });
  if (both.equal) return result(null, []);
  log.warn(`${destName}: Results do not match!`);
  if (!both.found) return result(null, []);
  const differences = await findDifferences(moment, subject, both.found);
  log.warn(
    `${destName}: ${differenceCount(differences)} rows differ: ${differences.missing} missing here, ${differences.extra} extra here, ${differences.different} different`,
  );
  const samples = request.show > 0 ? await sampleDifferences(moment, subject, request.show) : [];
  return result(differences, samples);
}

interface Both {
  readonly equal: boolean;
  readonly source: string;
  readonly dest: string;
  readonly sums?: readonly [Checksum, Checksum];
  readonly resumed?: TableComparison['resumed'];
  /** Where rows differ, when that is known. */
  readonly found?: DifferingBuckets;
}

async function readBoth(
  context: CompareContext,
  request: TableRequest,
  moment: Moment,
  subject: Subject,
  record: RangeRecord,
): Promise<Both> {
  const { source, dest } = subject;
  if (request.sql !== '') {
    const ask = async (session: Session, side: Side): Promise<string> =>
      formatResult(request.format, (await session.query(ownQuery(request.sql, side)))[0] ?? {});
    const [a, b] = await Promise.all([
      ask(moment.provider[0] as Session, source),
      ask(moment.here[0] as Session, dest),
    ]);
    return { equal: a === b, source: a, dest: b };
  }
  const first = [moment.provider[0] as Session, moment.here[0] as Session] as const;
  const estimates = await Promise.all([estimateRows(first[0], source), estimateRows(first[1], dest)]);
  const pace = tablePace(context, subject.destName, estimates[0] + estimates[1]);
  if (request.countOnly) {
    const [a, b] = await Promise.all([
      countRows(moment.provider, source, pace),
      countRows(moment.here, dest, pace),
    ]);
    const sums = [
      { rows: a, sum: 0n },
      { rows: b, sum: 0n },
    ] as const;
    return { equal: a === b, source: `${a} rows`, dest: `${b} rows`, sums };
  }
  const rows = Math.max(...estimates);
  const buckets = await chooseBuckets(subject, ...first, rows);
  const { theirs, ours, before } = await readSums(context, moment, subject, {
    buckets,
    rows,
    pace,
    record,
    resumable: request.resume,
  });
  const sums = [plus(total(theirs), before), plus(total(ours), before)] as const;
  const text = (sum: Checksum): string =>
    formatResult(request.format, { cnt: sum.rows, chksum: checksumText(sum) });
  const resumed = before.rows > 0n ? { rows: before.rows, tick: record.doneTick ?? 0n } : null;
  const result = { source: text(sums[0]), dest: text(sums[1]), sums, resumed };
  const numbers = differing(theirs, ours);
  if (numbers.length === 0) return { ...result, equal: true };
  const wrong = rowsIn(numbers, theirs, ours);
  const most = Math.max(Number(sums[0].rows), Number(sums[1].rows), 1);
  return {
    ...result,
    equal: false,
    found: { buckets, numbers, rows: wrong, share: Number(wrong) / most },
  };
}

interface Reading {
  readonly buckets: Buckets;
  /** About how many. */
  readonly rows: number;
  readonly pace: Pace;
  readonly record: RangeRecord;
  /** In ranges that a later process can go on behind. */
  readonly resumable: boolean;
}

const NOTHING: Checksum = { rows: 0n, sum: 0n };
const plus = (a: Checksum, b: Checksum): Checksum => ({ rows: a.rows + b.rows, sum: a.sum + b.sum });

async function readSums(
  { log }: CompareContext,
  moment: Moment,
  subject: Subject,
  { buckets, rows, pace, record, resumable }: Reading,
): Promise<SegmentSums> {
  const { source, dest, destName } = subject;
  const first = [moment.provider[0] as Session, moment.here[0] as Session] as const;
  const segments = await planSegments(subject, ...first, buckets, rows, resumable || pace.small);
  if (!segments) {
    const [theirs, ours] = await Promise.all([
      bucketSums(moment.provider, source, buckets, pace),
      bucketSums(moment.here, dest, buckets, pace),
    ]);
    return { theirs, ours, before: NOTHING };
  }
  const known = record.done.reduce((sum, one) => sum + one.rows, 0n);
  if (known > 0n)
    log.info(
      `${destName}: ${known} rows were equal at tick ${record.doneTick}, before this run was stopped, and are not compared again`,
    );
  return readSegments(moment, subject, buckets, segments, pace, record);
}

function ownQuery(sql: string, side: Side): string {
  const table = side.from.replace(/^only /, '');
  // Conditions over renamed columns speak of the table as t.
  const named = side.filter?.includes('kaja_row') ? `${table} t` : table;
  return expandCompareSql(
    sql,
    named,
    side.columns.map((column) => quoteIdent(column.name)),
    side.filter,
  );
}
