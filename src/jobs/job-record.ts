/** Keeps how runs of jobs ended: kaja.job and kaja.job_run on this node. */
import type { StartedBy } from '../compare/compare-context.ts';
import { lockHolders, runLockName } from '../compare/run-lock.ts';
import type { Session } from '../db/session.ts';

/** How a run ended. `interrupted`: stopped, or its process died; `missed`, `skipped`: it did not start. */
export type JobResult =
  | 'equal'
  | 'different'
  | 'repaired'
  | 'not comparable'
  | 'failed'
  | 'interrupted'
  | 'missed'
  | 'skipped';

/** Which run. */
export interface JobTime {
  readonly queue: string;
  readonly job: string;
  readonly startedBy: StartedBy;
  /** Time of the schedule, milliseconds since 1970; null: started by hand or cron. */
  readonly dueMs: number | null;
}

/** What is known of a run when it has ended. */
export interface JobFacts {
  readonly result: JobResult;
  /** Why, in one line. */
  readonly reason: string | null;
  /** Tables that were compared. */
  readonly tables: number;
  /** Names of tables that differed. */
  readonly different: readonly string[];
  /** Rows that differed; null: not looked at row by row. */
  readonly differentRows: bigint | null;
  readonly repairedRows: bigint;
  readonly compareRunId: bigint | null;
}

/** Facts of a run that found nothing out. */
export const noFacts = (result: JobResult, reason: string | null): JobFacts => ({
  result,
  reason,
  tables: 0,
  different: [],
  differentRows: null,
  repairedRows: 0n,
  compareRunId: null,
});

/** A run that was cut short is begun so often, then its time is given up. */
const MAX_ATTEMPTS = 3;
/** Runs are forgotten after this time. */
const KEEP_DAYS = 90;

const toTimestamp = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/**
 * Begin a run. The caller holds the run lock.
 * @returns its number, and how often it was begun; undefined when somebody else has begun the one of this time
 */
export async function beginRun(
  session: Session,
  time: JobTime,
  host: string,
): Promise<{ id: bigint; attempts: number } | undefined> {
  await session.execute(
    `delete from kaja.job_run where queue_name = $1 and coalesce(started_at, due_at) < clock_timestamp() - make_interval(days => $2)`,
    [time.queue, KEEP_DAYS],
  );
  const [row] = await session.query<{ id: bigint; attempts: number }>(
    `insert into kaja.job_run as r (queue_name, job, started_by, due_at, host, started_at) values ($1, $2, $3, $4, $5, clock_timestamp())
     on conflict (queue_name, job, due_at) do update
        set attempts = r.attempts + (r.result = 'interrupted')::int, host = excluded.host, started_at = excluded.started_at, finished_at = null, result = null, reason = null
      where r.result = 'interrupted' and r.attempts < $6 or r.result = 'skipped'
     returning r.job_run_id as id, r.attempts`,
    [time.queue, time.job, time.startedBy, toTimestamp(time.dueMs), host, MAX_ATTEMPTS],
  );
  return row;
}

/** Store how a run ended. */
export async function finishRun(session: Session, id: bigint, facts: JobFacts): Promise<void> {
  await session.execute(
    `update kaja.job_run set finished_at = clock_timestamp(), result = $2, reason = $3, tables = $4, different_tables = $5,
            different_rows = $6, repaired_rows = $7, compare_run_id = $8
      where job_run_id = $1`,
    [
      id,
      facts.result,
      facts.reason,
      facts.tables,
      [...facts.different],
      facts.differentRows,
      facts.repairedRows,
      facts.compareRunId,
    ],
  );
}

/** Count a time of the schedule that came while a run was going on. */
export async function countSkipped(session: Session, id: bigint): Promise<void> {
  await session.execute('update kaja.job_run set skipped = skipped + 1 where job_run_id = $1', [id]);
}

/**
 * Store that the run of a time did not start, or that its process died; what is known of it already stays.
 * @returns false when it is known already how it ended
 */
export async function recordTime(
  session: Session,
  time: JobTime & { readonly dueMs: number },
  result: 'missed' | 'skipped' | 'failed',
  reason: string,
): Promise<boolean> {
  const changed = await session.execute(
    `insert into kaja.job_run as r (queue_name, job, started_by, due_at, result, reason) values ($1, $2, $3, $4, $5, $6)
     on conflict (queue_name, job, due_at) do update set result = excluded.result, reason = excluded.reason, finished_at = clock_timestamp()
      where r.result is null and excluded.result = 'failed'`,
    [time.queue, time.job, time.startedBy, toTimestamp(time.dueMs), result, reason],
  );
  return changed > 0;
}

/**
 * Runs whose process died are over. One that is at work has the lock before its row, so a row whose lock is free is a dead one's.
 * @param locked this session has the lock itself
 */
export async function endDeadRuns(session: Session, queue: string, locked: boolean): Promise<void> {
  await session.execute(
    `update kaja.job_run set result = 'interrupted', reason = 'its process died', finished_at = clock_timestamp()
      where queue_name = $1 and result is null and ($2 or not exists (${lockHolders('$3')}))`,
    [queue, locked, runLockName(queue)],
  );
}

/** A schedule was taken away: times until it comes back are not missed. */
export async function forgetSchedule(session: Session, queue: string, job: string): Promise<void> {
  await session.execute('delete from kaja.job where queue_name = $1 and job = $2', [queue, job]);
}

/**
 * Note a schedule, and find out up to when its times are done.
 * @param nowMs a schedule that is new is known since then
 * @param again a run that was cut short is not done
 * @returns milliseconds since 1970
 */
export async function noteSchedule(
  session: Session,
  job: { readonly queue: string; readonly job: string; readonly schedule: string; readonly timezone: string },
  nowMs: number,
  again: boolean,
): Promise<number> {
  await endDeadRuns(session, job.queue, false);
  const since = await session.value<number>(
    `insert into kaja.job as j (queue_name, job, schedule, timezone, since) values ($1, $2, $3, $4, $5)
     on conflict (queue_name, job) do update set (schedule, timezone, since) = (excluded.schedule, excluded.timezone,
         case when (j.schedule, j.timezone) = (excluded.schedule, excluded.timezone) then j.since else excluded.since end)
     returning extract(epoch from since)::float8 * 1000`,
    [job.queue, job.job, job.schedule, job.timezone, toTimestamp(nowMs)],
  );
  const [last] = await session.query<{ due: number; open: boolean }>(
    `select extract(epoch from due_at)::float8 * 1000 as due, result = 'interrupted' and attempts < $3 as open
       from kaja.job_run where queue_name = $1 and job = $2 and due_at is not null order by due_at desc limit 1`,
    [job.queue, job.job, MAX_ATTEMPTS],
  );
  const known = Math.round(since ?? nowMs);
  if (last === undefined || last.due < known) return known;
  return Math.round(last.due) - (again && last.open ? 1 : 0);
}
