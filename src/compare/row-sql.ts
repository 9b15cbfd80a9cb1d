/** SQL that says the same about the same row on every server: text, key and hash of a row. `t` is the table's alias. */
import { quoteIdent, quoteLiteral } from '../db/names.ts';
import { chainHash, columnText, equalText } from './hash-form.ts';
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
  /** Hash texts with md5, because the servers' hash functions differ. */
  readonly portable: boolean;
}

const textArray = (columns: readonly SideColumn[], text: (column: SideColumn) => string): string =>
  `array[${columns.map(text).join(', ')}]`;

/** All compared columns as text[], exactly. */
export const rowTexts = (side: Side): string => textArray(side.columns, (column) => columnText(column));

/** Hash of a row's compared columns, int8. */
export const rowHash = (side: Side): string => hashOf(side, side.columns);

function hashOf({ toUtf8, portable }: Side, columns: readonly SideColumn[]): string {
  if (!portable) return chainHash(columns, toUtf8);
  const text = `${textArray(columns, equalText)}::text`;
  return `('x' || left(md5(${toUtf8 ? `convert_to(${text}, 'UTF8')` : text}), 16))::bit(64)::int8`;
}

/** What identifies a row, as text[]: its key, or its hash when there is none. The columns' own collations have no say in it. */
export const rowKey = (side: Side): string =>
  `(${side.keys.length > 0 ? textArray(side.keys, equalText) : `array[(${rowHash(side)})::text]`} collate "C")`;

/** Hash of what identifies a row, int8. */
export const keyHash = (side: Side): string => hashOf(side, side.keys.length > 0 ? side.keys : side.columns);

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

/**
 * Texts with the names of their columns, as a JSON object.
 * @param texts one expression per column
 */
export const namedTexts = (columns: readonly SideColumn[], texts: readonly string[]): string =>
  `json_object(array[${columns.map((column) => quoteLiteral(column.name)).join(', ')}]::text[], array[${texts.join(', ')}]::text[])`;
