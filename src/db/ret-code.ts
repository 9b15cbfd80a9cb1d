/** Calls functions that answer in Londiste's way: rows that start with ret_code and ret_note. */
import { KajaError } from '../errors/kaja-error.ts';
import { quoteFqName } from './names.ts';
import type { Session } from './session.ts';

/** What `callRet` logs with; a pino logger fits. */
export interface RetLog {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

/** A row of the protocol; functions add columns of their own. */
export interface RetRow {
  readonly ret_code: number;
  readonly ret_note: string;
  readonly [column: string]: unknown;
}

/**
 * Call a function and judge its answer: 1xx is logged at debug, 2xx at info, 3xx at warning level, from 400 on it is an error.
 * Outside a transaction the call gets its own, because such functions do not undo what they did before they answered with an error.
 * @param fn unquoted `schema.function`
 * @param args positional arguments
 * @param log optional; without it only errors matter
 * @returns all rows, each with the function's further columns
 * @throws KajaError ret-code with the note; context has retCode and function
 */
export async function callRet<R extends object = object>(
  session: Session,
  fn: string,
  args: readonly unknown[],
  log?: RetLog,
): Promise<(RetRow & R)[]> {
  if (!session.inTransaction) return session.transaction(() => callRet<R>(session, fn, args, log));
  const holes = args.map((_, index) => `$${index + 1}`).join(', ');
  const rows = await session.query<RetRow & R>(`select * from ${quoteFqName(fn)}(${holes})`, args);
  for (const row of rows) judge(session, fn, row, log);
  return rows;
}

function judge(session: Session, fn: string, row: RetRow, log: RetLog | undefined): void {
  const { ret_code: code, ret_note: note } = row;
  if (code === null || code === undefined) {
    throw new KajaError('ret-code', `${fn} on ${session.location} was called without a needed argument`, {
      context: { function: fn },
    });
  }
  if (code >= 400) {
    throw new KajaError('ret-code', `${note} (${fn} on ${session.location}, code ${code})`, {
      context: { retCode: code, function: fn },
    });
  }
  if (code >= 300) log?.warn(note);
  else if (code >= 200) log?.info(note);
  else log?.debug(note);
}
