/** How fast a comparison may read, and how far it is. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { sleep } from '../runtime/sleep.ts';
import type { CompareContext } from './compare-context.ts';

/** Limits on request. */
export interface PaceLimits {
  /** Pause after every range, in milliseconds; 0: none. */
  readonly pauseMs: number;
  /** Other sessions that may be busy on a server while a range is begun; null: any number. */
  readonly maxLoad: number | null;
  /** Longest time of one statement, in milliseconds; 0: no limit. */
  readonly statementTimeoutMs: number;
}

/** Pace of one table's reading. */
export interface Pace {
  /** Wait until the server may be asked for the next range. */
  before(session: Session): Promise<void>;
  /** A range was read. @param rows in it */
  after(rows: number): Promise<void>;
  /** Read in small ranges, so that the limits can act. */
  readonly small: boolean;
}

const LOAD_POLL_MS = 500;

/** What takes less is over before anybody could read how far it is. */
const PROGRESS_AFTER_MS = 1_000;

/**
 * Pace for a table.
 * @param total about how many rows both sides have
 */
export function tablePace(context: CompareContext, label: string, total: number): Pace {
  const { pauseMs, maxLoad } = context.limits;
  let read = 0;
  const started = performance.now();
  return {
    small: pauseMs > 0 || maxLoad !== null,
    before: async (session) => {
      if (maxLoad === null) return;
      while ((await busySessions(session)) > maxLoad && !context.signal.aborted) {
        context.onProgress(`${label}: waiting for the server`, read, total, 'rows');
        await sleep(LOAD_POLL_MS, context.signal);
      }
    },
    after: async (rows) => {
      read += rows;
      if (performance.now() - started > PROGRESS_AFTER_MS)
        context.onProgress(label, read, Math.max(total, read), 'rows');
      if (pauseMs > 0) await sleep(pauseMs, context.signal);
    },
  };
}

/** The server shows what sessions of other roles do only to those who may read all statistics. */
async function busySessions(session: Session): Promise<number> {
  // A transaction keeps what it once saw of other sessions.
  await session.query('select pg_stat_clear_snapshot()');
  const { busy, hidden } = await session.one<{ busy: number; hidden: boolean }>(
    `select count(*) filter (where state = 'active' and application_name <> current_setting('application_name'))::int as busy,
            not pg_has_role(current_user, 'pg_read_all_stats', 'usage') as hidden
       from pg_stat_get_activity(null) a where a.backend_type = 'client backend'
        and a.datid = (select oid from pg_database where datname = current_database())`,
  );
  if (hidden) {
    throw new KajaError('state-refused', `--max-load cannot see other sessions of ${session.location}`, {
      exitCode: 2,
      hint: 'grant pg_read_all_stats to its user',
    });
  }
  return busy;
}
