/** The part of a ticker's configuration that its services use. */
import type { TickerConfig } from '../config/load-config.ts';
import { TICKER_OPTIONS } from '../config/ticker-options.ts';
import { ConfigError } from '../errors/kaja-error.ts';
import { checkSchedule } from '../runtime/cron-job.ts';

/** See the ini keys of the same names; times in milliseconds. */
export interface TickerSettings {
  /** Connection string of the only database; empty: the three below decide. */
  readonly db: string;
  readonly baseConnstr: string;
  readonly databaseList: readonly string[];
  readonly initialDatabase: string;
  readonly checkPeriodMs: number;
  readonly tickerPeriodMs: number;
  readonly tickerMinPeriodMs: number;
  readonly tickerMaxPeriodMs: number;
  readonly tickerSchedule: string;
  readonly timezone: string;
  readonly onFailure: 'log' | 'stop';
  readonly retryPeriodMs: number;
  readonly maintPeriodMs: number;
  readonly statsPeriodMs: number;
  readonly connectionLifetimeMs: number;
  readonly exceptionSleepMs: number;
}

/**
 * Take the settings out of an ini's values.
 * @throws ConfigError for keys that contradict each other, an unknown time zone
 */
export function tickerSettings(config: TickerConfig): TickerSettings {
  const where = `${config.configFile}: [${config.section}]`;
  if (config.db && (config.baseConnstr || config.databaseList.length > 0)) {
    throw new ConfigError(`${where} has db beside base_connstr or database_list`, {
      hint: 'db is for a single database, the others are for a server',
    });
  }
  if (config.tickerMinPeriodMs > config.tickerMaxPeriodMs) {
    throw new ConfigError(`${where}: ticker_min_period is longer than ticker_max_period`);
  }
  if (config.tickerSchedule) checkSchedule(config.tickerSchedule, config.jobTimezone);
  return {
    db: config.db,
    baseConnstr: config.baseConnstr,
    databaseList: config.databaseList,
    initialDatabase: config.initialDatabase,
    checkPeriodMs: config.checkPeriodMs,
    tickerPeriodMs: config.tickerPeriodMs,
    tickerMinPeriodMs: config.tickerMinPeriodMs,
    tickerMaxPeriodMs: config.tickerMaxPeriodMs,
    tickerSchedule: config.tickerSchedule,
    timezone: config.jobTimezone,
    onFailure: config.jobOnFailure,
    retryPeriodMs: config.retryPeriodMs,
    maintPeriodMs: config.maintPeriodMs,
    statsPeriodMs: config.statsPeriodMs,
    connectionLifetimeMs: config.connectionLifetimeMs,
    exceptionSleepMs: config.exceptionSleepMs,
  };
}

/** Settings without an ini: one database, everything else by default. */
export function defaultTickerSettings(db: string): TickerSettings {
  const ms = (seconds: number): number => Math.round(seconds * 1000);
  return {
    db,
    baseConnstr: '',
    databaseList: [],
    initialDatabase: TICKER_OPTIONS.initial_database.default,
    checkPeriodMs: ms(TICKER_OPTIONS.check_period.default),
    tickerPeriodMs: ms(TICKER_OPTIONS.ticker_period.default),
    tickerMinPeriodMs: ms(TICKER_OPTIONS.ticker_min_period.default),
    tickerMaxPeriodMs: ms(TICKER_OPTIONS.ticker_max_period.default),
    tickerSchedule: '',
    timezone: '',
    onFailure: 'log',
    retryPeriodMs: ms(TICKER_OPTIONS.retry_period.default),
    maintPeriodMs: ms(TICKER_OPTIONS.maint_period.default),
    statsPeriodMs: ms(TICKER_OPTIONS.stats_period.default),
    connectionLifetimeMs: ms(TICKER_OPTIONS.connection_lifetime.default),
    exceptionSleepMs: ms(TICKER_OPTIONS.exception_sleep.default),
  };
}
