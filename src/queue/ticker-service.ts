/** The ticker daemon: finds the databases, serves each on its own, tells what was done. */
import { errorLine } from '../errors/error-line.ts';
import type { Log } from '../log/logger.ts';
import { runLoop } from '../runtime/loop.ts';
import type { Service } from '../runtime/service.ts';
import { sleep } from '../runtime/sleep.ts';
import { createDatabaseTicker, type TickerStats } from './database-ticker.ts';
import { listDatabases, type TickerDatabase } from './list-databases.ts';
import type { TickerSettings } from './ticker-settings.ts';

interface Child {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Make the service. A database that fails never stops the others; one that cannot be served is looked at again each check_period.
 * @param settings from the ini
 * @param log lines about one database carry its name
 */
export function createTicker(settings: TickerSettings, log: Log): Service {
  return { name: 'ticker', run: (signal) => new TickerService(settings, log).run(signal) };
}

class TickerService {
  readonly #settings: TickerSettings;
  readonly #log: Log;
  readonly #children = new Map<string, Child>();
  readonly #broken = new AbortController();
  readonly #stats: TickerStats = { ticks: 0, maint: 0, retry: 0 };
  #failure: { error: unknown } | undefined;

  constructor(settings: TickerSettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
  }

  async run(outer: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([outer, this.#broken.signal]);
    const done = new AbortController();
    const reporting = this.#report(AbortSignal.any([signal, done.signal]));
    try {
      await runLoop({
        name: 'list of databases',
        signal,
        log: this.#log,
        idleMs: this.#settings.checkPeriodMs,
        maxBackoffMs: this.#settings.exceptionSleepMs,
        runOnce: async () => {
          this.#adjust(await listDatabases(this.#settings, signal));
          return 'idle';
        },
      });
    } finally {
      done.abort();
      for (const child of this.#children.values()) child.stop.abort();
      await Promise.all([reporting, ...[...this.#children.values()].map((child) => child.ended)]);
    }
    if (this.#failure) throw this.#failure.error;
  }

  #adjust(databases: readonly TickerDatabase[]): void {
    const wanted = new Map(databases.map((database) => [database.name, database]));
    for (const [name, child] of this.#children) {
      if (wanted.has(name)) continue;
      this.#log.info(`Unregister database: ${name}`);
      child.stop.abort();
    }
    for (const [name, database] of wanted) {
      if (!this.#children.has(name)) this.#children.set(name, this.#start(database));
    }
  }

  #start(database: TickerDatabase): Child {
    const log = this.#log.child({ job: database.name });
    const stop = new AbortController();
    const service = createDatabaseTicker(database, this.#settings, log, this.#stats);
    const ended = service.run(stop.signal).then(
      () => {
        this.#children.delete(database.name);
      },
      (error: unknown) => {
        // The next check_period starts it again.
        this.#children.delete(database.name);
        log.error(errorLine(error));
        if (this.#settings.tickerSchedule && this.#settings.onFailure === 'stop') {
          this.#failure ??= { error };
          this.#broken.abort();
        }
      },
    );
    return { stop, ended };
  }

  async #report(signal: AbortSignal): Promise<void> {
    const stats = this.#stats;
    for (;;) {
      await sleep(this.#settings.statsPeriodMs, signal);
      if (signal.aborted) return;
      this.#log.info(`{ticks: ${stats.ticks}, maint: ${stats.maint}, retry: ${stats.retry}}`);
      Object.assign(stats, { ticks: 0, maint: 0, retry: 0 });
    }
  }
}
