/** Tables and other relations as pg_catalog describes them. */
import { type FqName, formatFqName, parseFqName } from '../names.ts';
import type { Session } from '../session.ts';

/** What pg_class.relkind stands for. */
export type RelationKind =
  | 'table'
  | 'partitioned table'
  | 'view'
  | 'materialized view'
  | 'foreign table'
  | 'sequence'
  | 'index'
  | 'other';

/** One relation. Counts are estimates of the server's statistics. */
export interface Relation extends FqName {
  readonly oid: number;
  /** Unquoted `schema.name`. */
  readonly fqName: string;
  readonly kind: RelationKind;
  readonly persistence: 'permanent' | 'unlogged' | 'temporary';
  readonly owner: string;
  readonly isPartition: boolean;
  /** Partitioned table, partition, inheritance parent or child. */
  readonly inherits: boolean;
  /** Direct parents, unquoted. */
  readonly parents: readonly string[];
  /** Direct children or partitions, unquoted. */
  readonly children: readonly string[];
  readonly rowSecurity: boolean;
  /** -1 when the table was never analyzed; a partitioned table counts its own statistics only. */
  readonly estimatedRows: number;
  /** Table with TOAST and indexes. */
  readonly sizeBytes: bigint;
}

/** Which relations `listRelations` returns. */
export interface RelationFilter {
  readonly kinds?: readonly RelationKind[] | undefined;
  readonly schemas?: readonly string[] | undefined;
}

const KINDS: Readonly<Record<string, RelationKind>> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
  S: 'sequence',
  i: 'index',
  I: 'index',
};
const PERSISTENCE = { p: 'permanent', u: 'unlogged', t: 'temporary' } as const;

interface RelationRow {
  oid: number;
  schema: string;
  name: string;
  kind: string;
  persistence: keyof typeof PERSISTENCE;
  owner: string;
  is_partition: boolean;
  row_security: boolean;
  estimated_rows: number;
  size_bytes: bigint;
  parents: string[];
  children: string[];
}

const RELATION_COLUMNS = `
  select c.oid, n.nspname::text as schema, c.relname::text as name, c.relkind::text as kind,
         c.relpersistence::text as persistence, pg_catalog.pg_get_userbyid(c.relowner)::text as owner,
         c.relispartition as is_partition, c.relrowsecurity as row_security, c.reltuples::float8 as estimated_rows,
         coalesce(pg_catalog.pg_total_relation_size(c.oid), 0) as size_bytes,
         array(select pn.nspname || '.' || p.relname from pg_catalog.pg_inherits i
                 join pg_catalog.pg_class p on p.oid = i.inhparent
                 join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace
                where i.inhrelid = c.oid order by i.inhseqno) as parents,
         array(select kn.nspname || '.' || k.relname from pg_catalog.pg_inherits i
                 join pg_catalog.pg_class k on k.oid = i.inhrelid
                 join pg_catalog.pg_namespace kn on kn.oid = k.relnamespace
                where i.inhparent = c.oid order by 1) as children
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace`;

function toRelation(row: RelationRow): Relation {
  return {
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    fqName: formatFqName(row),
    kind: KINDS[row.kind] ?? 'other',
    persistence: PERSISTENCE[row.persistence],
    owner: row.owner,
    isPartition: row.is_partition,
    inherits: row.kind === 'p' || row.parents.length > 0 || row.children.length > 0,
    parents: row.parents,
    children: row.children,
    rowSecurity: row.row_security,
    estimatedRows: row.estimated_rows,
    sizeBytes: row.size_bytes,
  };
}

/**
 * Find relations by unquoted `schema.name` (first dot separates, `public` when missing), all in one round trip.
 * @returns found ones by the name that was asked for; missing ones are absent
 */
export async function findRelations(
  session: Session,
  names: readonly string[],
): Promise<Map<string, Relation>> {
  const parts = names.map(parseFqName);
  const rows = await session.query<RelationRow>(
    `${RELATION_COLUMNS}
      join (select distinct * from rows from (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]))) as w (schema, name)
        on w.schema = n.nspname and w.name = c.relname`,
    [parts.map((one) => one.schema), parts.map((one) => one.name)],
  );
  const byName = new Map(rows.map((row) => [`${row.schema}.${row.name}`, toRelation(row)]));
  const found = new Map<string, Relation>();
  names.forEach((asked, index) => {
    const part = parts[index];
    const relation = part && byName.get(formatFqName(part));
    if (relation) found.set(asked, relation);
  });
  return found;
}

/** As `findRelations` for one name; undefined when it does not exist. */
export async function findRelation(session: Session, name: string): Promise<Relation | undefined> {
  return (await findRelations(session, [name])).get(name);
}

/** Relations by oid. */
export async function readRelations(
  session: Session,
  oids: readonly number[],
): Promise<Map<number, Relation>> {
  const rows = await session.query<RelationRow>(`${RELATION_COLUMNS} where c.oid = any ($1::oid[])`, [oids]);
  return new Map(rows.map((row) => [row.oid, toRelation(row)]));
}

/**
 * Relations of the user: not of the system, not of kaja, not temporary, not owned by an extension; ordered by name.
 * @param filter kinds (default: tables and partitioned tables) and schemas (default: all)
 */
export async function listRelations(session: Session, filter: RelationFilter = {}): Promise<Relation[]> {
  const kinds = filter.kinds ?? ['table', 'partitioned table'];
  const letters = Object.keys(KINDS).filter((letter) => kinds.includes(KINDS[letter] ?? 'other'));
  const rows = await session.query<RelationRow>(
    `${RELATION_COLUMNS}
      where c.relkind::text = any ($1::text[])
        and ($2::text[] is null or n.nspname = any ($2::text[]))
        and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'pgq', 'pgq_coop', 'pgq_ext', 'pgq_node', 'londiste', 'kaja')
        and c.relpersistence <> 't'
        and not exists (select from pg_catalog.pg_depend d
                         where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
      order by n.nspname, c.relname`,
    [letters, filter.schemas ?? null],
  );
  return rows.map(toRelation);
}
