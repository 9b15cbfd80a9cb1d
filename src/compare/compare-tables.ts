/** Compares tables of this node with those of the provider, all at one moment. */
import { quoteIdent } from '../db/names.ts';
import { openSession, type Session } from '../db/session.ts';
import { chooseBuckets, estimateRows } from './buckets.ts';
import { bucketSums, type Checksum, checksumText, countRows, differing, total } from './checksum.ts';
import type { CompareContext } from './compare-context.ts';
import {
  type Differences,
  type DifferingBuckets,
  differenceCount,
  findDifferences,
  type Sample,
  sampleDifferences,
} from './find-differences.ts';
import { type Moment, reachMoment } from './moment.ts';
import { rowsIn } from './narrow-ranges.ts';
import { expandCompareSql, formatResult } from './result-format.ts';
import type { Side } from './row-sql.ts';
import { type Candidate, chooseTables, readSubject, type Subject } from './subject.ts';

/** What to compare, and how. */
export interface CompareRequest {
  /** Names or patterns; none: all local tables. */
  readonly tables: readonly string[];
  readonly countOnly: boolean;
  /** The ini's compare_sql; '' for the built-in comparison. */
  readonly sql: string;
  /** The ini's compare_fmt. */
  readonly format: string;
  /** Compare even if the worker does not reach the moment. */
  readonly force: boolean;
  /** Differing rows to name per table. */
  readonly show: number;
  /** Further conditions over the provider's columns. */
  readonly conditions?: readonly string[] | undefined;
  /** Called with the moment still open, for every table with differing rows. */
  readonly onDifferent?: ((subject: Subject, moment: Moment) => Promise<void>) | undefined;
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
}

/** Results, and how many tables could not be compared. */
export interface CompareOutcome {
  readonly tables: readonly TableComparison[];
  readonly skipped: number;
  /** Null when nothing was compared. */
  readonly tick: bigint | null;
  readonly exact: boolean;
}

/**
 * Compare.
 * @throws KajaError state-refused (exit code 2) when the worker does not reach the moment; others of the servers
 */
export async function compareTables(
  context: CompareContext,
  request: CompareRequest,
): Promise<CompareOutcome> {
  const here = await openSession(context.location, {
    purpose: 'read',
    applicationName: context.applicationName,
    signal: context.signal,
  });
  const candidates = await chooseTables(context, here, request.tables).finally(() => here.close());
  if (candidates.length === 0) return { tables: [], skipped: 0, tick: null, exact: false };
  const moment = await reachMoment(context, {
    tables: candidates.map((candidate) => candidate.tableName),
    readers: context.jobs,
    readersHere: context.jobs,
    keep: false,
    force: request.force,
  });
  try {
    const tables: TableComparison[] = [];
    for (const candidate of candidates) {
      const result = await compareOne(context, request, moment, candidate);
      if (result) tables.push(result);
    }
    return { tables, skipped: candidates.length - tables.length, tick: moment.tick, exact: moment.exact };
  } finally {
    await moment.close();
  }
}

async function compareOne(
  context: CompareContext,
  request: CompareRequest,
  moment: Moment,
  candidate: Candidate,
): Promise<TableComparison | undefined> {
  const { log } = context;
  log.info(`${candidate.tableName}: Using node ${context.providerNode} as provider`);
  const subject = await readSubject(
    context,
    candidate,
    moment.provider[0] as Session,
    moment.here[0] as Session,
    request.conditions ?? [],
  );
  if (!subject) return undefined;
  log.info(`Counting ${subject.destName}`);
  const both = await readBoth(request, moment, subject);
  log.info(`srcdb: ${both.source}`);
  log.info(`dstdb: ${both.dest}`);
  const { tableName, destName } = subject;
  const result = { tableName, destName, equal: both.equal, source: both.source, dest: both.dest };
  const rows = { sourceRows: both.sums?.[0].rows ?? null, destRows: both.sums?.[1].rows ?? null };
  if (both.equal) return { ...result, ...rows, differences: null, samples: [] };
  log.warn(`${destName}: Results do not match!`);
  if (!both.found) return { ...result, ...rows, differences: null, samples: [] };
  const differences = await findDifferences(moment, subject, both.found);
  log.warn(
    `${destName}: ${differenceCount(differences)} rows differ: ${differences.missing} missing here, ${differences.extra} extra here, ${differences.different} different`,
  );
  const samples = request.show > 0 ? await sampleDifferences(moment, subject, request.show) : [];
  await request.onDifferent?.(subject, moment);
  return { ...result, ...rows, differences, samples };
}

interface Both {
  readonly equal: boolean;
  readonly source: string;
  readonly dest: string;
  readonly sums?: readonly [Checksum, Checksum];
  /** Where rows differ, when that is known. */
  readonly found?: DifferingBuckets;
}

async function readBoth(request: CompareRequest, moment: Moment, subject: Subject): Promise<Both> {
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
  if (request.countOnly) {
    const [a, b] = await Promise.all([countRows(moment.provider, source), countRows(moment.here, dest)]);
    const sums = [
      { rows: a, sum: 0n },
      { rows: b, sum: 0n },
    ] as const;
    return { equal: a === b, source: `${a} rows`, dest: `${b} rows`, sums };
  }
  const first = [moment.provider[0] as Session, moment.here[0] as Session] as const;
  const estimates = await Promise.all([estimateRows(first[0], source), estimateRows(first[1], dest)]);
  const buckets = await chooseBuckets(subject, ...first, Math.max(...estimates));
  const [theirs, ours] = await Promise.all([
    bucketSums(moment.provider, source, buckets),
    bucketSums(moment.here, dest, buckets),
  ]);
  const sums = [total(theirs), total(ours)] as const;
  const text = (sum: Checksum): string =>
    formatResult(request.format, { cnt: sum.rows, chksum: checksumText(sum) });
  const result = { source: text(sums[0]), dest: text(sums[1]), sums };
  const numbers = differing(theirs, ours);
  if (numbers.length === 0) return { ...result, equal: true };
  const rows = rowsIn(numbers, theirs, ours);
  const most = Math.max(Number(sums[0].rows), Number(sums[1].rows), 1);
  return {
    ...result,
    equal: false,
    found: { buckets, numbers, rows, share: Number(rows) / most },
  };
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
