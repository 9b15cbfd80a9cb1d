/** One run of a job: takes the lock, compares or repairs, keeps how it ended, tells the log and the user's command. */
import { hostname } from 'node:os';
import type { NodeSettings } from '../cascade/node-settings.ts';
import { waitForTick } from '../cascade/wait-for-tick.ts';
import { type CompareContext, type CompareSettings, findProvider } from '../compare/compare-context.ts';
import { compareTables, resultOf } from '../compare/compare-tables.ts';
import { differenceCount } from '../compare/find-differences.ts';
import { workerRuns } from '../compare/hold.ts';
import { repairTables } from '../compare/repair-tables.ts';
import { busyError, takeRunLock } from '../compare/run-lock.ts';
import { openSession, type Session } from '../db/session.ts';
import { EXIT } from '../errors/codes.ts';
import { errorLine, exitCodeOf } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { sleep } from '../runtime/sleep.ts';
import { runFailureCommand } from './failure-command.ts';
import {
  beginRun,
  countSkipped,
  endDeadRuns,
  finishRun,
  type JobFacts,
  noFacts,
  recordTime,
} from './job-record.ts';

/** The only job there is. */
export const COMPARE_JOB = 'compare';

/** Rows changed in one transaction. */
const BATCH_ROWS = 5000;
/** A worker that catches up, after a night without it perhaps, is waited for so long. */
const CATCH_UP_MS = 3_600_000;
/** A worker that is being started has so much time to come. */
const WORKER_START_MS = 60_000;
const POLL_MS = 250;

/** The ini's keys about the job, and what is needed to run it. */
export interface CompareJob {
  readonly settings: CompareSettings;
  readonly node: NodeSettings;
  readonly configFile: string;
  readonly tables: readonly string[];
  /** compare_sql and compare_fmt. */
  readonly sql: string;
  readonly format: string;
  readonly autoRepair: boolean;
  readonly deleteExtra: boolean;
  /** 0: any number. */
  readonly maxRows: number;
  readonly onFailure: string;
  /** Time of the schedule, milliseconds since 1970; null: started by hand or cron. */
  readonly dueMs: number | null;
  /** Called once with what counts a skipped time of the schedule. */
  readonly onSkippable?: ((skip: () => Promise<void>) => void) | undefined;
}

/** How a run ended, for who started it. */
export interface JobEnd {
  /** Null: somebody else does the run of this time. */
  readonly facts: JobFacts | null;
  readonly exitCode: number;
}

const EXIT_CODES: Partial<Record<JobFacts['result'], number>> = {
  equal: 0,
  repaired: 0,
  different: 1,
  'not comparable': 2,
};

/**
 * Run the job. What goes wrong in it is kept and logged, not thrown; exit code 7 while another comparison or repair of the node runs.
 * @throws KajaError only where it cannot be kept: this node is not reached
 */
export async function runCompareJob(job: CompareJob): Promise<JobEnd> {
  const { settings, dueMs } = job;
  const { log, queue, signal, startedBy } = settings;
  const time = { queue, job: COMPARE_JOB, startedBy, dueMs };
  // Without the stop signal: how the run ended is stored after that, too.
  await using own = await openSession(settings.location, {
    purpose: 'admin',
    applicationName: `kaja ${settings.consumer} job compare`,
  });
  if (!(await takeRunLock(own, queue))) {
    const error = await busyError(own, queue);
    const told = dueMs === null || (await recordTime(own, { ...time, dueMs }, 'skipped', error.message));
    // Another worker of this node may have been faster with the same time.
    if (!told) return { facts: null, exitCode: EXIT.done };
    log.warn(`job compare is skipped: ${errorLine(error)}`);
    return { facts: noFacts('skipped', error.message), exitCode: error.exitCode };
  }
  await endDeadRuns(own, queue, true);
  const run = await beginRun(own, time, hostname());
  if (!run) {
    log.debug('job compare: the run of this time was done by another process');
    return { facts: null, exitCode: EXIT.done };
  }
  job.onSkippable?.(() => countSkipped(own, run.id));
  log.info(`job compare started by ${startedBy}${run.attempts > 1 ? `, attempt ${run.attempts}` : ''}`);
  const began = Date.now();
  let context: CompareContext | undefined;
  let facts: JobFacts;
  let exitCode: number;
  try {
    context = { ...(await findProvider({ ...settings, locked: true }, 'job compare')) };
    await catchUp(job, own);
    facts = await (job.autoRepair ? repairAll(job, context) : compareAll(job, context, run.attempts > 1));
    exitCode = EXIT_CODES[facts.result] ?? 1;
  } catch (error) {
    facts = signal.aborted
      ? noFacts('interrupted', 'stopped on request')
      : noFacts('failed', errorLine(error));
    exitCode = exitCodeOf(error);
  }
  await keep(job, own, run.id, facts);
  tellEnd(job, facts, (Date.now() - began) / 1000);
  if (facts.result !== 'equal' && facts.result !== 'interrupted') {
    const names = { NODE: context?.nodeName ?? '', SOURCE: context?.providerNode ?? '' };
    await runFailureCommand({
      command: job.onFailure,
      facts: {
        ...failureFacts(job.configFile, queue, facts),
        ...names,
        STARTED_BY: startedBy,
        STARTED_AT: new Date(began).toISOString(),
      },
      log,
      signal,
    });
  }
  return { facts, exitCode };
}

/** What the user's command learns of a run. */
export const failureFacts = (
  configFile: string,
  queue: string,
  facts: JobFacts,
): Readonly<Record<string, string>> => ({
  '': COMPARE_JOB,
  RESULT: facts.result,
  REASON: facts.reason ?? '',
  TABLES: facts.different.join(','),
  DIFFERENT_ROWS: facts.differentRows === null ? '' : String(facts.differentRows),
  REPAIRED_ROWS: String(facts.repairedRows),
  RUN: facts.compareRunId === null ? '' : String(facts.compareRunId),
  QUEUE: queue,
  CONFIG: configFile,
});

/** Nobody wants a comparison to fail because the worker is still on its way; waiting here holds nothing. */
async function catchUp(job: CompareJob, own: Session): Promise<void> {
  const { queue, consumer, signal, startedBy, log } = job.settings;
  const deadline = Date.now() + (startedBy === 'schedule' ? WORKER_START_MS : 0);
  while (!(await workerRuns(own, queue, consumer))) {
    if (Date.now() >= deadline) return; // the comparison says so
    await sleep(POLL_MS, signal);
    if (signal.aborted) throw new KajaError('aborted', 'stopped on request', { cause: signal.reason });
  }
  const quiet = log.isLevelEnabled('debug') ? log : log.child({}, { level: 'warn' });
  await waitForTick({ settings: job.node, upTo: 'root', timeoutMs: CATCH_UP_MS, log: quiet, signal });
}

async function compareAll(job: CompareJob, context: CompareContext, resume: boolean): Promise<JobFacts> {
  const outcome = await compareTables(quietly(context), 'compare', {
    tables: job.tables,
    countOnly: false,
    sql: job.sql,
    format: job.format,
    force: false,
    resume,
    show: 0,
  });
  const differing = outcome.tables.filter((one) => !one.equal);
  const rows = differing.map((one) => one.differences && differenceCount(one.differences));
  return {
    result: resultOf(outcome),
    reason: reasonOf(outcome.refused),
    tables: outcome.tables.length,
    different: differing.map((one) => one.destName),
    differentRows: rows.reduce<bigint | null>(
      (sum, one) => (sum === null || one === null ? null : sum + one),
      0n,
    ),
    repairedRows: 0n,
    compareRunId: outcome.runId,
  };
}

async function repairAll(job: CompareJob, context: CompareContext): Promise<JobFacts> {
  const { outcome, repairs } = await repairTables(quietly(context), {
    tables: job.tables,
    apply: true,
    where: null,
    deleteExtra: job.deleteExtra,
    maxRows: job.maxRows === 0 ? null : job.maxRows,
    batchRows: BATCH_ROWS,
    directory: process.cwd(),
  });
  const differing = outcome.tables.filter((one) => !one.equal);
  const repaired = repairs.reduce((sum, one) => sum + one.inserts + one.updates + one.deletes, 0);
  const found = resultOf(outcome);
  const left = repairs.some((one) => one.remaining > 0);
  const mended = outcome.refused.length > 0 ? 'not comparable' : 'repaired';
  return {
    result: found === 'different' && !left ? mended : found,
    reason: reasonOf(outcome.refused),
    tables: outcome.tables.length,
    different: differing.map((one) => one.destName),
    differentRows: differing.reduce(
      (sum, one) => sum + (one.differences ? differenceCount(one.differences) : 0n),
      0n,
    ),
    repairedRows: BigInt(repaired),
    compareRunId: outcome.runId,
  };
}

/** A job says that it began and how it ended; the rest is for -v. */
const quietly = (context: CompareContext): CompareContext =>
  context.log.isLevelEnabled('debug')
    ? context
    : { ...context, log: context.log.child({}, { level: 'warn' }) };

function reasonOf(
  refused: readonly { readonly tableName: string; readonly reason: string }[],
): string | null {
  const [first, ...others] = refused;
  if (!first) return null;
  return `${first.tableName}: ${first.reason}${others.length > 0 ? `, and ${others.length} more` : ''}`;
}

/** Store the end, on another connection if the server has cut this one. Never throws. */
async function keep(job: CompareJob, own: Session, id: bigint, facts: JobFacts): Promise<void> {
  try {
    if (!own.closed) return await finishRun(own, id, facts);
    await using again = await openSession(job.settings.location, {
      purpose: 'admin',
      applicationName: `kaja ${job.settings.consumer} job compare`,
    });
    await finishRun(again, id, facts);
  } catch (error) {
    job.settings.log.warn(`job compare: its end could not be stored: ${errorLine(error)}`);
  }
}

function tellEnd({ settings: { log } }: CompareJob, facts: JobFacts, seconds: number): void {
  const why = facts.reason === null ? '' : `: ${facts.reason}`;
  const time = `${seconds.toFixed(1)} s`;
  const rows = facts.differentRows ?? 'unknown';
  const where = facts.different.join(', ');
  switch (facts.result) {
    case 'equal':
      log.info(`job compare ended: ${facts.tables} tables equal, ${time}`);
      break;
    case 'different':
      log.warn(
        `job compare ended: different: ${rows} rows in ${where}${facts.repairedRows > 0n ? `, ${facts.repairedRows} repaired` : ''}, ${time}${why}`,
      );
      break;
    case 'repaired':
      log.warn(
        `job compare ended: repaired ${facts.repairedRows} of ${rows} differing rows in ${where}, ${time}`,
      );
      break;
    case 'failed':
      log.error(`job compare failed after ${time}${why}`);
      break;
    default:
      log.warn(`job compare ended: ${facts.result}, ${time}${why}`);
  }
}
