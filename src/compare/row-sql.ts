/**
 * SQL that says the same about the same row on every server: text, key and hash of a row. `t` is the table's alias.
 *
 * A row's text is that of an array of its columns' texts, in the provider's column order. Record text would be a little cheaper,
 * but where it puts quotes depends on the server's locale; an array tells NULL from '' and quotes the same way everywhere.
 */
import { quoteIdent, quoteLiteral } from '../db/names.ts';
import type { SideColumn } from './side-columns.ts';

/** One side's table. Columns and keys stand in the provider's order, so that position n means the same on both sides. */
export interface Side {
  /** Unquoted physical name. */
  readonly name: string;
  /** Quoted, with `only` in front for a plain table. */
  readonly from: string;
  readonly columns: readonly SideColumn[];
  /** Empty: rows are compared as a multiset. */
  readonly keys: readonly SideColumn[];
  /** Condition of rows that take part, or null. */
  readonly filter: string | null;
  /** The same without what was asked for in this run: rows that belong on this node at all. */
  readonly tableFilter: string | null;
  /** Hash the UTF-8 form of the text, because the other side's encoding is another. */
  readonly toUtf8: boolean;
}

/**
 * A column's value as it travels.
 * @param value expression of the column's type; default: the column of the table
 */
export function columnText(column: SideColumn, value = `t.${quoteIdent(column.name)}`): string {
  return column.outputFunction ? `pg_catalog.textin(${column.outputFunction}(${value}))` : `${value}::text`;
}

const textArray = (columns: readonly SideColumn[]): string =>
  `array[${columns.map((column) => columnText(column)).join(', ')}]`;

/** All compared columns as text[]. */
export const rowTexts = (side: Side): string => textArray(side.columns);

/** md5 of the row's text, as text. */
export function rowHash(side: Side): string {
  const text = `${textArray(side.columns)}::text`;
  return side.toUtf8 ? `md5(convert_to(${text}, 'UTF8'))` : `md5(${text})`;
}

/** What identifies a row, as text[]: its key, or its hash when there is none. */
export const rowKey = (side: Side): string =>
  side.keys.length > 0 ? textArray(side.keys) : `array[${rowHash(side)}]`;

/** Number of the row's bucket, 0 … buckets - 1. @param buckets a power of two */
export function rowBucket(side: Side, buckets: number): string {
  const key = `${textArray(side.keys)}::text`;
  const hash =
    side.keys.length === 0 ? rowHash(side) : side.toUtf8 ? `md5(convert_to(${key}, 'UTF8'))` : `md5(${key})`;
  return `('x' || right(${hash}, 8))::bit(32)::int4 & ${buckets - 1}`;
}

/** Condition: the row's key is among those of a temporary table with column `k text[]`. Goes through an index where it can. */
export function keyIsIn(side: Side, keys: string): string {
  if (side.keys.length === 0 || !side.keys.every((column) => column.indexable && column.notNull))
    return `${rowKey(side)} in (select x.k from ${keys} x)`;
  const values = side.keys.map(
    (column, n) => `x.k[${n + 1}]::${column.type}${column.collation ? ` collate ${column.collation}` : ''}`,
  );
  const names = side.keys.map((column) => `t.${quoteIdent(column.name)}`);
  return `(${names.join(', ')}) in (select ${values.join(', ')} from ${keys} x)`;
}

/** ` where …` of all conditions that are there; '' without any. */
export function whereOf(...conditions: (string | null | undefined)[]): string {
  const given = conditions.filter((one) => one !== null && one !== undefined && one !== '');
  return given.length > 0 ? ` where ${given.map((one) => `(${one})`).join(' and ')}` : '';
}

/**
 * A condition over the provider's column names, to be evaluated here.
 * @param names provider's name of each compared column
 * @param others further columns here, visible under their own names
 */
export function filterHere(
  condition: string,
  names: readonly string[],
  columns: readonly SideColumn[],
  others: readonly SideColumn[],
): string {
  if (columns.every((column, n) => column.name === names[n])) return `(${condition}\n)`;
  const shown = columns.map(
    (column, n) => `t.${quoteIdent(column.name)} as ${quoteIdent(names[n] ?? column.name)}`,
  );
  for (const column of others) if (!names.includes(column.name)) shown.push(`t.${quoteIdent(column.name)}`);
  return `coalesce((select (${condition}\n) from (select ${shown.join(', ')}) kaja_row), false)`;
}

/** The texts of an array expression with their column names, as a JSON object. */
export const namedTexts = (expression: string, columns: readonly SideColumn[]): string =>
  `json_object(array[${columns.map((column) => quoteLiteral(column.name)).join(', ')}]::text[], ${expression})`;
