/** Calendar work as a service: compare schedules, nightly maintenance. */
import nodeCron from 'node-cron';
import { isCronExpression } from '../config/cron-syntax.ts';
import { errorLine } from '../errors/error-line.ts';
import { ConfigError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
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
}

/** Refuse a schedule or a time zone that does not exist. */
export function checkSchedule(schedule: string, timezone?: string): void {
  if (!isCronExpression(schedule)) {
    throw new ConfigError(`schedule "${schedule}" is not understood`, {
      hint: 'write five cron fields, or six with seconds first',
    });
  }
  try {
    if (timezone) new Intl.DateTimeFormat('en-US', { timeZone: timezone });
  } catch (error) {
    throw new ConfigError(`time zone "${timezone}" is not known`, { cause: error });
  }
}

/**
 * Make a service that runs the work at the times of its schedule until it is stopped; the run in hand is awaited.
 * @throws ConfigError for a wrong schedule or time zone
 */
export function createCronJob(options: CronJobOptions): Service {
  const { name, schedule, timezone, log } = options;
  checkSchedule(schedule, timezone);
  return {
    name,
    run: (signal) =>
      new Promise((resolve, reject) => {
        let running: Promise<void> = Promise.resolve();
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
            void end();
          }
        };
        const task = nodeCron.createTask(
          schedule,
          () => {
            running = work();
            return running;
          },
          {
            name,
            noOverlap: true,
            ...(timezone ? { timezone } : {}),
            logger: {
              info: (text) => log.debug(`${name}: ${text}`),
              warn: (text) => log.warn(`${name}: ${text}`),
              error: (text) => log.error(`${name}: ${String(text)}`),
              debug: (text) => log.trace(`${name}: ${String(text)}`),
            },
          },
        );
        const end = async (): Promise<void> => {
          signal.removeEventListener('abort', onAbort);
          await task.destroy();
          await running;
          if (failure) reject(failure.error as Error);
          else resolve();
        };
        const onAbort = (): void => void end();
        if (signal.aborted) {
          void end();
          return;
        }
        signal.addEventListener('abort', onAbort, { once: true });
        void task.start();
      }),
  };
}
