/** Foreign keys as edges between tables. */
import type { Session } from '../session.ts';

/** One foreign key. */
export interface ForeignKey {
  readonly name: string;
  readonly fromOid: number;
  /** Unquoted `schema.name` of the referencing table. */
  readonly from: string;
  readonly fromColumns: readonly string[];
  readonly toOid: number;
  /** Unquoted `schema.name` of the referenced table. */
  readonly to: string;
  readonly toColumns: readonly string[];
  /** What stands after `add constraint name`. */
  readonly definition: string;
  /** Its end, behind the referenced columns: ` ON DELETE CASCADE`. */
  readonly actions: string;
  readonly validated: boolean;
  readonly deferrable: boolean;
  /** Part of a partitioned table's foreign key, cannot be dropped alone. */
  readonly inherited: boolean;
}

interface ForeignKeyRow {
  name: string;
  from_oid: number;
  from: string;
  from_columns: string[];
  to_oid: number;
  to: string;
  to_columns: string[];
  definition: string;
  actions: string;
  validated: boolean;
  deferrable: boolean;
  inherited: boolean;
}

/**
 * Foreign keys that leave or reach the given tables, ordered by name; one round trip.
 * @param oids tables, or undefined for all of the database
 */
export async function readForeignKeys(session: Session, oids?: readonly number[]): Promise<ForeignKey[]> {
  const rows = await session.query<ForeignKeyRow>(
    `select c.conname::text as name, c.conrelid as from_oid, fn.nspname || '.' || f.relname as from,
            array(select a.attname::text from pg_catalog.unnest(c.conkey) with ordinality as k (attnum, n)
                    join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum order by k.n) as from_columns,
            c.confrelid as to_oid, tn.nspname || '.' || t.relname as to,
            array(select a.attname::text from pg_catalog.unnest(c.confkey) with ordinality as k (attnum, n)
                    join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.attnum order by k.n) as to_columns,
            pg_catalog.pg_get_constraintdef(c.oid) as definition,
            pg_catalog.regexp_replace(pg_catalog.substr(pg_catalog.pg_get_constraintdef(c.oid), pg_catalog.length(pg_catalog.format('FOREIGN KEY (%s) REFERENCES %I.%I(%s)',
              (select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by k.n) from pg_catalog.unnest(c.conkey) with ordinality as k (attnum, n)
                 join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum), tn.nspname, t.relname,
              (select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by k.n) from pg_catalog.unnest(c.confkey) with ordinality as k (attnum, n)
                 join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.attnum))) + 1), ' NOT VALID$', '') as actions, c.convalidated as validated, c.condeferrable as deferrable,
            c.conparentid <> 0 as inherited
       from pg_catalog.pg_constraint c
       join pg_catalog.pg_class f on f.oid = c.conrelid
       join pg_catalog.pg_namespace fn on fn.oid = f.relnamespace
       join pg_catalog.pg_class t on t.oid = c.confrelid
       join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
      where c.contype = 'f'
        and ($1::oid[] is null or c.conrelid = any ($1::oid[]) or c.confrelid = any ($1::oid[]))
      order by fn.nspname, f.relname, c.conname, tn.nspname, t.relname`,
    [oids ?? null],
  );
  return rows.map((row) => ({
    name: row.name,
    fromOid: row.from_oid,
    from: row.from,
    fromColumns: row.from_columns,
    toOid: row.to_oid,
    to: row.to,
    toColumns: row.to_columns,
    definition: row.definition,
    actions: row.actions,
    validated: row.validated,
    deferrable: row.deferrable,
    inherited: row.inherited,
  }));
}
