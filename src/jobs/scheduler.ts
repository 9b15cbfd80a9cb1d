/** Starts the jobs of a node at their times, beside its worker. */
import { isDeepStrictEqual } from 'node:util';
import { createCalendar } from '../config/cron-calendar.ts';
import { callRet } from '../db/ret-code.ts';
import { openSession, type Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import type { Log } from '../log/logger.ts';
import { createBackoff } from '../runtime/backoff.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { type DueTime, followSchedule } from '../runtime/follow-schedule.ts';
import type { Service } from '../runtime/service.ts';
import { runFailureCommand } from './failure-command.ts';
import { type JobStart, type RunningJob, startJobProcess } from './job-process.ts';
import { forgetSchedule, noFacts, noteSchedule, recordTime } from './job-record.ts';
import type { JobSettings } from './job-settings.ts';
import { localTime, zoneOf } from './job-times.ts';
import { COMPARE_JOB, failureFacts } from './run-job.ts';

/** What tests replace. */
export interface SchedulerParts {
  readonly clock?: Clock | undefined;
  readonly start?: ((start: JobStart) => RunningJob) | undefined;
}

/** A service whose settings may change while it runs; a run that is going on ends as it began. */
export class JobScheduler implements Service {
  readonly name: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #start: (start: JobStart) => RunningJob;
  #settings: JobSettings;
  #round = new AbortController();
  #takenAway = false;
  #running: { readonly job: RunningJob; readonly done: Promise<void> } | undefined;

  constructor(settings: JobSettings, log: Log, parts: SchedulerParts = {}) {
    this.name = `jobs of ${settings.consumer}`;
    this.#settings = settings;
    this.#log = log;
    this.#clock = parts.clock ?? systemClock;
    this.#start = parts.start ?? startJobProcess;
  }

  /** Take other settings: what SIGHUP does. */
  reload(settings: JobSettings): void {
    if (isDeepStrictEqual(settings, this.#settings)) return;
    if (settings.schedule === '' && this.#settings.schedule !== '') this.#takenAway = true;
    this.#settings = settings;
    this.#round.abort();
  }

  /** Run until the signal aborts; a run that is going on is ended and awaited. What goes wrong is logged: the worker goes on. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#round = new AbortController();
      const round = AbortSignal.any([signal, this.#round.signal]);
      const settings = this.#settings;
      if (this.#takenAway && settings.schedule === '') await this.#forgetSchedule(settings);
      this.#takenAway = false;
      const sinceMs = settings.schedule === '' ? undefined : await this.#noteSchedule(settings, round);
      if (sinceMs === undefined) await aborted(round);
      else await this.#follow(settings, sinceMs, signal, round);
    }
    await this.#running?.done;
  }

  async #follow(
    settings: JobSettings,
    sinceMs: number,
    signal: AbortSignal,
    round: AbortSignal,
  ): Promise<void> {
    const { schedule, timezone } = settings;
    const calendar = createCalendar(schedule, timezone);
    const next = calendar.next(Math.max(sinceMs, this.#clock.now()));
    const when = next === undefined ? 'never' : localTime(next, timezone);
    this.#log.info(`job ${COMPARE_JOB} is scheduled: ${schedule}, ${zoneOf(timezone)}, next at ${when}`);
    await followSchedule({
      calendar,
      sinceMs,
      clock: this.#clock,
      signal: round,
      onDue: (due) => this.#onDue(settings, due, signal),
    });
  }

  async #onDue(settings: JobSettings, due: DueTime, signal: AbortSignal): Promise<void> {
    const { timezone, missed } = settings;
    const time = localTime(due.dueMs, timezone);
    if (this.#running) {
      this.#log.warn(`job ${COMPARE_JOB} of ${time} is skipped: the run before is still going on`);
      this.#running.job.skipped();
      return;
    }
    if (due.late && missed === 'skip') {
      const reason = 'no worker was there to start it';
      this.#log.warn(`job ${COMPARE_JOB} of ${time} was missed: ${reason}`);
      await this.#record(settings, due.dueMs, 'missed', reason);
      return;
    }
    if (due.late) this.#log.warn(`job ${COMPARE_JOB} of ${time} was missed or cut short, it runs now`);
    const job = this.#start({
      configFile: settings.configFile,
      overrides: settings.overrides,
      dueMs: due.dueMs,
      log: this.#log,
      signal,
    });
    const done = this.#awaitEnd(settings, due.dueMs, job, signal).finally(() => {
      this.#running = undefined;
    });
    this.#running = { job, done };
  }

  /** A run stores itself how it ended, unless its process died. */
  async #awaitEnd(settings: JobSettings, dueMs: number, job: RunningJob, signal: AbortSignal): Promise<void> {
    const problem = await job.ended;
    if (problem === undefined) return;
    this.#log.error(`job ${COMPARE_JOB} failed: ${problem}`);
    await this.#record(settings, dueMs, 'failed', problem);
    await runFailureCommand({
      command: settings.onFailure,
      facts: {
        ...failureFacts(settings.configFile, settings.queue, noFacts('failed', problem)),
        STARTED_BY: 'schedule',
      },
      log: this.#log,
      signal,
    });
  }

  /** @returns up to when times are done; undefined: stopped, or this node has no jobs */
  async #noteSchedule(settings: JobSettings, signal: AbortSignal): Promise<number | undefined> {
    const { queue, schedule, timezone, missed, exceptionSleepMs } = settings;
    const backoff = createBackoff({ minMs: 1000, maxMs: Math.max(exceptionSleepMs, 1) });
    while (!signal.aborted) {
      try {
        await using session = await this.#open(settings, signal);
        const [node] = await callRet<{ node_type: string }>(session, 'pgq_node.get_node_info', [queue]);
        if (node?.node_type === 'root') {
          this.#log.warn(
            `compare_schedule has no effect: this node is the root, subscribers compare with it`,
          );
          return undefined;
        }
        const plan = { queue, job: COMPARE_JOB, schedule, timezone };
        return await noteSchedule(session, plan, this.#clock.now(), missed === 'run');
      } catch (error) {
        if (signal.aborted) return undefined;
        const pauseMs = backoff.next();
        this.#log.warn(`jobs cannot start yet: ${errorLine(error)} (next attempt in ${pauseMs / 1000}s)`);
        await this.#clock.sleep(pauseMs, signal);
      }
    }
    return undefined;
  }

  async #forgetSchedule(settings: JobSettings): Promise<void> {
    this.#log.info(`job ${COMPARE_JOB} is not scheduled any more`);
    try {
      await using session = await this.#open(settings);
      await forgetSchedule(session, settings.queue, COMPARE_JOB);
    } catch (error) {
      this.#log.debug(`jobs: the schedule could not be forgotten: ${errorLine(error)}`);
    }
  }

  async #record(
    settings: JobSettings,
    dueMs: number,
    result: 'missed' | 'failed',
    reason: string,
  ): Promise<void> {
    const { queue } = settings;
    try {
      await using session = await this.#open(settings);
      await recordTime(session, { queue, job: COMPARE_JOB, startedBy: 'schedule', dueMs }, result, reason);
    } catch (error) {
      this.#log.warn(`job ${COMPARE_JOB}: its end could not be stored: ${errorLine(error)}`);
    }
  }

  #open(settings: JobSettings, signal?: AbortSignal): Promise<Session> {
    return openSession(settings.location, {
      purpose: 'admin',
      applicationName: `kaja ${settings.consumer} jobs`,
      signal,
    });
  }
}

/** Run a worker and the jobs of its node; when the worker ends, they do. */
export const withJobs = (worker: Service, jobs: Service): Service => ({
  name: worker.name,
  run: async (signal) => {
    const over = new AbortController();
    const both = await Promise.allSettled([
      worker.run(signal).finally(() => over.abort()),
      jobs.run(AbortSignal.any([signal, over.signal])),
    ]);
    const failed = both.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  },
});

/** Read the settings again; wrong ones stay unread: the worker's own reload says so. */
export function reloadJobs(jobs: JobScheduler, read: () => JobSettings): void {
  try {
    jobs.reload(read());
  } catch {
    // said already
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
