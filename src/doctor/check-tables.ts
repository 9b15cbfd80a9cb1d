/** Tables one by one: do they exist, can they be replicated at all, may the role do what it has to. */
import type { Relation } from '../db/catalog/relation.ts';
import { quoteFqName, quoteIdent } from '../db/names.ts';
import { ownKey } from '../tables/source-table.ts';
import { hasUniqueIndexOn, type TableStructure } from '../tables/table-structure.ts';
import type { SideCheck } from './check.ts';
import { count, error, info, listNames, ok, type Verdict, warning } from './finding.ts';
import { existing, gives, type Side, type WatchedTable } from './side.ts';

/** What the role may do with a table. */
export interface TableRights {
  readonly owner: boolean;
  /** Privileges the work needs and the role lacks. */
  readonly lacks: readonly string[];
  /** Policies hide rows from this role. */
  readonly rowSecurity: boolean;
}

/** Has the side to log changes of the tables (a provider), or to write them? */
export type TableTask = 'give' | 'take';

const NO_KEY =
  'add a primary key, or add-table with --key c1,c2 (columns that are unique together), --whole-row or --insert-only';

/** Judge a table that exists. */
export function judgeTable(
  table: WatchedTable & { readonly relation: Relation },
  rights: TableRights,
  task: TableTask,
  role: string,
): Verdict[] {
  const { relation, name } = table;
  const quoted = quoteFqName(relation);
  const bad = table.registered ? error : warning;
  if (relation.kind !== 'table' && relation.kind !== 'partitioned table') {
    const hint =
      relation.kind === 'foreign table'
        ? 'replicate the table on the server it comes from'
        : 'replicate the tables underneath, and create it on the other side by hand';
    return [
      (table.registered ? error : info)(`${name} is a ${relation.kind} and cannot be replicated`, hint),
    ];
  }
  const list: Verdict[] = [];
  if (relation.persistence === 'unlogged')
    list.push(
      warning(
        `table ${name} is unlogged: after a crash of this server it is empty, and the other side does not notice`,
        `alter table ${quoted} set logged`,
      ),
    );
  if (task === 'give') list.push(...judgeKey(table));
  if (rights.rowSecurity)
    list.push(
      bad(
        `row security of table ${name} applies to role ${role}: reading it fails`,
        `have a superuser run: alter role ${quoteIdent(role)} bypassrls; or, if it owns the table: alter table ${quoted} no force row level security`,
      ),
    );
  if (rights.lacks.length > 0)
    list.push(
      bad(
        `role ${role} lacks ${rights.lacks.join(', ')} on table ${name}`,
        `grant ${rights.lacks.join(', ')} on ${quoted} to ${quoteIdent(role)}`,
      ),
    );
  else if (!rights.owner && task === 'take')
    list.push(
      warning(
        `role ${role} does not own table ${name}: it cannot build its indexes or drop its foreign keys for a copy`,
        `alter table ${quoted} owner to ${quoteIdent(role)}, or grant ${quoteIdent(relation.owner)} to ${quoteIdent(role)}`,
      ),
    );
  return list;
}

function judgeKey(table: WatchedTable & { readonly relation: Relation }): Verdict[] {
  const { name, keys, columns, style, keyColumns } = table;
  const structure = { relation: table.relation, keys, columns: [] } satisfies TableStructure;
  if (style === 'whole_row' || style === 'insert_only') return [];
  if (style === 'key' && keyColumns.length > 0) {
    if (hasUniqueIndexOn(structure, keyColumns)) return [];
    const list = keyColumns.map(quoteIdent).join(', ');
    return [
      warning(
        `table ${name} is replicated by (${list}) and nothing makes these columns unique`,
        `create unique index concurrently on ${quoteFqName(table.relation)} (${list})`,
      ),
    ];
  }
  if (ownKey(structure) || columns.length === 0) return [];
  return [(table.registered ? error : warning)(`table ${name} has no key that tells its rows apart`, NO_KEY)];
}

const NEEDS: Readonly<Record<TableTask, readonly string[]>> = {
  give: ['select', 'trigger'],
  take: ['select', 'insert', 'update', 'delete', 'truncate'],
};

interface RightsRow extends TableRights {
  readonly oid: number;
}

async function readTableRights(
  side: Side,
  oids: readonly number[],
  needs: readonly string[],
): Promise<Map<number, TableRights>> {
  const rows = await side.session.query<RightsRow>(
    `select c.oid, pg_has_role(current_user, c.relowner, 'usage') as owner,
            coalesce(row_security_active(c.oid), false) as "rowSecurity",
            array(select p from unnest($2::text[]) p where not has_table_privilege(c.oid, p)
                    or not has_schema_privilege(c.relnamespace, 'usage')) as lacks
       from pg_class c where c.oid = any ($1::oid[])`,
    [oids, needs],
  );
  return new Map(rows.map((row) => [row.oid, row]));
}

/** All watched tables. */
export const checkTables: SideCheck = {
  name: 'tables',
  applies: (side) => side.role !== 'ticker',
  async run(side) {
    const task: TableTask = gives(side) ? 'give' : 'take';
    // Who only reads from a provider does not create its triggers.
    const needs = NEEDS[task].filter((one) => one !== 'trigger' || side.role === 'node');
    const found = existing(side);
    const rights = await readTableRights(
      side,
      found.map((one) => one.relation.oid),
      needs,
    );
    const list: Verdict[] = side.tables
      .filter((one) => one.registered && !one.relation)
      .map((one) =>
        error(
          `table ${one.name} is registered and does not exist`,
          task === 'give'
            ? `kaja INI remove-table ${one.table}`
            : `create it and kaja INI resync ${one.table}, or kaja INI remove-table ${one.table}`,
        ),
      );
    for (const table of found) {
      const may = rights.get(table.relation.oid) ?? { owner: false, lacks: [], rowSecurity: false };
      list.push(...judgeTable(table, may, task, side.rights.role));
    }
    if (found.length > 0 && list.length === 0)
      list.push(ok(`${count(found.length, 'table')}: ${listNames(found.map((one) => one.name))}`));
    return list;
  },
};
