/** Changes tables under locks that are waited for in short steps, so that the application never queues behind kaja for long. */
import { quoteFqName } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { sleep } from '../runtime/sleep.ts';

/** One attempt waits this long for a lock; writers that come after us wait no longer than that. */
const STEP_MS = 300;
/** Pause between attempts, in which the queue that formed behind us drains. */
const PAUSE_MS = 700;
/** A deadlock with the node's worker passes by itself, too. */
const RETRIED: ReadonlySet<string> = new Set(['lock-timeout', 'sql-retryable']);

/** How long and for whom to wait. */
export interface LockWait {
  /** Longest time in all, milliseconds; 0: until it works. */
  readonly lockTimeoutMs: number;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Run `fn` in a transaction whose lock waits are cut short; again with pauses while locks are not granted.
 * @param tables unquoted physical names, for the message about who is in the way
 * @param fn may run several times, each time in a new transaction
 * @throws KajaError lock-timeout naming the processes that hold the table
 */
export async function withShortLocks<T>(
  session: Session,
  tables: readonly string[],
  wait: LockWait,
  fn: () => Promise<T>,
): Promise<T> {
  const deadline = wait.lockTimeoutMs > 0 ? Date.now() + wait.lockTimeoutMs : Number.POSITIVE_INFINITY;
  let blockers: string[] = [];
  for (let attempt = 1; ; attempt++) {
    try {
      return await session.transaction(async () => {
        await session.query(`set local lock_timeout = '${STEP_MS}ms'`);
        return fn();
      });
    } catch (error) {
      if (!(error instanceof KajaError) || !RETRIED.has(error.code)) throw error;
      const present = await readBlockers(session, tables);
      if (present.length > 0) blockers = present;
      if (attempt === 1) wait.log.info(`waiting for a lock on ${tables.join(', ')}${inTheWay(blockers)}`);
      if (wait.signal?.aborted) throw error;
      if (Date.now() + PAUSE_MS >= deadline) throw notGranted(tables, wait.lockTimeoutMs, blockers, error);
      await sleep(PAUSE_MS * (0.75 + Math.random() / 2), wait.signal);
    }
  }
}

const inTheWay = (blockers: readonly string[]): string =>
  blockers.length > 0 ? `, held by ${blockers.join(', ')}` : '';

const notGranted = (
  tables: readonly string[],
  ms: number,
  blockers: readonly string[],
  cause: unknown,
): KajaError =>
  new KajaError(
    'lock-timeout',
    `no lock on ${tables.join(', ')} within ${ms / 1000} s${inTheWay(blockers)}`,
    {
      hint: 'try again when these transactions have ended, or raise lock_timeout in the ini',
      context: { tables },
      cause,
    },
  );

/** Sessions that hold locks on the tables in the way of SHARE ROW EXCLUSIVE, as `pid 123 (psql, idle in transaction for 35 s)`. */
async function readBlockers(session: Session, tables: readonly string[]): Promise<string[]> {
  const rows = await session.query<{ pid: number; name: string; state: string; seconds: number }>(
    `select distinct l.pid, a.application_name as name, coalesce(a.state, 'unknown') as state,
            coalesce(extract(epoch from clock_timestamp() - a.xact_start), 0)::int4 as seconds
       from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'relation' and l.relation = any (select to_regclass(x.name) from unnest($1::text[]) as x (name)) and l.granted and l.pid <> pg_backend_pid()
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
        and l.mode not in ('AccessShareLock', 'RowShareLock')
      order by 1`,
    [tables.map((table) => quoteFqName(table))],
  );
  return rows.map(
    (row) => `pid ${row.pid} (${[row.name, `${row.state} for ${row.seconds} s`].filter(Boolean).join(', ')})`,
  );
}
