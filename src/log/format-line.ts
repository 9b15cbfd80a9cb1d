/** Text form of a log record: `2026-11-21 10:00:00,123 1234 INFO message`. */

/** A record as pino writes it, level as a word. */
export interface LogRecord {
  readonly level: string;
  readonly time: number;
  readonly pid: number;
  readonly hostname: string;
  readonly name?: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

/** Shape of a line: Python's logging placeholders and strftime letters, as in Londiste's ini files. */
export interface LineFormat {
  /** Default `%(asctime)s %(process)s %(levelname)s %(message)s`. */
  readonly line?: string | undefined;
  /** Default `YYYY-MM-DD HH:MM:SS,mmm` in local time. */
  readonly date?: string | undefined;
}

const DEFAULT_LINE = '%(asctime)s %(process)s %(levelname)s %(message)s';
const LEVEL_NAMES: Readonly<Record<string, string>> = { warn: 'WARNING', fatal: 'CRITICAL' };
const COLOURS: Readonly<Record<string, string>> = {
  trace: '\u001b[90m',
  debug: '\u001b[90m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
  fatal: '\u001b[1;31m',
};
const RESET = '\u001b[0m';
/* `job` is printed in front of the message, the rest is part of every line or of no interest. */
const OWN_FIELDS = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'job', 'err', 'error']);

/**
 * Format one record.
 * @param colours colour warnings and errors
 * @returns the line with its line end; further fields stand behind the message as `[key=value …]`
 */
export function formatLine(record: LogRecord, format: LineFormat = {}, colours = false): string {
  const values: Readonly<Record<string, string>> = {
    asctime: formatDate(new Date(record.time), format.date),
    process: String(record.pid),
    levelname: LEVEL_NAMES[record.level] ?? record.level.toUpperCase(),
    message: messageOf(record),
    name: record.name ?? '',
    job_name: record.name ?? '',
    hostname: record.hostname,
  };
  const line = (format.line || DEFAULT_LINE).replace(
    /%\((\w+)\)-?\d*[sd]/g,
    (whole, key: string) => values[key] ?? whole,
  );
  const colour = colours ? COLOURS[record.level] : undefined;
  return colour ? `${colour}${line}${RESET}\n` : `${line}\n`;
}

function messageOf(record: LogRecord): string {
  const parts: string[] = [];
  if (typeof record.job === 'string') parts.push(`[${record.job}]`);
  const problem = record.err ?? record.error;
  if (record.msg) parts.push(problem === undefined ? record.msg : `${record.msg}: ${String(problem)}`);
  else if (problem !== undefined) parts.push(String(problem));
  const extra = Object.entries(record)
    .filter(([key, value]) => !OWN_FIELDS.has(key) && value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  if (extra.length > 0) parts.push(`[${extra.join(' ')}]`);
  return parts.join(' ');
}

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

/**
 * Format a time.
 * @param pattern strftime letters Y m d H M S f z Z; empty = `YYYY-MM-DD HH:MM:SS,mmm`
 */
export function formatDate(date: Date, pattern?: string): string {
  const text = (pattern || '%Y-%m-%d %H:%M:%S').replace(/%([YmdHMSfyjzZ%])/g, (_, letter: string) =>
    datePart(date, letter),
  );
  return pattern ? text : `${text},${pad(date.getMilliseconds(), 3)}`;
}

function datePart(date: Date, letter: string): string {
  const offset = -date.getTimezoneOffset();
  switch (letter) {
    case 'Y':
      return pad(date.getFullYear(), 4);
    case 'y':
      return pad(date.getFullYear() % 100);
    case 'm':
      return pad(date.getMonth() + 1);
    case 'd':
      return pad(date.getDate());
    case 'H':
      return pad(date.getHours());
    case 'M':
      return pad(date.getMinutes());
    case 'S':
      return pad(date.getSeconds());
    case 'f':
      return pad(date.getMilliseconds() * 1000, 6);
    case 'j':
      return pad(
        Math.round(
          (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) -
            Date.UTC(date.getFullYear(), 0, 1)) /
            86_400_000,
        ) + 1,
        3,
      );
    case 'z':
      return `${offset < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(offset) / 60))}${pad(Math.abs(offset) % 60)}`;
    case 'Z':
      return (
        new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' })
          .formatToParts(date)
          .find((part) => part.type === 'timeZoneName')?.value ?? ''
      );
    default:
      return '%';
  }
}
