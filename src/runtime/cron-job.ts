/** Calendar work as a service: scheduled ticks. */
import { createCalendar } from '../config/cron-calendar.ts';
import { isCronExpression, isTimezone } from '../config/cron-syntax.ts';
import { errorLine } from '../errors/error-line.ts';
import { ConfigError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { type Clock, systemClock } from './clock.ts';
import { followSchedule } from './follow-schedule.ts';
import type { Service } from './service.ts';

/** One piece of calendar work. */
export interface CronJobOptions {
  readonly name: string;
  /** Five fields, or six with seconds first. */
  readonly schedule: string;
  /** Time zone name such as `Europe/Tallinn`; empty = the host's. */
  readonly timezone?: string | undefined;
  /** The work; gets the stop signal. A run that is due while the last one still works is skipped. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  readonly log: Log;
  /** `log`: a failed run is logged and the next one comes. `stop`: it ends the service. Default `log`. */
  readonly onFailure?: 'log' | 'stop' | undefined;
  readonly clock?: Clock | undefined;
}

/** Refuse a schedule or a time zone that does not exist. */
export function checkSchedule(schedule: string, timezone?: string): void {
  if (!isCronExpression(schedule)) {
    throw new ConfigError(`schedule "${schedule}" is not understood`, {
      hint: 'write five cron fields, or six with seconds first',
    });
  }
  if (timezone && !isTimezone(timezone)) throw new ConfigError(`time zone "${timezone}" is not known`);
}

/**
 * Make a service that runs the work at the times of its schedule until it is stopped; the run in hand is awaited.
 * @throws ConfigError for a wrong schedule or time zone
 */
export function createCronJob(options: CronJobOptions): Service {
  const { name, schedule, timezone, log, clock = systemClock } = options;
  checkSchedule(schedule, timezone);
  const calendar = createCalendar(schedule, timezone);
  return {
    name,
    run: async (signal) => {
      const failed = new AbortController();
      let running: Promise<void> | undefined;
      let failure: { error: unknown } | undefined;
      const work = async (): Promise<void> => {
        try {
          log.debug(`${name}: due`);
          await options.run(signal);
        } catch (error) {
          if (signal.aborted) return;
          log.error(`${name}: ${errorLine(error)}`);
          if (options.onFailure !== 'stop') return;
          failure = { error };
          failed.abort();
        } finally {
          running = undefined;
        }
      };
      await followSchedule({
        calendar,
        sinceMs: clock.now(),
        clock,
        signal: AbortSignal.any([signal, failed.signal]),
        onDue: () => {
          if (running) log.warn(`${name}: still running, this time is left out`);
          else running = work();
        },
      });
      await running;
      if (failure) throw failure.error;
    },
  };
}
