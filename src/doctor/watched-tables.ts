/** Which tables of a database the doctor looks at, with their columns and keys. */
import { readColumns } from '../db/catalog/columns.ts';
import { readKeys } from '../db/catalog/keys.ts';
import { findRelations, listRelations, type RelationKind } from '../db/catalog/relation.ts';
import type { Session } from '../db/session.ts';
import { chooseNames } from '../tables/expand-names.ts';
import type { KeyStyle } from '../tables/source-table.ts';
import type { WatchedTable } from './side.ts';

/** Tables that are not registered but shall be looked at. */
export interface Candidates {
  /** Over `schema.table`. */
  readonly patterns?: readonly string[];
  /** Every table, when none is registered and there are no patterns. */
  readonly all?: boolean;
  /** Those of these that exist, and no others. */
  readonly names?: readonly string[];
}

interface Registered {
  readonly table: string;
  readonly name: string;
  readonly mergeState: string | null;
  readonly style: KeyStyle | null;
  readonly keyColumns: string[];
}

/** What kaja knows of a key is in tables that not everybody may read: then style and key stay unknown. */
async function readRegistered(session: Session, queue: string, kaja: boolean): Promise<Registered[]> {
  const keys = kaja
    ? `coalesce(c.style, k.style) as style,
       case when c.style is not null
            then array(select a.attname::text from unnest(c.key_attnums) with ordinality u (attnum, n)
                         join pg_attribute a on a.attrelid = c.relid and a.attnum = u.attnum order by u.n)
            else '{}'::text[] end as "keyColumns"
       from londiste.table_info i
       left join kaja.capture c on (c.queue_name, c.table_name) = (i.queue_name, i.table_name)
       left join kaja.table_copy k on (k.queue_name, k.table_name) = (i.queue_name, i.table_name)`
    : `null::text as style, '{}'::text[] as "keyColumns" from londiste.table_info i`;
  return session.query<Registered>(
    `select i.table_name as "table", coalesce(i.dest_table, i.table_name) as name, i.merge_state as "mergeState", ${keys}
      where i.queue_name = $1 and i.local order by i.nr, i.table_name`,
    [queue],
  );
}

const READABLE = `
  select coalesce(bool_and(has_table_privilege(c.oid, 'select')) filter (where n.nspname = 'londiste'), false) as londiste,
         coalesce(bool_and(has_table_privilege(c.oid, 'select')) filter (where n.nspname = 'kaja'), false) as kaja
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where (n.nspname, c.relname) in (('londiste', 'table_info'), ('kaja', 'capture'), ('kaja', 'table_copy'))
     and has_schema_privilege(n.oid, 'usage')`;

const TABLES: readonly RelationKind[] = ['table', 'partitioned table', 'foreign table'];

/**
 * Read registered tables of a queue and candidates; one round trip per kind of fact.
 * @returns tables, and patterns that nothing matches
 */
export async function readWatchedTables(
  session: Session,
  queue: string | undefined,
  candidates: Candidates,
): Promise<{ tables: WatchedTable[]; unmatched: readonly string[] }> {
  const may = await session.one<{ londiste: boolean; kaja: boolean }>(READABLE);
  const registered =
    queue !== undefined && may.londiste ? await readRegistered(session, queue, may.kaja) : [];
  const known = new Set(registered.map((one) => one.name));
  const { names, unmatched } = await chooseCandidates(session, candidates, known);
  const list: Registered[] = [
    ...registered,
    ...names.map((name) => ({ table: name, name, mergeState: null, style: null, keyColumns: [] })),
  ];
  const relations = await findRelations(
    session,
    list.map((one) => one.name),
  );
  const oids = [...relations.values()].map((one) => one.oid);
  const columns = await readColumns(session, oids);
  const keys = await readKeys(session, oids);
  const tables = list.map((one, at): WatchedTable => {
    const relation = relations.get(one.name);
    return {
      ...one,
      registered: at < registered.length,
      style: one.style ?? undefined,
      relation,
      columns: (relation && columns.get(relation.oid)) ?? [],
      keys: (relation && keys.get(relation.oid)) ?? [],
    };
  });
  return { tables, unmatched };
}

async function chooseCandidates(
  session: Session,
  { patterns = [], all = false, names }: Candidates,
  known: ReadonlySet<string>,
): Promise<{ names: readonly string[]; unmatched: readonly string[] }> {
  if (!all && patterns.length === 0 && !names) return { names: [], unmatched: [] };
  const kinds: readonly RelationKind[] =
    patterns.length > 0 ? [...TABLES, 'view', 'materialized view'] : TABLES;
  // A partition goes with its table.
  const relations = (await listRelations(session, { kinds })).filter((one) => !one.isPartition);
  const there = relations.map((one) => one.fqName);
  if (names) return { names: names.filter((one) => there.includes(one) && !known.has(one)), unmatched: [] };
  const choice = chooseNames({
    words: patterns,
    all: all && patterns.length === 0 && known.size === 0,
    force: false,
    candidates: there.filter((one) => !known.has(one)),
    processed: [...known],
  });
  return { names: choice.names, unmatched: choice.unknown };
}
