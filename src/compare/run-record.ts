/** Keeps what a comparison found: kaja.compare_run and kaja.compare_table on this node. */
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import type { StartedBy } from './compare-context.ts';
import type { TableComparison } from './compare-one.ts';

/** How a run ended. */
export type RunResult = 'equal' | 'different' | 'repaired' | 'not comparable' | 'failed';

/** Runs are forgotten after this time. */
const KEEP_DAYS = 90;

/** What a run is about; one that was killed goes on only where all of it is the same. */
export interface RunPlan {
  readonly queue: string;
  readonly node: string;
  readonly source: string;
  readonly kind: 'compare' | 'repair';
  readonly startedBy: StartedBy;
  readonly request: Readonly<Record<string, unknown>>;
}

/** A table that an earlier, killed process of the same run had finished. */
export interface FinishedTable {
  readonly tableName: string;
  readonly destName: string;
  readonly equal: boolean;
  readonly source: string;
  readonly dest: string;
  readonly sourceRows: bigint | null;
  readonly destRows: bigint | null;
  readonly missing: bigint | null;
  readonly extra: bigint | null;
  readonly different: bigint | null;
}

/** What a repair did to a table. */
export interface RepairCounts {
  readonly tableName: string;
  readonly inserts: number;
  readonly updates: number;
  readonly deletes: number;
  readonly remaining: number;
}

/** A run being recorded. */
export class RunRecord {
  readonly id: bigint;
  readonly #session: Session;

  /** Use `startRun`. */
  constructor(session: Session, id: bigint) {
    this.#session = session;
    this.id = id;
  }

  /** Note the moment. */
  async moment(tick: bigint, exact: boolean, stoodMs: number | null): Promise<void> {
    await this.#session.execute(
      'update kaja.compare_run set tick_id = $2, exact = $3, stood_ms = $4 where run_id = $1',
      [this.id, tick, exact, stoodMs],
    );
  }

  /** Store the result of a table. @param tick the moment it was compared at */
  async table(one: TableComparison, tick: bigint): Promise<void> {
    await this.#save(one.tableName, one.destName, one.equal ? 'equal' : 'different', {
      tick_id: tick,
      source_rows: one.sourceRows,
      dest_rows: one.destRows,
      source_text: one.source,
      dest_text: one.dest,
      missing: one.differences?.missing ?? null,
      extra: one.differences?.extra ?? null,
      different: one.differences?.different ?? null,
      seconds: one.seconds,
    });
  }

  /** Store that a table could not be compared. */
  async skipped(tableName: string, destName: string, reason: string): Promise<void> {
    await this.#save(tableName, destName, 'not comparable', { reason });
  }

  /** Store what a repair did. */
  async repaired(one: RepairCounts): Promise<void> {
    await this.#session.execute(
      `update kaja.compare_table set inserts = $3::int8, updates = $4::int8, deletes = $5::int8, remaining = $6::int8,
              result = case when $6::int8 = 0 and result = 'different' then 'repaired' else result end
        where run_id = $1 and table_name = $2`,
      [this.id, one.tableName, one.inserts, one.updates, one.deletes, one.remaining],
    );
  }

  /** The run is over. */
  async finish(result: RunResult): Promise<void> {
    await this.#session.execute(
      'update kaja.compare_run set finished_at = clock_timestamp(), result = $2 where run_id = $1',
      [this.id, result],
    );
  }

  /** The run failed: it can be resumed. Never throws. */
  async fail(error: unknown): Promise<void> {
    if (this.#session.closed) return;
    await this.#session
      .execute('update kaja.compare_run set error = $2 where run_id = $1', [this.id, errorLine(error)])
      .catch(() => {});
  }

  async #save(
    tableName: string,
    destName: string,
    result: string,
    values: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const names = Object.keys(values);
    await this.#session.execute(
      `insert into kaja.compare_table (run_id, table_name, dest_table, result, ${names.join(', ')})
       values ($1, $2, $3, $4, ${names.map((_, n) => `$${n + 5}`).join(', ')})
       on conflict (run_id, table_name) do update set (dest_table, result, finished_at, ${names.join(', ')})
         = (excluded.dest_table, excluded.result, clock_timestamp(), ${names.map((name) => `excluded.${name}`).join(', ')})`,
      [this.id, tableName, destName, result, ...Object.values(values)],
    );
  }
}

/**
 * Begin a run, or go on with one that was killed.
 * @param resume look for the newest run that did not finish and asked for the same
 * @returns the record, and the tables that are done already
 */
export async function startRun(
  session: Session,
  plan: RunPlan,
  resume: boolean,
): Promise<{ run: RunRecord; done: FinishedTable[] }> {
  const request = JSON.stringify(plan.request);
  const found = resume
    ? await session.value<bigint>(
        `select run_id from kaja.compare_run where queue_name = $1 and kind = $2 and source_node = $3 and request::jsonb = $4::jsonb
           and finished_at is null order by run_id desc limit 1`,
        [plan.queue, plan.kind, plan.source, request],
      )
    : undefined;
  if (found !== undefined) {
    const done = await session.query<FinishedTable>(
      `select table_name as "tableName", dest_table as "destName", result = 'equal' as equal, coalesce(source_text, '') as source,
              coalesce(dest_text, '') as dest, source_rows as "sourceRows", dest_rows as "destRows", missing, extra, different
         from kaja.compare_table where run_id = $1 and result in ('equal', 'different')`,
      [found],
    );
    return { run: new RunRecord(session, found), done };
  }
  await session.execute(
    `delete from kaja.compare_run where queue_name = $1 and started_at < clock_timestamp() - make_interval(days => $2)`,
    [plan.queue, KEEP_DAYS],
  );
  const { id } = await session.one<{ id: bigint }>(
    `insert into kaja.compare_run (queue_name, node_name, source_node, kind, request, started_by) values ($1, $2, $3, $4, $5, $6) returning run_id as id`,
    [plan.queue, plan.node, plan.source, plan.kind, request, plan.startedBy],
  );
  return { run: new RunRecord(session, id), done: [] };
}
