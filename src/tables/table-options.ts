/** What add-table was asked for, per table: trigger arguments, attributes, and whether a registered table differs. Pure. */
import { UsageError } from '../errors/kaja-error.ts';
import { type Dict, formatDict } from '../queue/urlencoded-dict.ts';
import type { KeySpec } from './source-table.ts';

/** Options of add-table after parsing. */
export interface AddOptions {
  readonly key?: KeySpec | undefined;
  /** Unquoted physical name here; undefined: the logical one. */
  readonly destTable?: string | undefined;
  readonly where?: string | undefined;
  readonly copyCondition?: string | undefined;
  readonly skipColumns: readonly string[];
  readonly create: 'no' | 'plain' | 'full';
  /** Empty a destination that has rows. */
  readonly truncate: boolean;
  readonly expectSync: boolean;
  readonly skipTruncate: boolean;
  readonly skipNonExisting: boolean;
  readonly maxParallelCopy?: number | undefined;
  /** Passed on to londiste.local_add_table: --trigger-arg, tgflags, no_triggers, no_merge. */
  readonly triggerArgs: readonly string[];
}

/** Attributes that end up in `londiste.table_info.table_attrs`. */
export function tableAttrs(options: AddOptions): string | null {
  const dict: Dict = new Map();
  if (options.where !== undefined) dict.set('where', options.where);
  if (options.copyCondition !== undefined) dict.set('copy_condition', options.copyCondition);
  if (options.skipTruncate && !options.expectSync) dict.set('skip_truncate', '1');
  if (options.maxParallelCopy !== undefined) dict.set('max_parallel_copy', String(options.maxParallelCopy));
  return formatDict(dict);
}

/** Arguments that tell londiste.local_add_table about the key, when they can be written at all. */
export function keyArgs(key: KeySpec): string[] {
  if (key.style !== 'key') return [key.style];
  // The list is split at commas and trimmed; other names are left to the table's own key.
  return key.columns.every((name) => !name.includes(',') && name.trim() === name)
    ? [`key=${key.columns.join(',')}`]
    : [];
}

/** A table as it is registered already. */
export interface RegisteredTable {
  readonly tableName: string;
  readonly destName: string;
  readonly attrs: Dict;
  readonly key: KeySpec | undefined;
  readonly skipColumns: readonly string[];
}

/**
 * Options that were given and are not what the table is registered with; options left out count as equal.
 * @returns their names without dashes
 */
export function differingOptions(table: RegisteredTable, options: AddOptions): string[] {
  const same = (a: readonly string[], b: readonly string[]): boolean =>
    a.length === b.length && a.every((one) => b.includes(one));
  const attr = (name: string, wanted: string | undefined): boolean =>
    wanted !== undefined && table.attrs.get(name) !== wanted;
  const wantedKey = options.key;
  return [
    ...(options.destTable !== undefined && options.destTable !== table.destName ? ['dest-table'] : []),
    ...(attr('where', options.where) ? ['where'] : []),
    ...(attr('copy_condition', options.copyCondition) ? ['copy-condition'] : []),
    ...(attr('max_parallel_copy', options.maxParallelCopy?.toString()) ? ['max-parallel-copy'] : []),
    ...(options.skipTruncate && !options.expectSync && table.attrs.get('skip_truncate') !== '1'
      ? ['skip-truncate']
      : []),
    ...(options.skipColumns.length > 0 && !same(options.skipColumns, table.skipColumns)
      ? ['skip-columns']
      : []),
    ...(wantedKey &&
    table.key &&
    (wantedKey.style !== table.key.style || !same(wantedKey.columns, table.key.columns))
      ? [wantedKey.style === 'key' ? 'key' : wantedKey.style.replace('_', '-')]
      : []),
  ];
}

/** Words of a comma separated option; empty ones are refused. */
export function splitNames(text: string, option: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === ''))
    throw new UsageError(`--${option} needs column names separated by commas`);
  if (new Set(names).size < names.length) throw new UsageError(`--${option} names a column twice`);
  return names;
}
