/** The logger every room gets as a parameter: pino, with the look of Londiste's logs and without passwords. */
import { createRequire } from 'node:module';
import type { Level, Logger, pino as Pino } from 'pino';
import { errorLine } from '../errors/error-line.ts';
import { isSecretName, redactText, redactValue } from '../errors/redact.ts';
import { formatLine, type LineFormat, type LogRecord } from './format-line.ts';
import { openLogFile } from './rotating-file.ts';

/** What services log to. Fields first: `log.info({ table }, 'message')`; messages are lower-case unless Londiste's. */
export type Log = Logger;

/** How to log; every field has a default. */
export interface LogSettings {
  /** Written into JSON records; the ini's job_name. */
  readonly name?: string | undefined;
  /** Lowest level that is written: -q `warn`, default `info`, -v `debug`, -vv `trace`. */
  readonly level?: Level | 'silent' | undefined;
  readonly format?: 'text' | 'json' | undefined;
  /** Write to stderr; a daemon has none. */
  readonly console?: boolean | undefined;
  readonly file?: LogFileSettings | undefined;
  /** Line shapes of the ini keys logfmt_* and logdatefmt_*. */
  readonly consoleLine?: LineFormat | undefined;
  readonly fileLine?: LineFormat | undefined;
  /** Where console lines go; only tests replace it. */
  readonly consoleSink?: LogSink | undefined;
}

/** The `logfile`, `log_size` (bytes) and `log_count` (old files kept) of the ini. */
export interface LogFileSettings {
  readonly path: string;
  readonly maxBytes: number;
  readonly keep: number;
}

/** Something lines are written to. */
export interface LogSink {
  write(text: string): void;
  readonly colours: boolean;
}

/** A logger together with what keeps its file alive. */
export interface LogHandle {
  readonly log: Log;
  /** Open the logfile again: on SIGHUP, after somebody moved it. */
  reopen(): void;
  /** Close the logfile; later lines go to the console only. */
  close(): void;
}

/** The pino level for a number of -v (1, 2, …) or -q (negative). */
export function levelOf(verbosity: number): Level {
  if (verbosity < 0) return 'warn';
  return verbosity === 0 ? 'info' : verbosity === 1 ? 'debug' : 'trace';
}

/**
 * Create the logger of a process.
 * @throws ConfigError when the logfile cannot be opened
 */
export function createLog(settings: LogSettings = {}): LogHandle {
  const file = settings.file && openLogFile(settings.file);
  const console = settings.console === false ? undefined : (settings.consoleSink ?? stderrSink());
  const json = settings.format === 'json';
  const write = (line: string): void => {
    const record = cleanRecord(line);
    const asJson = json ? `${JSON.stringify(record)}\n` : '';
    console?.write(json ? asJson : formatLine(record, settings.consoleLine, console.colours));
    file?.write(json ? asJson : formatLine(record, settings.fileLine, false));
  };
  const level = settings.level ?? 'info';
  const log = whenUsed(level, () =>
    loadPino()(
      {
        level,
        ...(settings.name === undefined ? {} : { name: settings.name }),
        serializers: {
          err: (error: unknown) => errorLine(error),
          error: (error: unknown) => errorLine(error),
        },
        formatters: { level: (label) => ({ level: label }) },
      },
      { write },
    ),
  );
  return { log, reopen: () => file?.reopen(), close: () => file?.close() };
}

/** A logger that writes nothing; for library use and tests. */
export const silentLog = (): Log => loadPino()({ level: 'silent' });

const loadPino = (): typeof Pino => (createRequire(import.meta.url)('pino') as { pino: typeof Pino }).pino;

const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** A logger that is made with the first line that counts: a command that has nothing to report need not load pino. */
function whenUsed(level: string, make: () => Log): Log {
  let made: Log | undefined;
  return new Proxy({} as Log, {
    get: (_, key) => {
      const at = LEVELS.indexOf(String(key));
      if (!made && at >= 0 && (level === 'silent' || at < LEVELS.indexOf(level))) return () => {};
      made ??= make();
      const value: unknown = Reflect.get(made, key);
      return typeof value === 'function' ? value.bind(made) : value;
    },
    set: (_, key, value) => {
      made ??= make();
      return Reflect.set(made, key, value);
    },
  });
}

function stderrSink(): LogSink {
  return {
    write: (text) => {
      process.stderr.write(text);
    },
    colours: process.stderr.isTTY === true && !process.env.NO_COLOR,
  };
}

/* Every line passes here, so a password cannot get out by a field nobody thought of. */
function cleanRecord(line: string): LogRecord {
  const record = JSON.parse(line) as LogRecord;
  const clean: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) {
    if (typeof value === 'string') clean[key] = isSecretName(key) ? '***' : redactText(value);
    else clean[key] = isSecretName(key) ? '***' : redactValue(value);
  }
  return clean as LogRecord;
}
