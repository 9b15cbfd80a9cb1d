/** Structure of a table as add-table and resync compare it: columns with what their types are underneath, unique indexes. */
import { type Column, readColumns } from '../db/catalog/columns.ts';
import { type Key, readKeys } from '../db/catalog/keys.ts';
import { findRelation, type Relation } from '../db/catalog/relation.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { type BaseType, readBaseTypes } from './type-family.ts';

/** A column and its innermost type. */
export interface TypedColumn extends Column {
  readonly base: BaseType;
}

/** A table of one database. */
export interface TableStructure {
  readonly relation: Relation;
  readonly columns: readonly TypedColumn[];
  readonly keys: readonly Key[];
}

const UNKNOWN: BaseType = { name: 'pg_catalog.unknown', category: 'X', depth: 0 };

/**
 * Read a table.
 * @param name unquoted physical name
 * @returns undefined when there is no relation of that name
 * @throws KajaError table-unfit when it is a view, a foreign table or something else without rows of its own
 */
export async function readStructure(session: Session, name: string): Promise<TableStructure | undefined> {
  const relation = await findRelation(session, name);
  if (!relation) return undefined;
  if (relation.kind !== 'table' && relation.kind !== 'partitioned table') {
    throw new KajaError('table-unfit', `${name} is a ${relation.kind}, not a table (${session.location})`);
  }
  const columns = (await readColumns(session, [relation.oid])).get(relation.oid) ?? [];
  const keys = (await readKeys(session, [relation.oid])).get(relation.oid) ?? [];
  const types = await readBaseTypes(
    session,
    columns.map((column) => column.typeOid),
  );
  return {
    relation,
    keys,
    columns: columns.map((column) => ({ ...column, base: types.get(column.typeOid) ?? UNKNOWN })),
  };
}

/** Has the table an index that finds rows by these columns, or by some of them, at most one each? */
export const hasUniqueIndexOn = (table: TableStructure, columns: readonly string[]): boolean =>
  table.keys.some(
    (key) =>
      key.kind !== 'exclusion' &&
      key.valid &&
      key.predicate === null &&
      !key.hasExpression &&
      key.columns.every((column) => columns.includes(column)),
  );
