/** What the verbs of `kaja queue` share: their shape, positions, confirmation, JSON. */
import { createInterface } from 'node:readline/promises';
import type { Session } from '../db/session.ts';
import { KajaError, UsageError } from '../errors/kaja-error.ts';
import type { LetterSelection } from '../queue/dead-letters.ts';
import type { Position } from '../queue/queue-admin.ts';
import { type CommandContext, flag, list, text } from './command.ts';

/** What a verb gets. */
export interface QueueWork {
  readonly ctx: CommandContext;
  /** Words after the verb. */
  readonly args: readonly string[];
  readonly session: Session;
}

/** A verb: `kaja queue DSN VERB`. */
export interface QueueVerb {
  readonly name: string;
  /** In commander's notation, after the verb. */
  readonly args: string;
  readonly help: string;
  /** Camel-case names of its options; all options are declared in queue.ts. */
  readonly options: readonly string[];
  run(work: QueueWork): Promise<void>;
}

/**
 * A place in a queue: `start`, `end`, the number of a tick, or a time (`2026-11-26 18:00`, with or without zone).
 * @throws UsageError
 */
export function parsePosition(text: string): Position {
  if (text === 'start' || text === 'end') return text;
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  const time = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text.replace(' ', 'T'));
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new UsageError(`${text} is not a position`, {
    hint: "give start, end, a tick number or a time like '2026-11-26 18:00'",
  });
}

/**
 * Ask before something that cannot be undone; `--yes` answers, and is needed where nobody can be asked.
 * @param what happens, as a sentence without full stop
 * @throws UsageError without a terminal; KajaError aborted for another answer than y or yes
 */
export async function confirm({ ctx }: QueueWork, what: string): Promise<void> {
  if (flag(ctx.options, 'yes')) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new UsageError(`${what}`, { hint: 'add --yes to do that' });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${what}. Go on? [y/N] `, { signal: ctx.signal });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    terminal.close();
  }
  throw new KajaError('aborted', 'nothing was changed');
}

/** `tickerLag` becomes `ticker_lag`; times become ISO text. */
export function toJsonNames(value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      one instanceof Date ? one.toISOString() : one,
    ]),
  );
}

/** Print the result of an action: a line, or with --json an object. */
export function say({ ctx }: QueueWork, line: string, result: object): void {
  if (ctx.json) ctx.printJson(toJsonNames(result));
  else ctx.print(line);
}

/** Rows as a table for people, or all fields with --json. */
export function show<T extends object>(
  { ctx }: QueueWork,
  title: string,
  rows: readonly T[],
  columns: Readonly<Record<string, (row: T) => unknown>>,
): void {
  if (ctx.json) ctx.printJson(rows.map(toJsonNames));
  else
    ctx.printTable(
      title,
      Object.keys(columns),
      rows.map((row) => Object.values(columns).map((read) => read(row))),
    );
}

/** Seconds for people: `0.3s`, `75s`; null stays null. */
export const seconds = (value: number | null): string | null =>
  value === null ? null : `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)}s`;

/**
 * Which dead letters: `--consumer`, `--id`.
 * @throws UsageError for an id that is no number
 */
export function selection({ ctx }: QueueWork): LetterSelection {
  const ids = list(ctx.options, 'id').flatMap((given) => given.split(','));
  const wrong = ids.find((id) => !/^\d{1,18}$/.test(id));
  if (wrong !== undefined)
    throw new UsageError(`--id ${wrong} is not a number`, { hint: 'dead-list shows the ids' });
  return { consumer: text(ctx.options, 'consumer'), ids: ids.length > 0 ? ids.map(BigInt) : undefined };
}
