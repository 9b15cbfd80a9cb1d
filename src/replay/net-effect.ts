/**
 * Set-based apply: the last event of each key decides, with one DELETE, one UPDATE and one INSERT per table.
 * Text of the SQL only; apply-batch.ts runs it.
 *
 * Divergence: a row existed before the batch iff `after - #I + #D = 1`, where after is 1 when the key's last event
 * is an insert or update. The statements compare that with what they find.
 */
import { quoteLiteral } from '../db/names.ts';
import {
  field,
  filterOf,
  keyColumns,
  keyMatch,
  type RowPlan,
  rowType,
  targetOf,
  writtenColumns,
} from './row-plan.ts';

/** Range of event ids a plan applies. */
export interface EventRange {
  /** Events with smaller or equal ids were overtaken by a TRUNCATE. */
  readonly afterEvent: string;
}

/** Condition: the staged event `alias` belongs to the plan. */
export function isStaged(plan: RowPlan, alias: string): string {
  const types = ['I', 'U', 'D'].map((op) => quoteLiteral(`${op}/${plan.shape}`));
  return `${alias}.ev_extra1 = ${quoteLiteral(plan.route.tableName)} and ${alias}.ev_type in (${types.join(', ')})`;
}

/** Events of the plan's shape in the staging table, parsed: event id, operation, row. */
export function stagedRows(plan: RowPlan, range: EventRange): string {
  return `select s.ev_id, left(s.ev_type, 1) as op, s.ev_data as data, s.ev_data::${rowType(plan)} as r
    from pg_temp.kaja_stage s where ${isStaged(plan, 's')} and s.ev_id > ${range.afterEvent} offset 0`;
}

const netRows = (plan: RowPlan): string =>
  `select n.op, n.existed, n.data::${rowType(plan)} as r from pg_temp.kaja_net n where n.plan_id = ${plan.id} offset 0`;

/**
 * Insert-only batch: straight into the table. Fails with unique_violation when a row is there already; the caller
 * then takes the general way.
 */
export function insertStaged(plan: RowPlan, range: EventRange): string {
  const columns = writtenColumns(plan);
  const filter = filterOf(plan, 'e.r');
  return `insert into ${plan.route.dest} (${columns.map((column) => column.dest).join(', ')}) overriding system value
  select ${columns.map((column) => field('e.r', column)).join(', ')} from (${stagedRows(plan, range)}) e${filter ? ` where ${filter}` : ''}`;
}

/**
 * Rows of a table's events reduced to one per key, whatever their shapes: plan_id, op U (stands afterwards), D (deleted) or X (does
 * not match the filter any more), whether the row must have existed before (null: cannot be known), the last event's data and row.
 * @param events per plan a SELECT of ev_id, op, data, r
 * @param updatesOnly all operations are known to be U
 */
export function netOf(
  plans: readonly RowPlan[],
  events: (plan: RowPlan) => string,
  updatesOnly = false,
): string {
  const keyNames = (plans[0] ? keyColumns(plans[0]) : []).map((_, n) => `k${n}`).join(', ');
  const filtered = plans.some((plan) => plan.route.where !== null);
  // Rows of several shapes have several types; only one plan's can be handed on.
  const row = plans.length === 1 ? ', e.r' : '';
  const all = plans.map((plan) => {
    const keys = keyColumns(plan).map((column, n) => `${field('e.r', column)} as k${n}`);
    return `select ${plan.id} as plan_id, e.ev_id, e.op, e.data${row}, ${filterOf(plan, 'e.r') ?? 'true'} as wanted, ${keys.join(', ')} from (${events(plan)}) e`;
  });
  const last = updatesOnly
    ? `select distinct on (${keyNames}) e.*, 1 as existed from (${all.join('\n      union all\n')}) e order by ${keyNames}, e.ev_id desc`
    : `select y.* from (
      select e.*, (case when e.op = 'D' then 0 else 1 end) - sum(case e.op when 'I' then 1 when 'D' then -1 else 0 end) over (partition by ${keyNames}) as existed,
             row_number() over (partition by ${keyNames} order by e.ev_id desc) as n
        from (${all.join('\n      union all\n')}) e) y
     where y.n = 1`;
  // With a filter only a net insert or a delete of a matching row says what stood here before.
  const expectation = filtered
    ? `case when x.existed = 0 then 0 when x.op = 'D' and x.wanted then 1 end`
    : 'x.existed';
  return `select x.plan_id, case when x.op = 'D' then 'D' when x.wanted then 'U' else 'X' end as op, ${expectation} as existed, x.data${row && ', x.r'}
      from (${last}) x`;
}

/** What net rows lead one to expect: deletes that expect a row, rows expected not to exist, rows that stand afterwards. */
export const EXPECTATIONS = `count(*) filter (where op = 'D' and existed = 1) as deletes_expected,
         count(*) filter (where op = 'U' and existed = 0) as inserts_expected, count(*) filter (where op = 'U') as upserts`;

/** Reduce a table's staged events into kaja_net. Returns a row per plan: plan_id and what to expect. */
export function reduceToNet(plans: readonly RowPlan[], range: EventRange): string {
  return `with net as (
    insert into pg_temp.kaja_net (plan_id, op, existed, data)
    select n.plan_id, n.op::"char", n.existed, n.data from (${netOf(plans, (plan) => stagedRows(plan, range))}) n
    returning plan_id, op, existed)
  select plan_id, ${EXPECTATIONS} from net group by plan_id`;
}

/**
 * DELETE of net rows that ended deleted, returning op and existed.
 * @param net SELECT of op, existed, r; here and below the staged ones by default
 */
export const deleteRows = (plan: RowPlan, net = netRows(plan)): string =>
  `delete from ${targetOf(plan)} t using (${net}) n where n.op <> 'U' and ${keyMatch(plan, 'n.r')} returning n.op, n.existed`;

/**
 * UPDATE of rows that exist, returning existed; only a look at them when there is nothing to set.
 * @param condition further one that must hold
 */
export function updateRows(plan: RowPlan, net = netRows(plan), condition = ''): string {
  const columns = writtenColumns(plan).filter((column) => !column.key && column.updatable);
  if (columns.length === 0)
    return `select n.existed from (${net}) n where n.op = 'U' and ${isThere(plan)}${condition}`;
  const sets = columns.map((column) => `${column.dest} = ${field('n.r', column)}`);
  return `update ${targetOf(plan)} t set ${sets.join(', ')} from (${net}) n where n.op = 'U' and ${keyMatch(plan, 'n.r')}${condition} returning n.existed`;
}

/** Condition: the row exists. OFFSET keeps it from becoming a join that may read all of the index (see `keyMatch`). */
const isThere = (plan: RowPlan): string =>
  `exists (select from ${targetOf(plan)} t where ${keyMatch(plan, 'n.r')}${plan.route.keyIndexed ? ' offset 0' : ''})`;

/** INSERT of rows that do not exist. */
export function insertRows(plan: RowPlan, net = netRows(plan), condition = ''): string {
  const columns = writtenColumns(plan);
  return `insert into ${plan.route.dest} (${columns.map((column) => column.dest).join(', ')}) overriding system value
    select ${columns.map((column) => field('n.r', column)).join(', ')} from (${net}) n
     where n.op = 'U' and not ${isThere(plan)}${condition}`;
}

/** Delete what ended deleted. Returns deleted rows, and those of them that were expected. */
export function deleteNet(plan: RowPlan): string {
  return `with gone as (${deleteRows(plan)})
  select count(*) as deleted, count(*) filter (where op = 'D' and existed = 1) as deleted_expected from gone`;
}

/** Update the rows that exist. Returns updated rows, and those that were not expected to exist. */
export function updateNet(plan: RowPlan): string {
  return `with changed as (${updateRows(plan)})
  select count(*) as updated, count(*) filter (where existed = 0) as insert_found from changed`;
}

/** Insert the rows that do not exist. */
export const insertNet = (plan: RowPlan): string => insertRows(plan);

/**
 * Take away every row the batch touches and insert those that stand afterwards: for batches whose rows pass a unique value
 * among each other, which no order of single updates may do while the constraint is checked row by row.
 * Values of this node's own columns are put aside and back. Only for `replaceable` routes.
 */
export function replaceNet(plan: RowPlan): {
  readonly keep: string | null;
  readonly remove: string;
  readonly add: string;
} {
  const columns = writtenColumns(plan);
  const list = columns.map((column) => column.dest).join(', ');
  const values = columns.map((column) => field('n.r', column)).join(', ');
  const own = plan.ownColumns;
  const kept = `pg_temp.kaja_own_${plan.id}`;
  const keys = keyColumns(plan);
  const keptMatch = keys
    .map((column, n) => `o.kaja_key_${n} ${column.equals} ${field('n.r', column)}`)
    .join(' and ');
  const keep =
    own.length === 0
      ? null
      : `create temp table kaja_own_${plan.id} on commit drop as
    select ${keys.map((column, n) => `t.${column.dest} as kaja_key_${n}`).join(', ')}, ${own.map((name) => `t.${name}`).join(', ')}
      from ${targetOf(plan)} t, (${netRows(plan)}) n where n.op = 'U' and ${keyMatch(plan, 'n.r')}`;
  const fresh = `insert into ${plan.route.dest} (${list}) overriding system value select ${values} from (${netRows(plan)}) n where n.op = 'U'`;
  const add =
    own.length === 0
      ? `with added as (${fresh} returning 1) select count(*) as added from added`
      : `with again as (insert into ${plan.route.dest} (${list}, ${own.join(', ')}) overriding system value
      select ${values}, ${own.map((name) => `o.${name}`).join(', ')} from (${netRows(plan)}) n join ${kept} o on ${keptMatch} where n.op = 'U' returning 1),
    added as (${fresh} and not exists (select from ${kept} o where ${keptMatch}) returning 1)
    select (select count(*) from again) + (select count(*) from added) as added`;
  const remove = `with gone as (delete from ${targetOf(plan)} t using (${netRows(plan)}) n where ${keyMatch(plan, 'n.r')} returning n.op, n.existed)
  select count(*) filter (where op <> 'U') as deleted, count(*) filter (where op = 'D' and existed = 1) as deleted_expected,
         count(*) filter (where op = 'U') as updated, count(*) filter (where op = 'U' and existed = 0) as insert_found from gone`;
  return { keep, remove, add };
}

/**
 * Tables without a key: rows are matched as a whole and equal rows are counted, so that exactly as many of several equal rows go
 * as went on the provider. All inserts of a table run before its deletes. Returns rows inserted.
 */
export function addWholeRows(plan: RowPlan, range: EventRange): string {
  const columns = writtenColumns(plan);
  const list = columns.map((column) => column.dest).join(', ');
  return `with net as materialized (${wholeRowNet(plan, range)}), added as (
    insert into ${plan.route.dest} (${list}) overriding system value
    select ${columns.map((column) => field('x.r', column)).join(', ')}
      from (select data::${rowType(plan)} as r, n from net where n > 0 offset 0) x, generate_series(1, x.n) returning 1)
  select count(*) as inserted from added`;
}

/** The deletes of a table without a key. Returns rows deleted, and deletes that found no row. */
export function removeWholeRows(plan: RowPlan, range: EventRange): string {
  const list = writtenColumns(plan)
    .map((column) => column.dest)
    .join(', ');
  return `with net as materialized (${wholeRowNet(plan, range)}), gone as (
    delete from ${targetOf(plan)} t using (
      select c.tableoid, c.ctid from (
        select d.tableoid, d.ctid, d.image, row_number() over (partition by d.image) as i
          from (select tableoid, ctid, row(${list})::text as image from ${targetOf(plan)}) d
         where d.image in (select image from net where n < 0)) c
        join net on net.image = c.image where c.i <= -net.n) k
     where t.ctid = k.ctid and t.tableoid = k.tableoid returning 1)
  select (select count(*) from gone) as deleted, (select coalesce(-sum(n), 0) from net where n < 0) - (select count(*) from gone) as delete_missing`;
}

/** Per distinct row: text of one of its events, its image in this node's columns, inserts minus deletes. */
function wholeRowNet(plan: RowPlan, range: EventRange): string {
  const image = `row(${writtenColumns(plan)
    .map((column) => field('e.r', column))
    .join(', ')})::text`;
  const filter = filterOf(plan, 'e.r');
  return `select min(e.data) as data, ${image} as image, sum(case e.op when 'D' then -1 else 1 end)::int as n
      from (${stagedRows(plan, range)}) e${filter ? ` where ${filter}` : ''} group by 2`;
}
