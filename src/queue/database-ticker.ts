/** Serves one database: ticks, retried events and maintenance side by side. */
import type { Session } from '../db/session.ts';
import type { Log } from '../log/logger.ts';
import { createCronJob } from '../runtime/cron-job.ts';
import { type LoopAnswer, runLoop } from '../runtime/loop.ts';
import type { Service } from '../runtime/service.ts';
import { supervise } from '../runtime/supervise.ts';
import { createGate } from './gate.ts';
import type { TickerDatabase } from './list-databases.ts';
import { moveRetryEvents, openMaintenanceSession, runMaintenance } from './maintenance.ts';
import { pollPeriod } from './poll-period.ts';
import { Ticker } from './ticker.ts';
import type { TickerSettings } from './ticker-settings.ts';

/** What was done since the last line of statistics. */
export interface TickerStats {
  /** Ticks stored. */
  ticks: number;
  /** Maintenance rounds without failure. */
  maint: number;
  /** Events moved from the retry queue. */
  retry: number;
}

/** After a request to stop, a statement in hand has this long before it is cancelled, and before its connection is dropped. */
const CANCEL_AFTER_MS = 1_000;
const DROP_AFTER_MS = 2_000;

/**
 * Make the service of one database. It lives through every failure that waiting may cure.
 * @param stats counted up
 */
export function createDatabaseTicker(
  database: TickerDatabase,
  settings: TickerSettings,
  log: Log,
  stats: TickerStats,
): Service {
  return {
    name: database.name,
    run: (signal) => new DatabaseTicker(database, settings, log, stats).run(signal),
  };
}

class DatabaseTicker {
  readonly #database: TickerDatabase;
  readonly #settings: TickerSettings;
  readonly #log: Log;
  readonly #stats: TickerStats;
  readonly #usable = createGate();
  readonly #kill = new AbortController();
  readonly #sessions = new Set<Session>();
  readonly #ticker: Ticker;

  constructor(database: TickerDatabase, settings: TickerSettings, log: Log, stats: TickerStats) {
    this.#database = database;
    this.#settings = settings;
    this.#log = log;
    this.#stats = stats;
    this.#ticker = new Ticker(database, log, {
      connectionLifetimeMs: settings.connectionLifetimeMs,
      signal: this.#kill.signal,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const timers: NodeJS.Timeout[] = [];
    const onStop = (): void => {
      timers.push(
        setTimeout(() => this.#kill.abort(new Error('the ticker stops')), CANCEL_AFTER_MS),
        setTimeout(() => this.#dropConnections(), DROP_AFTER_MS),
      );
    };
    if (signal.aborted) return;
    signal.addEventListener('abort', onStop, { once: true });
    try {
      const services = [
        ...(this.#settings.tickerSchedule ? this.#scheduledTicks() : [this.#steadyTicks()]),
        this.#period('maintenance', this.#settings.maintPeriodMs, (session) => this.#maintain(session)),
        this.#period('retry', this.#settings.retryPeriodMs, (session) => this.#retry(session)),
      ];
      await supervise(services, { signal, log: this.#log });
    } finally {
      signal.removeEventListener('abort', onStop);
      await this.#ticker.close();
      for (const timer of timers) clearTimeout(timer);
    }
  }

  #dropConnections(): void {
    this.#ticker.destroy();
    for (const session of this.#sessions) session.destroy(new Error('the ticker stops'));
  }

  #loop(name: string, runOnce: (signal: AbortSignal) => Promise<LoopAnswer>): Service {
    return {
      name,
      run: (signal) =>
        runLoop({
          name,
          signal,
          log: this.#log,
          idleMs: this.#settings.checkPeriodMs,
          maxBackoffMs: this.#settings.exceptionSleepMs,
          runOnce,
        }),
    };
  }

  #steadyTicks(): Service {
    const { tickerMinPeriodMs, tickerMaxPeriodMs, tickerPeriodMs, checkPeriodMs } = this.#settings;
    let waitMs = 0;
    let foundAt = performance.now();
    return this.#loop('ticker', async () => {
      const result = await this.#ticker.tick();
      this.#usable.set(result.usable);
      if (!result.usable) return { waitMs: checkPeriodMs };
      this.#stats.ticks += result.ticks;
      if (!result.polls) return { waitMs: tickerPeriodMs };
      const now = performance.now();
      if (result.busy) foundAt = now;
      waitMs = pollPeriod(waitMs, now - foundAt, tickerMinPeriodMs, tickerMaxPeriodMs);
      return { waitMs };
    });
  }

  #scheduledTicks(): Service[] {
    const { tickerSchedule, timezone, onFailure, checkPeriodMs } = this.#settings;
    const watch = this.#loop('ticker', async () => {
      this.#usable.set(await this.#ticker.check());
      return { waitMs: checkPeriodMs };
    });
    const job = createCronJob({
      name: 'scheduled tick',
      schedule: tickerSchedule,
      timezone,
      onFailure,
      log: this.#log,
      run: async () => {
        const result = await this.#ticker.tick();
        this.#usable.set(result.usable);
        if (result.usable) this.#stats.ticks += result.ticks;
      },
    });
    return [watch, job];
  }

  /* A round on a connection of its own: rotation and vacuum must not delay ticks. */
  #period(name: string, periodMs: number, round: (session: Session) => Promise<void>): Service {
    return this.#loop(name, async (signal) => {
      await this.#usable.wait(signal);
      if (signal.aborted) return 'idle';
      const session = await openMaintenanceSession(this.#database.location, name, this.#kill.signal);
      this.#sessions.add(session);
      try {
        await round(session);
      } finally {
        await session.close();
        this.#sessions.delete(session);
      }
      return { waitMs: periodMs };
    });
  }

  async #maintain(session: Session): Promise<void> {
    const { failures } = await runMaintenance(session, this.#log);
    if (failures.length === 0) this.#stats.maint++;
  }

  async #retry(session: Session): Promise<void> {
    this.#stats.retry += await moveRetryEvents(session, this.#kill.signal);
  }
}
