/** Which tables this node has, in which state, and where their events go. */
import { quoteIdent } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { type Dict, parseDict } from '../queue/urlencoded-dict.ts';
import type { RowStyle, TableRoute } from './row-plan.ts';

/** How the apply session keeps triggers and foreign keys quiet. */
export type ApplyRole = 'replica' | 'marker';

/** A table registered on this node (`londiste.table_info.local`). */
export interface LocalTable {
  readonly tableName: string;
  /** Unquoted physical name. */
  readonly destName: string;
  /** As Londiste stores it: null, in-copy, catching-up, wanna-sync:N, ok. */
  readonly mergeState: string | null;
  readonly attrs: Dict;
  /** Tick the copied rows stand at. */
  readonly copyTick: bigint | null;
  /** Null when the table does not exist on this node (any more). */
  readonly route: TableRoute | null;
}

interface TableRow {
  tableName: string;
  destName: string;
  mergeState: string | null;
  attrs: string | null;
  copyTick: bigint | null;
  style: RowStyle | null;
  dest: string | null;
  kind: string | null;
  relid: number | null;
  firing: boolean;
  keyIndexed: boolean;
  keyUnique: boolean;
  keyLead: string | null;
  referencedOutside: boolean;
  referenced: boolean;
}

const TABLES_SQL = `
with t as (
  select i.nr, i.table_name, coalesce(i.dest_table, i.table_name) as dest_name, i.merge_state, i.table_attrs, k.copy_tick, k.style,
         to_regclass(londiste.quote_fqname(coalesce(i.dest_table, i.table_name))) as rel
    from londiste.table_info i left join kaja.table_copy k on k.queue_name = i.queue_name and k.table_name = i.table_name
   where i.queue_name = $1 and i.local)
select t.table_name as "tableName", t.dest_name as "destName", t.merge_state as "mergeState", t.table_attrs as attrs, t.copy_tick as "copyTick",
       t.style, case when c.oid is not null then format('%I.%I', n.nspname, c.relname) end as dest, c.relkind::text as kind, c.oid::int8::int as relid,
       exists (select from pg_trigger g join pg_proc p on p.oid = g.tgfoid join pg_namespace s on s.oid = p.pronamespace
                where g.tgrelid = c.oid and not g.tgisinternal and (g.tgenabled in ('A', 'R') or g.tgenabled = 'O' and $2)
                  and s.nspname not in ('kaja', 'pgq')) as firing,
       exists (select from pg_index x where x.indrelid = c.oid and x.indisunique and x.indisvalid and x.indpred is null) as "keyIndexed",
       coalesce(k.immediate, false) as "keyUnique", k.lead as "keyLead",
       coalesce(c.oid in (select f.confrelid from pg_constraint f where f.contype = 'f' and f.conrelid <> f.confrelid), false) as "referencedOutside",
       coalesce(c.oid in (select f.confrelid from pg_constraint f where f.contype = 'f'), false) as referenced
  from t left join pg_class c on c.oid = t.rel left join pg_namespace n on n.oid = c.relnamespace
       left join lateral (
         select bool_or(x.indimmediate) as immediate, (array_agg(a.attname::text order by x.indisprimary desc, x.indexrelid))[1] as lead
           from pg_index x join pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
          where x.indrelid = c.oid and x.indisunique and x.indisvalid and x.indpred is null
            and not exists (select from unnest(x.indkey[0:x.indnkeyatts - 1]) u(attnum)
                             where u.attnum not in (select m.dest_attnum from kaja.column_map m
                                                     where m.queue_name = $1 and m.table_name = t.table_name and m.key_position is not null and m.dest_attnum is not null))) k on true
 order by t.nr, t.table_name`;

/**
 * Read the node's tables with one query, whatever their number, and one for foreign keys when the order of tables counts.
 * @param role with 'marker' ordinary triggers and foreign keys fire while changes are applied
 */
export async function readLocalTables(
  target: Session,
  queue: string,
  role: ApplyRole,
): Promise<LocalTable[]> {
  const rows = await target.query<TableRow>(TABLES_SQL, [queue, role === 'marker']);
  const ranks = role === 'marker' ? await foreignKeyRanks(target) : new Map<number, number>();
  return rows.map((row) => ({
    tableName: row.tableName,
    destName: row.destName,
    mergeState: row.mergeState,
    attrs: parseDict(row.attrs),
    copyTick: row.copyTick,
    route:
      row.dest === null || row.relid === null
        ? null
        : routeOf(row, row.dest, ranks.get(row.relid) ?? 0, role),
  }));
}

function routeOf(row: TableRow, dest: string, rank: number, role: ApplyRole): TableRoute {
  const where = parseDict(row.attrs).get('where') ?? null;
  const only = row.kind === 'r';
  const empty =
    where !== null
      ? `delete from ${dest} where (${where}\n)`
      : row.referencedOutside
        ? `delete from ${only ? 'only ' : ''}${dest}`
        : `truncate ${only ? 'only ' : ''}${dest}`;
  return {
    tableName: row.tableName,
    dest,
    only,
    style: row.style ?? 'key',
    where,
    inEventOrder: row.firing,
    replaceable: !row.firing && (role === 'replica' || !row.referenced),
    referenced: role === 'marker' && row.referenced,
    keyIndexed: row.keyIndexed,
    keyUnique: row.keyUnique,
    keyLead: row.keyLead === null ? null : quoteIdent(row.keyLead),
    empty,
    rank,
  };
}

/** Depth of each relation in the graph of foreign keys: referenced tables come before those that reference them. */
async function foreignKeyRanks(target: Session): Promise<Map<number, number>> {
  const edges = await target.query<{ child: number; parent: number }>(
    `select conrelid::int8::int as child, confrelid::int8::int as parent from pg_constraint where contype = 'f' and conrelid <> confrelid`,
  );
  const ranks = new Map<number, number>();
  // At most one pass per level; cycles stop at the number of edges.
  for (let changed = true, pass = 0; changed && pass <= edges.length; pass++) {
    changed = false;
    for (const { child, parent } of edges) {
      const rank = (ranks.get(parent) ?? 0) + 1;
      if (rank > (ranks.get(child) ?? 0) && rank <= edges.length) {
        ranks.set(child, rank);
        changed = true;
      }
    }
  }
  return ranks;
}
