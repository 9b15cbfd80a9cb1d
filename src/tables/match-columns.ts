/** Pairs the columns of the provider's table with those of the destination, and says what does not fit. Pure. */
import { quoteFqName, quoteIdent } from '../db/names.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { ColumnMapping } from './column-map.ts';
import type { KeySpec } from './source-table.ts';
import type { TypedColumn } from './table-structure.ts';
import { isComparable } from './type-family.ts';

/** What to pair. */
export interface MatchRequest {
  readonly tableName: string;
  /** Unquoted physical name of the destination. */
  readonly destName: string;
  readonly source: readonly TypedColumn[];
  readonly dest: readonly TypedColumn[];
  readonly key: KeySpec;
  /** Provider columns that stay away. */
  readonly skip: readonly string[];
  /** Map of an earlier registration: columns renamed on either side since then are found by it. */
  readonly former?: readonly ColumnMapping[] | undefined;
}

interface Pair {
  readonly source: TypedColumn;
  /** Null: skipped. Undefined: not there. */
  readonly dest: TypedColumn | null | undefined;
}

/**
 * Pair the columns by name.
 * @returns rows for `kaja.column_map`
 * @throws KajaError column-missing naming all columns the destination lacks and the statement that adds them; table-unfit for types
 *   that do not go together, key columns that cannot be used and columns nobody would fill
 */
export function matchColumns(request: MatchRequest): ColumnMapping[] {
  const { tableName, source, key } = request;
  for (const name of [...request.skip, ...key.columns]) {
    if (!source.some((column) => column.name === name)) {
      throw new KajaError(
        'table-unfit',
        `table ${tableName} has no column ${quoteIdent(name)} on the provider`,
      );
    }
  }
  const pairs = pairColumns(request);
  checkKeySkipped(request);
  const missing = pairs.filter((pair) => pair.dest === undefined).map((pair) => pair.source);
  if (missing.length > 0) throw columnsMissing(request, missing);
  checkKey(request, pairs);
  checkTypes(request, pairs);
  checkUnfilled(request, pairs);
  return pairs.map(({ source: column, dest }) => {
    const position = key.columns.indexOf(column.name);
    return {
      sourceAttnum: column.attnum,
      sourceName: column.name,
      destAttnum: dest?.attnum ?? null,
      keyPosition: position < 0 ? null : position + 1,
    };
  });
}

function pairColumns({ source, dest, skip, former = [] }: MatchRequest): Pair[] {
  const byName = new Map(dest.map((column) => [column.name, column]));
  const taken = new Set(source.flatMap((column) => byName.get(column.name)?.attnum ?? []));
  return source.map((column): Pair => {
    // An entry of another column that now has this number (the table was made anew) says nothing.
    const before = former.find(
      (one) =>
        one.sourceAttnum === column.attnum &&
        (one.sourceName === column.name || !source.some((other) => other.name === one.sourceName)),
    );
    if (skip.includes(column.name) || before?.destAttnum === null) return { source: column, dest: null };
    const same = byName.get(column.name);
    if (same) return { source: column, dest: same };
    const renamed = dest.find((one) => one.attnum === before?.destAttnum && !taken.has(one.attnum));
    return { source: column, dest: renamed };
  });
}

function columnsMissing({ tableName, destName }: MatchRequest, missing: readonly TypedColumn[]): KajaError {
  const names = missing.map((column) => quoteIdent(column.name)).join(', ');
  const adds = missing.map((column) => `add column ${quoteIdent(column.name)} ${column.type}`).join(', ');
  const skips = missing.map((column) => column.name).join(',');
  return new KajaError(
    'column-missing',
    `table ${destName} on this node lacks columns of ${tableName}: ${names}`,
    {
      hint: `alter table ${quoteFqName(destName)} ${adds} -- or leave them out: --skip-columns '${skips}'`,
      exitCode: 5,
    },
  );
}

function checkKeySkipped({ tableName, key, skip, former = [] }: MatchRequest): void {
  const left = key.columns.find(
    (name) => skip.includes(name) || former.some((one) => one.sourceName === name && one.destAttnum === null),
  );
  if (left === undefined) return;
  throw new KajaError(
    'table-unfit',
    `column ${quoteIdent(left)} belongs to the key of ${tableName} and cannot be left out`,
  );
}

function checkKey({ tableName, key }: MatchRequest, pairs: readonly Pair[]): void {
  for (const name of key.columns) {
    const pair = pairs.find((one) => one.source.name === name);
    if (pair?.dest?.generated) {
      throw new KajaError(
        'table-unfit',
        `column ${quoteIdent(pair.dest.name)} belongs to the key of ${tableName} and is generated on this node`,
        {
          hint: 'make it an ordinary column here',
        },
      );
    }
  }
}

function checkTypes({ tableName }: MatchRequest, pairs: readonly Pair[]): void {
  const clashes = pairs.flatMap(({ source, dest }) =>
    dest && !dest.generated && !isComparable(source.base, dest.base)
      ? [`${quoteIdent(source.name)} is ${source.type} on the provider and ${dest.type} here`]
      : [],
  );
  if (clashes.length > 0) {
    throw new KajaError(
      'table-unfit',
      `types of table ${tableName} do not go together: ${clashes.join('; ')}`,
      {
        hint: 'change the type on one side',
      },
    );
  }
}

/** Columns that only the destination has must be able to fill themselves. */
function checkUnfilled({ tableName, destName, dest }: MatchRequest, pairs: readonly Pair[]): void {
  const filled = new Set(pairs.flatMap((pair) => pair.dest?.attnum ?? []));
  const empty = dest.filter(
    (column) =>
      !filled.has(column.attnum) &&
      column.notNull &&
      column.default === null &&
      !column.identity &&
      !column.generated,
  );
  if (empty.length === 0) return;
  const names = empty.map((column) => quoteIdent(column.name)).join(', ');
  throw new KajaError(
    'table-unfit',
    `columns of ${destName} are NOT NULL without a default and get no values from ${tableName}: ${names}`,
    {
      hint: `alter table ${quoteFqName(destName)} ${empty.map((column) => `alter column ${quoteIdent(column.name)} drop not null`).join(', ')}`,
    },
  );
}
