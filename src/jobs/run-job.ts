/** One run of a job: takes the lock, compares or repairs, keeps how it ended, tells the log and the user's command. */
import { hostname } from 'node:os';
import { waitForTick } from '../cascade/wait-for-tick.ts';
import { type CompareContext, findProvider } from '../compare/compare-context.ts';
import { workerRuns } from '../compare/hold.ts';
import { busyError, takeRunLock } from '../compare/run-lock.ts';
import { openSession, type Session } from '../db/session.ts';
import { EXIT } from '../errors/codes.ts';
import { errorLine, exitCodeOf } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { retryPolicyOf } from '../errors/retry-policy.ts';
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
import { type CompareJob, compareAll, repairAll } from './job-work.ts';

/** The only job there is. */
export const COMPARE_JOB = 'compare';

/** A worker that catches up, after a night without it perhaps, is waited for so long. */
const CATCH_UP_MS = 3_600_000;
/** A worker that is being started has so much time to come. */
const WORKER_START_MS = 60_000;
const POLL_MS = 250;
/** A server that restarted is waited for so long, to store how a run ended. */
const KEEP_MS = 60_000;

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
  if (signal.aborted) return { facts: null, exitCode: EXIT.done };
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
  tellEnd(job, facts, (Date.now() - began) / 1000);
  await keep(job, own, run.id, facts);
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

/** Store the end; where the server has cut the connection, on others until it is back or a minute is over. Never throws. */
async function keep(job: CompareJob, own: Session, id: bigint, facts: JobFacts): Promise<void> {
  const { location, consumer, log, signal } = job.settings;
  const deadline = Date.now() + KEEP_MS;
  for (;;) {
    try {
      if (!own.closed) return await finishRun(own, id, facts);
      await using again = await openSession(location, {
        purpose: 'admin',
        applicationName: `kaja ${consumer} job compare`,
      });
      return await finishRun(again, id, facts);
    } catch (error) {
      if (signal.aborted || Date.now() > deadline || retryPolicyOf(error) !== 'timed') {
        log.warn(`job compare: its end could not be stored: ${errorLine(error)}`);
        return;
      }
    }
    await sleep(1000, signal);
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
