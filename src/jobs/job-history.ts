/** Reads how runs of jobs ended. */
import type { StartedBy } from '../compare/compare-context.ts';
import { runHolder } from '../compare/run-lock.ts';
import type { Session } from '../db/session.ts';
import type { JobResult } from './job-record.ts';

/** One run; times in milliseconds since 1970. */
export interface JobRunRow {
  readonly job: string;
  readonly started_by: StartedBy;
  /** Time of the schedule; null: started by hand or cron. */
  readonly due: number | null;
  /** Null: it did not start. */
  readonly started: number | null;
  readonly finished: number | null;
  readonly seconds: number | null;
  readonly attempts: number;
  readonly host: string | null;
  readonly result: JobResult | 'running';
  readonly reason: string | null;
  readonly tables: number | null;
  readonly different_tables: readonly string[] | null;
  readonly different_rows: bigint | null;
  readonly repaired_rows: bigint | null;
  /** Times of the schedule that came while it ran. */
  readonly skipped: number;
  readonly compare_run_id: bigint | null;
}

type StoredRun = Omit<JobRunRow, 'result'> & { readonly result: JobResult | null };

/** Runs of a node's jobs, newest first. @param limit how many */
export async function readJobRuns(session: Session, queue: string, limit: number): Promise<JobRunRow[]> {
  const read = (): Promise<StoredRun[]> =>
    session.query<StoredRun>(
      `select job, started_by, extract(epoch from due_at)::float8 * 1000 as due, extract(epoch from started_at)::float8 * 1000 as started,
            extract(epoch from finished_at)::float8 * 1000 as finished, extract(epoch from finished_at - started_at)::float8 as seconds,
            attempts, host, result, reason, tables, different_tables, different_rows, repaired_rows, skipped, compare_run_id
       from kaja.job_run where queue_name = $1 order by coalesce(started_at, due_at) desc limit $2`,
      [queue, limit],
    );
  let rows = await read();
  // A run without result is at work only while its session holds the lock; it may have ended between the two looks.
  const open = rows.some((row) => row.result === null);
  const alive = open && (await runHolder(session, queue)) !== undefined;
  if (open && !alive) rows = await read();
  return rows.map((row) => {
    if (row.result !== null) return { ...row, result: row.result };
    return alive
      ? { ...row, result: 'running' as const }
      : { ...row, result: 'interrupted' as const, reason: 'its process died' };
  });
}
