/** Primary keys, unique and exclusion indexes. */
import type { Session } from '../session.ts';
import { groupBy } from './group-by.ts';

/** One unique or exclusion index. */
export interface Key {
  readonly indexOid: number;
  readonly indexName: string;
  /** Constraint on top of the index, if any. */
  readonly constraintName: string | null;
  readonly kind: 'primary' | 'unique' | 'exclusion';
  /** Key columns in key order; empty when an expression is among them. */
  readonly columns: readonly string[];
  readonly attnums: readonly number[];
  readonly allNotNull: boolean;
  readonly hasExpression: boolean;
  /** Predicate of a partial index. */
  readonly predicate: string | null;
  readonly deferrable: boolean;
  readonly valid: boolean;
  /** REPLICA IDENTITY USING INDEX names it. */
  readonly isReplicaIdentity: boolean;
  /** The statement that builds the index; for a constraint the ALTER TABLE clause is `constraintDefinition`. */
  readonly indexDefinition: string;
  readonly constraintDefinition: string | null;
}

interface KeyRow {
  relid: number;
  index_oid: number;
  index_name: string;
  constraint_name: string | null;
  is_primary: boolean;
  is_exclusion: boolean;
  columns: string[];
  attnums: number[];
  all_not_null: boolean;
  has_expression: boolean;
  predicate: string | null;
  deferrable: boolean;
  valid: boolean;
  is_replica_identity: boolean;
  index_definition: string;
  constraint_definition: string | null;
}

/**
 * All unique and exclusion indexes of many tables in one round trip; the primary key first, then by name.
 * @returns per table oid
 */
export async function readKeys(session: Session, oids: readonly number[]): Promise<Map<number, Key[]>> {
  const rows = await session.query<KeyRow>(
    `select x.indrelid as relid, x.indexrelid as index_oid, ic.relname::text as index_name, con.conname::text as constraint_name,
            x.indisprimary as is_primary, x.indisexclusion as is_exclusion,
            k.columns, k.attnums, k.all_not_null, k.has_expression,
            pg_catalog.pg_get_expr(x.indpred, x.indrelid) as predicate, not x.indimmediate as deferrable,
            x.indisvalid and x.indisready and x.indislive as valid, x.indisreplident as is_replica_identity,
            pg_catalog.pg_get_indexdef(x.indexrelid) as index_definition,
            pg_catalog.pg_get_constraintdef(con.oid) as constraint_definition
       from pg_catalog.pg_index x
       join pg_catalog.pg_class ic on ic.oid = x.indexrelid
       left join pg_catalog.pg_constraint con on con.conindid = x.indexrelid and con.contype in ('p', 'u', 'x') and con.conrelid = x.indrelid
      cross join lateral (
            select pg_catalog.array_agg(coalesce(a.attname::text, '') order by p.n) as columns,
                   pg_catalog.array_agg(x.indkey[p.n - 1]::int2 order by p.n) as attnums,
                   pg_catalog.bool_and(coalesce(a.attnotnull, false)) as all_not_null,
                   pg_catalog.bool_or(x.indkey[p.n - 1] = 0) as has_expression
              from pg_catalog.generate_series(1, x.indnkeyatts::int4) as p (n)
              left join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[p.n - 1] and a.attnum <> 0) k
      where x.indrelid = any ($1::oid[]) and (x.indisunique or x.indisexclusion)
      order by x.indrelid, x.indisprimary desc, ic.relname`,
    [oids],
  );
  return groupBy(oids, rows, (row) => row.relid, toKey);
}

function toKey(row: KeyRow): Key {
  return {
    indexOid: row.index_oid,
    indexName: row.index_name,
    constraintName: row.constraint_name,
    kind: row.is_primary ? 'primary' : row.is_exclusion ? 'exclusion' : 'unique',
    columns: row.has_expression ? [] : row.columns,
    attnums: row.has_expression ? [] : row.attnums,
    allNotNull: row.all_not_null,
    hasExpression: row.has_expression,
    predicate: row.predicate,
    deferrable: row.deferrable,
    valid: row.valid,
    isReplicaIdentity: row.is_replica_identity,
    indexDefinition: row.index_definition,
    constraintDefinition: row.constraint_definition,
  };
}

/** The primary key among a table's keys. */
export function primaryKeyOf(keys: readonly Key[]): Key | undefined {
  return keys.find((key) => key.kind === 'primary');
}

/** Keys that identify every row at any moment: unique, valid, all columns NOT NULL, no predicate, no expression, not deferrable. */
export function rowIdentitiesOf(keys: readonly Key[]): Key[] {
  return keys.filter(
    (key) =>
      key.kind !== 'exclusion' &&
      key.valid &&
      key.allNotNull &&
      !key.hasExpression &&
      key.predicate === null &&
      !key.deferrable,
  );
}
