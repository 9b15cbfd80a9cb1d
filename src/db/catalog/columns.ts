/** Columns of tables. */
import type { Session } from '../session.ts';
import { groupBy } from './group-by.ts';

/** One live column; dropped ones are left out. */
export interface Column {
  readonly attnum: number;
  readonly name: string;
  /** With modifiers, schema-qualified unless in pg_catalog: `character varying(10)`, `public.mood`. */
  readonly type: string;
  readonly typeOid: number;
  readonly notNull: boolean;
  /** Default expression, or the generation expression of a generated column. */
  readonly default: string | null;
  readonly generated: 'stored' | 'virtual' | null;
  readonly identity: 'always' | 'by default' | null;
  /** `schema.collation` when it differs from the type's own. */
  readonly collation: string | null;
}

interface ColumnRow {
  relid: number;
  attnum: number;
  name: string;
  type: string;
  type_oid: number;
  not_null: boolean;
  default: string | null;
  generated: string;
  identity: string;
  collation: string | null;
}

/**
 * Columns of many tables in one round trip.
 * @returns per table oid, in attribute order; tables without columns (or missing ones) have an empty list
 */
export async function readColumns(session: Session, oids: readonly number[]): Promise<Map<number, Column[]>> {
  const rows = await session.query<ColumnRow>(
    `select a.attrelid as relid, a.attnum, a.attname::text as name,
            pg_catalog.format_type(a.atttypid, a.atttypmod) as type, a.atttypid as type_oid, a.attnotnull as not_null,
            pg_catalog.pg_get_expr(d.adbin, d.adrelid) as default, a.attgenerated::text as generated, a.attidentity::text as identity,
            case when a.attcollation <> t.typcollation then cn.nspname || '.' || co.collname end as collation
       from pg_catalog.pg_attribute a
       join pg_catalog.pg_type t on t.oid = a.atttypid
       left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       left join pg_catalog.pg_collation co on co.oid = a.attcollation
       left join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace
      where a.attrelid = any ($1::oid[]) and a.attnum > 0 and not a.attisdropped
      order by a.attrelid, a.attnum`,
    [oids],
  );
  return groupBy(oids, rows, (row) => row.relid, toColumn);
}

function toColumn(row: ColumnRow): Column {
  return {
    attnum: row.attnum,
    name: row.name,
    type: row.type,
    typeOid: row.type_oid,
    notNull: row.not_null,
    default: row.default,
    generated: row.generated === 's' ? 'stored' : row.generated === 'v' ? 'virtual' : null,
    identity: row.identity === 'a' ? 'always' : row.identity === 'd' ? 'by default' : null,
    collation: row.collation,
  };
}
