/** Compares tables of this node with those of the provider, all at one moment, and keeps the results. */
import { openSession, type Session } from '../db/session.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { checkConditions } from './check-conditions.ts';
import type { CompareContext } from './compare-context.ts';
import { compareOne, type TableComparison, type TableRequest } from './compare-one.ts';
import type { Differences } from './find-differences.ts';
import { reachLockedMoment } from './locked-moment.ts';
import { type Moment, reachMoment } from './moment.ts';
import { RangeRecord } from './range-record.ts';
import { needRunLock } from './run-lock.ts';
import { type FinishedTable, type RunRecord, type RunResult, startRun } from './run-record.ts';
import { type Candidate, type Choice, chooseTables, readSubject, type Subject } from './subject.ts';

/** What to compare, and how. */
export interface CompareRequest extends TableRequest {
  /** Names or patterns; none: all local tables. */
  readonly tables: readonly string[];
  /** Compare even if the worker does not reach the moment. */
  readonly force: boolean;
  /** Further conditions over the provider's columns. */
  readonly conditions?: readonly string[] | undefined;
  /** Called with the moment still open, for every table with differing rows. */
  readonly onDifferent?:
    | ((subject: Subject, moment: Moment, found: Differences) => Promise<void>)
    | undefined;
  /** Called when all tables are compared, before the run is finished. */
  readonly after?: ((run: RunRecord, tables: readonly TableComparison[]) => Promise<RunResult>) | undefined;
}

/** Results, and what could not be compared. */
export interface CompareOutcome {
  readonly runId: bigint | null;
  readonly tables: readonly TableComparison[];
  readonly refused: Choice['refused'];
  /** Null when nothing was compared in this process. */
  readonly tick: bigint | null;
  readonly exact: boolean;
}

/**
 * Compare.
 * @throws KajaError busy while another run of this node is under way; state-refused (exit code 2) when the worker does not reach
 * the moment; others of the servers
 */
export async function compareTables(
  context: CompareContext,
  verb: 'compare' | 'repair',
  request: CompareRequest,
): Promise<CompareOutcome> {
  await using here = await openSession(context.location, {
    purpose: 'admin',
    applicationName: context.applicationName,
    signal: context.signal,
  });
  if (!context.locked) await needRunLock(here, context.queue);
  const { candidates, refused } = await chooseTables(context, here, request.tables);
  if (candidates.length === 0) return { runId: null, tables: [], refused, tick: null, exact: false };
  await checkConditions(context, candidates, request.conditions ?? []);
  const { run, done } = await startRun(here, planOf(context, verb, request), request.resume);
  try {
    const outcome = await compareAll(context, request, here, run, done, candidates);
    const all = { ...outcome, runId: run.id, refused: [...refused, ...outcome.refused] };
    for (const { tableName, reason } of refused) await run.skipped(tableName, tableName, reason);
    await run.finish((await request.after?.(run, all.tables)) ?? resultOf(all));
    return all;
  } catch (error) {
    await run.fail(error);
    throw error;
  }
}

/** Different beats not comparable: it is known. */
export function resultOf({
  tables,
  refused,
}: Pick<CompareOutcome, 'tables' | 'refused'>): 'equal' | 'different' | 'not comparable' {
  if (tables.some((table) => !table.equal)) return 'different';
  return tables.length === 0 || refused.length > 0 ? 'not comparable' : 'equal';
}

const planOf = (
  context: CompareContext,
  kind: 'compare' | 'repair',
  request: CompareRequest,
): Parameters<typeof startRun>[1] => ({
  queue: context.queue,
  node: context.nodeName,
  source: context.providerNode,
  kind,
  startedBy: context.startedBy,
  request: {
    tables: request.tables,
    count_only: request.countOnly,
    exact: context.exact,
    sql: request.sql,
    conditions: request.conditions ?? [],
  },
});

async function compareAll(
  context: CompareContext,
  request: CompareRequest,
  session: Session,
  run: RunRecord,
  done: readonly FinishedTable[],
  candidates: readonly Candidate[],
): Promise<Omit<CompareOutcome, 'runId'>> {
  const { log } = context;
  const tables: TableComparison[] = [];
  for (const one of done) {
    log.info(`${one.destName}: compared before this run was stopped: ${one.source} / ${one.dest}`);
    tables.push(fromHistory(one));
  }
  const left = candidates.filter((one) => !done.some((table) => table.tableName === one.tableName));
  const refused: { tableName: string; reason: string }[] = [];
  if (left.length === 0) return { tables, refused, tick: null, exact: true };
  // A lock is held for one table at a time.
  const groups = context.lock ? left.map((one) => [one]) : [left];
  let last: { tick: bigint; exact: boolean } = { tick: 0n, exact: true };
  for (const group of groups) {
    const moment = await (context.lock ? reachLockedMoment : reachMoment)(context, {
      tables: group.map((candidate) => candidate.tableName),
      readers: context.jobs,
      readersHere: context.jobs,
      keep: false,
      force: request.force,
    });
    try {
      const { tick, exact } = moment;
      last = { tick, exact: exact && last.exact };
      await run.moment(tick, last.exact, moment.stoodMs());
      for (const candidate of group) {
        const record = await RangeRecord.open(session, run.id, candidate.tableName, tick);
        const result = await compareCandidate(context, request, moment, candidate, record);
        if (typeof result === 'string') {
          refused.push({ tableName: candidate.tableName, reason: result });
          await run.skipped(candidate.tableName, candidate.destName, result);
        } else {
          tables.push(result);
          await run.table(result, tick);
          await record.clear();
        }
        failpoint('table-compared');
      }
    } finally {
      await moment.close();
    }
  }
  return { tables, refused, ...last };
}

/** @returns the result, or why there is none */
async function compareCandidate(
  context: CompareContext,
  request: CompareRequest,
  moment: Moment,
  candidate: Candidate,
  record: RangeRecord,
): Promise<TableComparison | string> {
  context.log.info(`${candidate.tableName}: Using node ${context.providerNode} as provider`);
  const [provider, here] = [moment.provider[0] as Session, moment.here[0] as Session];
  const subject = await readSubject(context, candidate, provider, here, request.conditions ?? []);
  if (typeof subject === 'string') return subject;
  const result = await compareOne(context, request, moment, subject, record);
  if (result.differences) await request.onDifferent?.(subject, moment, result.differences);
  return result;
}

const fromHistory = ({ missing, extra, different, ...one }: FinishedTable): TableComparison => ({
  ...one,
  differences:
    missing === null || extra === null || different === null ? null : { missing, extra, different },
  samples: [],
  seconds: 0,
  resumed: null,
});
