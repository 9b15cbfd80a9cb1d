/** Which log a command gets: from its ini and from -q, -v. */

import { type LogSettings, type LogSink, levelOf } from '../log/logger.ts';
import type { LondisteConfig, TickerConfig } from './load-config.ts';

/**
 * Settings of the logger.
 * @param config undefined for commands without ini: console only
 * @param verbosity number of -v, negative for -q
 * @param console where console lines go; undefined in a daemon
 */
export function logSettings(
  config: LondisteConfig | TickerConfig | undefined,
  verbosity: number,
  console: LogSink | undefined,
): LogSettings {
  const base: LogSettings = {
    level: levelOf(verbosity),
    console: console !== undefined,
    consoleSink: console,
  };
  if (!config) return base;
  const verbose = verbosity > 0;
  const pick = (plain: string, loud: string): string => (verbose && loud ? loud : plain);
  return {
    ...base,
    name: config.jobName,
    format: config.logFormat,
    file: config.logfile
      ? { path: config.logfile, maxBytes: config.logSize, keep: config.logCount }
      : undefined,
    consoleLine: {
      line: pick(config.logfmtConsole, config.logfmtConsoleVerbose),
      date: pick(config.logdatefmtConsole, config.logdatefmtConsoleVerbose),
    },
    fileLine: {
      line: pick(config.logfmtFile, config.logfmtFileVerbose),
      date: pick(config.logdatefmtFile, config.logdatefmtFileVerbose),
    },
  };
}
