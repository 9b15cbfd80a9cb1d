/** Tables of both sides: same columns, types that go together, an index for the key. */

import type { Column } from '../db/catalog/columns.ts';
import { quoteFqName, quoteIdent } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { type ColumnMapping, readColumnMap } from '../tables/column-map.ts';
import { ownKey } from '../tables/source-table.ts';
import { hasUniqueIndexOn, type TypedColumn } from '../tables/table-structure.ts';
import { isComparable, readBaseTypes } from '../tables/type-family.ts';
import type { PairCheck } from './check.ts';
import { count, error, info, listNames, ok, type Verdict, warning } from './finding.ts';
import { type PairedTable, pairTables } from './pair-tables.ts';
import type { WatchedTable } from './side.ts';

/** What is compared. */
export interface ColumnRequest {
  /** Physical name on the subscriber. */
  readonly name: string;
  readonly registered: boolean;
  readonly source: readonly TypedColumn[];
  readonly dest: readonly TypedColumn[];
  /** Empty: columns go together by name. */
  readonly map: readonly Pick<ColumnMapping, 'sourceAttnum' | 'destAttnum'>[];
}

/** A column of the provider and where it goes. */
export interface ColumnPair<C extends Column = TypedColumn> {
  readonly source: C;
  /** Null: left out on purpose; undefined: missing. */
  readonly dest: C | null | undefined;
}

/** Pair the columns of both sides, by the map or by name. */
export function pairColumns<C extends Column>(
  source: readonly C[],
  dest: readonly C[],
  map: ColumnRequest['map'],
): ColumnPair<C>[] {
  return source.map((column) => {
    const mapped = map.find((one) => one.sourceAttnum === column.attnum);
    if (mapped?.destAttnum === null) return { source: column, dest: null };
    const found = mapped && dest.find((one) => one.attnum === mapped.destAttnum);
    return { source: column, dest: found ?? dest.find((one) => one.name === column.name) };
  });
}

const INTEGERS = ['pg_catalog.int2', 'pg_catalog.int4', 'pg_catalog.int8', 'pg_catalog.numeric'];

/** Does every value of the one type fit into the other? */
export function takesAll(source: TypedColumn, dest: TypedColumn): boolean {
  if (source.type === dest.type) return true;
  if (dest.type === 'text') return true;
  if (dest.type === 'numeric' || source.base.name !== dest.base.name) {
    const [from, to] = [INTEGERS.indexOf(source.base.name), INTEGERS.indexOf(dest.base.name)];
    return from >= 0 && to >= from && !dest.type.includes('(');
  }
  // The same type, other modifiers: none takes all, a bigger length takes a smaller.
  const length = (type: string): number | undefined => {
    const digits = /\((\d+)\)/.exec(type)?.[1];
    return digits === undefined ? undefined : Number(digits);
  };
  const [from, to] = [length(source.type), length(dest.type)];
  return !dest.type.includes('(') || (from !== undefined && to !== undefined && to >= from);
}

/** Compare the columns of a table. */
export function judgeColumns(request: ColumnRequest): Verdict[] {
  const { name, dest } = request;
  const quoted = quoteFqName(name);
  const bad = request.registered ? error : warning;
  const pairs = pairColumns(request.source, dest, request.map);
  const list: Verdict[] = [];
  const missing = pairs.flatMap((pair) => (pair.dest === undefined ? pair.source : []));
  if (missing.length > 0) {
    const adds = missing.map((column) => `add column ${quoteIdent(column.name)} ${column.type}`).join(', ');
    list.push(
      bad(
        `table ${name} lacks columns of the provider: ${listNames(missing.map((one) => one.name))}`,
        `alter table ${quoted} ${adds}`,
      ),
    );
  }
  for (const { source, dest: to } of pairs) {
    if (!to || to.generated) continue;
    const column = quoteIdent(to.name);
    const types = `column ${column} of table ${name} is ${to.type} here and ${source.type} on the provider`;
    const alter = `alter table ${quoted} alter column ${column}`;
    if (!isComparable(source.base, to.base))
      list.push(bad(`${types}: these do not go together`, `${alter} type ${source.type}`));
    else if (!takesAll(source, to))
      list.push(warning(`${types}: values that do not fit stop replication`, `${alter} type ${source.type}`));
    else if (source.type !== to.type) list.push(info(types));
    if (to.notNull && !source.notNull)
      list.push(
        warning(
          `column ${column} of table ${name} is NOT NULL here and not on the provider: a NULL stops replication`,
          `${alter} drop not null`,
        ),
      );
  }
  const filled = new Set(pairs.flatMap((pair) => pair.dest?.attnum ?? []));
  for (const column of dest) {
    if (
      filled.has(column.attnum) ||
      !column.notNull ||
      column.default !== null ||
      column.identity ||
      column.generated
    )
      continue;
    list.push(
      bad(
        `column ${quoteIdent(column.name)} of table ${name} is NOT NULL without a default and the provider has no such column`,
        `alter table ${quoted} alter column ${quoteIdent(column.name)} drop not null, or give it a default`,
      ),
    );
  }
  return list;
}

/** Is there an index on the subscriber that finds rows by the provider's key? */
export function judgeKeyIndex(
  source: WatchedTable,
  dest: WatchedTable,
  map: ColumnRequest['map'],
): Verdict[] {
  const style = source.style ?? dest.style;
  if (!source.relation || !dest.relation || style === 'whole_row' || style === 'insert_only') return [];
  const named =
    source.keyColumns.length > 0
      ? source.keyColumns
      : ownKey({ relation: source.relation, keys: source.keys, columns: [] })?.columns;
  const columns = (named ?? []).map((name) => {
    const attnum = source.columns.find((one) => one.name === name)?.attnum;
    const mapped = map.find((one) => one.sourceAttnum === attnum)?.destAttnum;
    return dest.columns.find((one) => one.attnum === mapped)?.name ?? name;
  });
  if (
    columns.length === 0 ||
    hasUniqueIndexOn({ relation: dest.relation, keys: dest.keys, columns: [] }, columns)
  )
    return [];
  const list = columns.map(quoteIdent).join(', ');
  return [
    warning(
      `table ${dest.name} has no unique index on (${list}): every change looks through the whole table`,
      `create unique index concurrently on ${quoteFqName(dest.relation)} (${list})`,
    ),
  ];
}

type TypeMap = Awaited<ReturnType<typeof readBaseTypes>>;
const UNKNOWN = { name: 'pg_catalog.unknown', category: 'X', depth: 0 };
const typed = (table: WatchedTable, types: TypeMap): TypedColumn[] =>
  table.columns.map((column) => ({ ...column, base: types.get(column.typeOid) ?? UNKNOWN }));
const typesOf = (session: Session, tables: readonly (WatchedTable | undefined)[]): Promise<TypeMap> =>
  readBaseTypes(
    session,
    tables.flatMap((one) => (one?.columns ?? []).map((column) => column.typeOid)),
  );

async function readMap(
  session: Session,
  queue: string | undefined,
  table: PairedTable,
): Promise<ColumnMapping[]> {
  if (!table.subscriber?.registered || queue === undefined) return [];
  return readColumnMap(session, queue, table.table);
}

/** All tables that both sides have. */
export const checkStructure: PairCheck = {
  name: 'structure',
  async run(pair) {
    const { provider, subscriber } = pair;
    const tables = pairTables(pair);
    const there = await typesOf(
      provider.session,
      tables.map((one) => one.provider),
    );
    const here = await typesOf(
      subscriber.session,
      tables.map((one) => one.subscriber),
    );
    const mapped = await subscriber.session.value<boolean>(
      `select coalesce((select has_table_privilege(c.oid, 'select') from pg_class c join pg_namespace n on n.oid = c.relnamespace
                         where n.nspname = 'kaja' and c.relname = 'column_map'), false)`,
    );
    const list: Verdict[] = [];
    const absent: string[] = [];
    for (const one of tables) {
      const { provider: source, subscriber: dest } = one;
      if (!source?.relation) {
        if (dest?.registered)
          list.push(
            error(
              `table ${one.table} is replicated here and the provider does not have it`,
              `kaja INI remove-table ${one.table}, or add it on the provider`,
            ),
          );
      } else if (!dest?.relation) {
        if (!dest?.registered) absent.push(source.name);
      } else {
        const map = mapped ? await readMap(subscriber.session, subscriber.queue, one) : [];
        const request = {
          name: dest.name,
          registered: dest.registered,
          source: typed(source, there),
          dest: typed(dest, here),
          map,
        };
        list.push(...judgeColumns(request), ...judgeKeyIndex(source, dest, map));
      }
    }
    if (absent.length > 0)
      list.push(
        info(
          `${count(absent.length, 'table')} of the provider not here yet: ${listNames(absent)}`,
          'add-table --create makes them',
        ),
      );
    if (tables.length > 0 && list.length === 0)
      list.push(ok(`structure of ${count(tables.length, 'table')} agrees`));
    return list;
  },
};
