/** Reads what comparisons and repairs of this node found. */
import type { Session } from '../db/session.ts';
import type { StartedBy } from './compare-context.ts';

/** One run. */
export interface RunRow {
  readonly run_id: bigint;
  readonly kind: 'compare' | 'repair';
  readonly started_by: StartedBy;
  readonly source_node: string;
  readonly started_at: string;
  readonly finished_at: string | null;
  /** Null while it runs, and when it was killed. */
  readonly result: string | null;
  readonly error: string | null;
  readonly tick_id: bigint | null;
  readonly exact: boolean | null;
  readonly stood_ms: number | null;
  readonly seconds: number | null;
  readonly tables: number;
  readonly different_tables: number;
  readonly not_comparable: number;
}

/** One table of a run; see migration 0009 for the columns. */
export interface RunTableRow {
  readonly table_name: string;
  readonly dest_table: string;
  readonly result: string;
  readonly reason: string | null;
  readonly source_rows: bigint | null;
  readonly dest_rows: bigint | null;
  readonly source_text: string | null;
  readonly dest_text: string | null;
  readonly missing: bigint | null;
  readonly extra: bigint | null;
  readonly different: bigint | null;
  readonly inserts: bigint | null;
  readonly updates: bigint | null;
  readonly deletes: bigint | null;
  readonly remaining: bigint | null;
  readonly seconds: number | null;
  readonly finished_at: string;
}

/**
 * Runs of a queue, newest first.
 * @param limit how many
 * @param runId only this one
 */
export const readRuns = (
  session: Session,
  queue: string,
  limit: number,
  runId?: number | undefined,
): Promise<RunRow[]> =>
  session.query<RunRow>(
    `select r.run_id, r.kind, r.started_by, r.source_node, r.started_at, r.finished_at, r.result, r.error, r.tick_id, r.exact, r.stood_ms,
            extract(epoch from r.finished_at - r.started_at)::float8 as seconds,
            (select count(*)::int from kaja.compare_table t where t.run_id = r.run_id) as tables,
            (select count(*)::int from kaja.compare_table t where t.run_id = r.run_id and t.result = 'different') as different_tables,
            (select count(*)::int from kaja.compare_table t where t.run_id = r.run_id and t.result = 'not comparable') as not_comparable
       from kaja.compare_run r where r.queue_name = $1 and ($3::int8 is null or r.run_id = $3)
      order by r.run_id desc limit $2`,
    [queue, limit, runId ?? null],
  );

/** Tables of a run, by name. */
export const readRunTables = (session: Session, runId: bigint): Promise<RunTableRow[]> =>
  session.query<RunTableRow>(
    `select table_name, dest_table, result, reason, source_rows, dest_rows, source_text, dest_text, missing, extra, different,
            inserts, updates, deletes, remaining, seconds, finished_at
       from kaja.compare_table where run_id = $1 order by table_name`,
    [runId],
  );
