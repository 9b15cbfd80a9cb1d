/** Temporary tables of an apply session and the stream of a batch into them. */
import { copyBetween } from '../db/copy-stream.ts';
import type { Session } from '../db/session.ts';

/** Event columns that travel, in this order. */
export const EVENT_COLUMNS = 'ev_id, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4';

/**
 * Create the session's temporary tables. Call once per apply session, outside a transaction.
 * kaja_stage: events of the batch; kaja_net: last event per key; kaja_outcome: counters of the event-order path.
 */
export async function createStaging(target: Session): Promise<void> {
  await target.query(`set temp_buffers = '64MB'; set work_mem = '64MB'; set jit = off;
    create temp table kaja_stage (ev_id bigint not null, ev_type text, ev_data text, ev_extra1 text, ev_extra2 text, ev_extra3 text, ev_extra4 text) on commit delete rows;
    create temp table kaja_net (plan_id int not null, op "char" not null, existed smallint, data text) on commit delete rows;
    create temp table kaja_outcome (plan_id int primary key, inserted bigint not null default 0, updated bigint not null default 0, deleted bigint not null default 0,
      update_missing bigint not null default 0, delete_missing bigint not null default 0, insert_found bigint not null default 0) on commit delete rows`);
}

/**
 * Stream events into kaja_stage, inside the target's open transaction. Rows stay bytes all the way.
 * @param eventSql SELECT on the provider that yields the ten event columns
 * @returns bytes that travelled
 */
export async function stageEvents(
  source: Session,
  eventSql: string,
  target: Session,
  signal?: AbortSignal,
): Promise<number> {
  const result = await copyBetween({
    from: source,
    fromSql: `copy (select ${EVENT_COLUMNS} from (${eventSql}) e) to stdout`,
    to: target,
    toSql: `copy pg_temp.kaja_stage (${EVENT_COLUMNS}) from stdin`,
    ...(signal ? { signal } : {}),
  });
  return result.bytes;
}

/** From this number of tables in a batch on, each table's statements should not read the events of all others. */
const MANY_TABLES = 16;

/** Give the staging tables indexes when a batch touches many tables; they stay for the session. */
export async function indexStaging(target: Session, tables: number): Promise<void> {
  if (tables < MANY_TABLES) return;
  await target.query(`create index if not exists kaja_stage_table on pg_temp.kaja_stage (ev_extra1);
    create index if not exists kaja_net_plan on pg_temp.kaja_net (plan_id)`);
}

/** What the staged batch holds: one row per table and event type. */
export interface StagedGroup {
  readonly tableName: string | null;
  readonly type: string;
  readonly events: number;
  readonly firstEvent: bigint;
  readonly lastEvent: bigint;
}

/** Read the groups of the staged batch. */
export async function readGroups(target: Session): Promise<StagedGroup[]> {
  return target.query<StagedGroup>(
    `select ev_extra1 as "tableName", ev_type as "type", count(*)::int as events, min(ev_id) as "firstEvent", max(ev_id) as "lastEvent"
       from pg_temp.kaja_stage group by 1, 2 order by 4`,
  );
}
