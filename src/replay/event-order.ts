/**
 * Apply events one by one in the order of their ids, where the net effect cannot stand for them: a unique, exclusion or
 * foreign key constraint hit in between, triggers that must fire, formats of Londiste's own triggers.
 * Text of one DO block; apply-batch.ts runs it. Outcome rows land in pg_temp.kaja_outcome.
 */
import { quoteLiteral } from '../db/names.ts';
import { isStaged } from './net-effect.ts';
import {
  field,
  filterOf,
  keyMatch,
  type RowPlan,
  rowType,
  type TableRoute,
  targetOf,
  writtenColumns,
} from './row-plan.ts';

/** A TRUNCATE to carry out when its event's turn comes. */
export interface OrderedTruncate {
  readonly tableName: string;
  /** Statement that empties the table here. */
  readonly statement: string;
}

const count = (plan: RowPlan, counter: string): string =>
  `update pg_temp.kaja_outcome set ${counter} = ${counter} + 1 where plan_id = ${plan.id};`;

function applyOne(plan: RowPlan): string {
  const columns = writtenColumns(plan);
  const list = columns.map((column) => column.dest).join(', ');
  const values = columns.map((column) => field('n.r', column)).join(', ');
  const source = `(select e.ev_data::${rowType(plan)} as r offset 0) n`;
  const insert = `insert into ${plan.route.dest} (${list}) overriding system value select ${values} from ${source};`;
  const filter = filterOf(plan, 'n.r');
  const unwanted = filter ? `select not ${filter} into v_unwanted from ${source};` : 'v_unwanted := false;';
  if (plan.route.style !== 'key') {
    const image = columns.map((column) => field('n.r', column)).join(', ');
    return `${unwanted}
      if v_unwanted then null;
      elsif left(e.ev_type, 1) = 'D' then
        delete from ${targetOf(plan)} t where (t.tableoid, t.ctid) = (select d.tableoid, d.ctid from ${targetOf(plan)} d, ${source} where row(${columns.map((column) => `d.${column.dest}`).join(', ')})::text = row(${image})::text limit 1);
        get diagnostics v_rows = row_count;
        if v_rows = 0 then ${count(plan, 'delete_missing')} else ${count(plan, 'deleted')} end if;
      else
        ${insert}
        ${count(plan, 'inserted')}
      end if;`;
  }
  const match = keyMatch(plan, 'n.r');
  const sets = columns
    .filter((column) => !column.key && column.updatable)
    .map((column) => `${column.dest} = ${field('n.r', column)}`);
  const remove = `delete from ${targetOf(plan)} t using ${source} where ${match};
        get diagnostics v_rows = row_count;`;
  const change =
    sets.length > 0
      ? `update ${targetOf(plan)} t set ${sets.join(', ')} from ${source} where ${match};
        get diagnostics v_rows = row_count;`
      : `select count(*) into v_rows from ${targetOf(plan)} t, ${source} where ${match};`;
  return `${unwanted}
      if left(e.ev_type, 1) = 'D' or v_unwanted then
        ${remove}
        if v_rows > 0 then ${count(plan, 'deleted')} elsif left(e.ev_type, 1) = 'D' and not v_unwanted then ${count(plan, 'delete_missing')} end if;
      else
        ${change}
        if v_rows = 0 then
          ${insert}
          if left(e.ev_type, 1) = 'U' then ${filter ? count(plan, 'inserted') : count(plan, 'update_missing')} else ${count(plan, 'inserted')} end if;
        elsif left(e.ev_type, 1) = 'I' then ${count(plan, 'insert_found')}
        else ${count(plan, 'updated')} end if;
      end if;`;
}

/** Row of pg_temp.kaja_outcome that counts for an upstream table; plans have positive numbers. */
export const upstreamOutcome = (index: number): number => -1 - index;

/**
 * DO block that applies the staged events of the plans in order.
 * @param plans every plan of the batch
 * @param truncates tables whose event R empties them here
 * @param upstream tables that have events in the formats of Londiste's own triggers
 */
export function applyInOrder(
  plans: readonly RowPlan[],
  truncates: readonly OrderedTruncate[],
  upstream: readonly TableRoute[],
): string {
  const cases = plans.map(
    (plan) => `    if ${isStaged(plan, 'e')} then\n      ${applyOne(plan)}\n      continue;\n    end if;`,
  );
  const empties = truncates.map(
    (one) =>
      `    if e.ev_type = 'R' and e.ev_extra1 = ${quoteLiteral(one.tableName)} then\n      ${one.statement};\n      continue;\n    end if;`,
  );
  const others = upstream.map(
    (
      route,
      index,
    ) => `    if e.ev_extra1 = ${quoteLiteral(route.tableName)} and e.ev_type ~ '^([IUD]$|[IUD]:|\\{")' then
      v_result := kaja.apply_upstream_event(e.ev_type, e.ev_data, ${quoteLiteral(`${route.only ? 'only ' : ''}${route.dest}`)}, ${route.where === null ? 'null' : quoteLiteral(route.where)});
      update pg_temp.kaja_outcome set inserted = inserted + (v_result = 'inserted')::int, updated = updated + (v_result = 'updated')::int, deleted = deleted + (v_result = 'deleted')::int,
        update_missing = update_missing + (v_result = 'update_missing')::int, delete_missing = delete_missing + (v_result = 'delete_missing')::int,
        insert_found = insert_found + (v_result = 'insert_found')::int where plan_id = ${upstreamOutcome(index)};
      continue;
    end if;`,
  );
  const body = `#variable_conflict use_column
declare
  e record;
  v_rows bigint;
  v_unwanted boolean;
  v_result text;
begin
  for e in select * from pg_temp.kaja_stage order by ev_id loop
${[...cases, ...empties, ...others].join('\n')}
  end loop;
end`;
  return `do ${quoteLiteral(body)}`;
}
