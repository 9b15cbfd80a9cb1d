/** One statement per table that applies a small batch: events come as parameters, counters may be stored with them. */
import { quoteLiteral } from '../db/names.ts';
import { ADD_TO_STATS, INTO_STATS } from './divergence.ts';
import { deleteRows, EXPECTATIONS, insertRows, netOf, updateRows } from './net-effect.ts';
import { field, filterOf, type RowPlan, rowType, writtenColumns } from './row-plan.ts';

/** Counters a statement returns, in this order. */
export const COUNTERS = [
  'inserted',
  'updated',
  'deleted',
  'updateMissing',
  'deleteMissing',
  'insertFound',
] as const;

/** Events of one table: $1 operations (I, U, D) and $2 rows, both text[] in the order of the events. */
const EVENTS = (plan: RowPlan): string =>
  `select u.ev_id, u.op, u.data, u.data::${rowType(plan)} as r from unnest($1::text[], $2::text[]) with ordinality as u(op, data, ev_id) offset 0`;

const withStats = (queue: string | null, plan: RowPlan, parts: readonly string[]): string =>
  `with ${[...parts, ...(queue === null ? [] : [stats(queue, plan)])].join(',\n')}
select inserted, updated, deleted, update_missing, delete_missing, insert_found from counters`;

const stats = (queue: string, plan: RowPlan): string => `stats as (${INTO_STATS}
  select ${quoteLiteral(queue)}, ${quoteLiteral(plan.route.tableName)}, c.inserted, c.updated, c.deleted, greatest(c.update_missing, 0), greatest(c.delete_missing, 0),
         c.insert_found, case when c.update_missing + c.delete_missing + c.insert_found > 0 then clock_timestamp() end from counters c
  ${ADD_TO_STATS})`;

/**
 * Insert the rows of a table whose events are all inserts; unique_violation when one is there already.
 * @param queue where counters are stored; null: nowhere
 */
export function insertSmall(queue: string | null, plan: RowPlan): string {
  const columns = writtenColumns(plan);
  const filter = filterOf(plan, 'e.r');
  return withStats(queue, plan, [
    `added as (insert into ${plan.route.dest} (${columns.map((column) => column.dest).join(', ')}) overriding system value
  select ${columns.map((column) => field('e.r', column)).join(', ')} from (${EVENTS(plan)}) e${filter ? ` where ${filter}` : ''} returning 1)`,
    `counters as (select count(*) as inserted, 0 as updated, 0 as deleted, 0 as update_missing, 0 as delete_missing, 0 as insert_found from added)`,
  ]);
}

/**
 * Apply the net effect: deletes, then updates of rows that exist, then inserts of the rest if there is one. Each waits for the one
 * before by a condition on its count, because parts of one statement run in no order of their own.
 * @param queue where counters are stored; null: nowhere
 * @param updatesOnly all events are updates
 */
export function applySmall(queue: string | null, plan: RowPlan, updatesOnly: boolean): string {
  const net = 'select net.op, net.existed, net.r from net';
  // With a filter, rows may have begun to match.
  const updateMissing =
    plan.route.where === null ? 'x.upserts - x.updated - (x.inserts_expected - x.insert_found)' : '0';
  return withStats(queue, plan, [
    `net as materialized (${netOf([plan], EVENTS, updatesOnly)})`,
    `gone as (${deleteRows(plan, net)})`,
    `changed as materialized (${updateRows(plan, net, ' and (select count(*) from gone) >= 0')})`,
    `added as (${insertRows(plan, net, " and (select count(*) from changed) < (select count(*) from net where op = 'U')")} returning 1)`,
    `counters as (select x.upserts - x.updated as inserted, x.updated, x.deleted, ${updateMissing} as update_missing,
         x.deletes_expected - x.deleted_expected as delete_missing, x.insert_found
    from (select n.*, g.*, c.* from (select ${EXPECTATIONS} from net) n,
         (select count(*) as deleted, count(*) filter (where op = 'D' and existed = 1) as deleted_expected from gone) g,
         (select count(*) as updated, count(*) filter (where existed = 0) as insert_found from changed) c) x)`,
  ]);
}
