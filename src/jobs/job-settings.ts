/** The part of a node's configuration that decides when its jobs run. */
import type { LondisteConfig } from '../config/load-config.ts';

/** See the ini keys of the same names. */
export interface JobSettings {
  readonly location: string;
  readonly queue: string;
  readonly consumer: string;
  readonly configFile: string;
  /** `--set` pairs; they hold for the runs too. */
  readonly overrides: readonly (readonly [string, string])[];
  /** Empty: never. */
  readonly schedule: string;
  /** Empty: the zone of this host. */
  readonly timezone: string;
  readonly missed: 'run' | 'skip';
  readonly onFailure: string;
  readonly exceptionSleepMs: number;
}

/** Take the settings out of an ini's values. */
export const jobSettings = (config: LondisteConfig, overrides: ReadonlyMap<string, string>): JobSettings => ({
  location: config.db,
  queue: config.queueName,
  consumer: config.consumerName,
  configFile: config.configFile,
  overrides: [...overrides],
  schedule: config.compareSchedule,
  timezone: config.jobTimezone,
  missed: config.jobMissed,
  onFailure: config.jobOnFailure,
  exceptionSleepMs: config.exceptionSleepMs,
});
