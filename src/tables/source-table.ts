/** A table as the provider publishes it: structure, and how its rows are told apart. */
import { primaryKeyOf, rowIdentitiesOf } from '../db/catalog/keys.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { readStructure, type TableStructure } from './table-structure.ts';

/** What identifies a row in events: key columns, all columns, or nothing because only inserts are logged. */
export type KeyStyle = 'key' | 'whole_row' | 'insert_only';

/** How rows of a table are told apart. */
export interface KeySpec {
  readonly style: KeyStyle;
  /** Key columns in key order; empty unless style is `key`. */
  readonly columns: readonly string[];
}

/** See the file. */
export interface SourceTable extends TableStructure {
  /** Logical name. */
  readonly tableName: string;
  /** Unquoted physical name on the provider. */
  readonly physicalName: string;
  readonly key: KeySpec;
}

/** Tables the provider has locally: logical name → physical name, both unquoted. */
export async function readProvidedTables(provider: Session, queue: string): Promise<Map<string, string>> {
  const rows = await provider.query<{ table: string; dest: string }>(
    `select i.table_name as "table", coalesce(i.dest_table, i.table_name) as dest
       from londiste.table_info i where i.queue_name = $1 and i.local`,
    [queue],
  );
  return new Map(rows.map((row) => [row.table, row.dest]));
}

/**
 * Read a table that is local on the provider.
 * @param wanted key that the user named, used where the provider's capture does not say
 * @throws KajaError table-missing; table-unfit without a key, or when the user's choice contradicts the provider's
 */
export async function readSourceTable(
  provider: Session,
  queue: string,
  tableName: string,
  physicalName: string,
  wanted?: KeySpec | undefined,
): Promise<SourceTable> {
  const structure = await readStructure(provider, physicalName);
  if (!structure) {
    throw new KajaError(
      'table-missing',
      `table ${physicalName} does not exist on the provider any more (${provider.location})`,
    );
  }
  const captured = await readCapturedKey(provider, queue, tableName, structure);
  if (captured && wanted && !sameKey(captured, wanted)) {
    throw new KajaError(
      'table-unfit',
      `table ${tableName} is captured with ${describeKey(captured)} on the provider, not with ${describeKey(wanted)}`,
      {
        hint: 'leave --key, --whole-row and --insert-only out here: the root decides',
      },
    );
  }
  const key = captured ?? wanted ?? ownKey(structure);
  if (!key) throw keyMissing(tableName);
  return { ...structure, tableName, physicalName, key };
}

const sameKey = (a: KeySpec, b: KeySpec): boolean =>
  a.style === b.style &&
  a.columns.length === b.columns.length &&
  a.columns.every((column) => b.columns.includes(column));

/** For messages: `key (a, b)`, `whole rows`, `inserts only`. */
export function describeKey(key: KeySpec): string {
  if (key.style === 'key') return `key (${key.columns.join(', ')})`;
  return key.style === 'whole_row' ? 'whole rows' : 'inserts only';
}

/** The error for a table whose rows cannot be told apart. */
export const keyMissing = (table: string): KajaError =>
  new KajaError('table-unfit', `Primary key missing on table: ${table}`, {
    hint: 'add a primary key or a unique index over NOT NULL columns, or use --key c1,c2, --whole-row or --insert-only',
  });

/** The table's own key: the primary key, else the replica identity, else the shortest index that tells all rows apart. */
export function ownKey(table: TableStructure): KeySpec | undefined {
  const identities = rowIdentitiesOf(table.keys).toSorted(
    (a, b) =>
      Number(b.isReplicaIdentity) - Number(a.isReplicaIdentity) || a.columns.length - b.columns.length,
  );
  const key = primaryKeyOf(table.keys) ?? identities[0];
  return key && { style: 'key', columns: key.columns };
}

async function readCapturedKey(
  provider: Session,
  queue: string,
  tableName: string,
  structure: TableStructure,
): Promise<KeySpec | undefined> {
  // A provider may run upstream's Londiste, which has no schema kaja.
  if ((await provider.value<string | null>(`select to_regclass('kaja.capture')::text`)) === null)
    return undefined;
  const [row] = await provider.query<{ style: KeyStyle; attnums: number[] }>(
    `select c.style, c.key_attnums as attnums from kaja.capture c where c.queue_name = $1 and c.table_name = $2`,
    [queue, tableName],
  );
  if (!row) return undefined;
  if (row.style !== 'key') return { style: row.style, columns: [] };
  const columns = row.attnums.map(
    (attnum) => structure.columns.find((column) => column.attnum === attnum)?.name,
  );
  if (columns.some((name) => name === undefined)) {
    throw new KajaError('table-unfit', `a key column of table ${tableName} was dropped on the provider`, {
      hint: 'remove-table and add-table it on the root, with another key',
    });
  }
  return { style: 'key', columns: columns as string[] };
}
