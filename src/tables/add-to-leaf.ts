/** Subscribes this node to a table of its provider: checks first, then everything in one transaction. */
import { quoteFqName } from '../db/names.ts';
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { type ColumnMapping, saveColumnMap } from './column-map.ts';
import { createTable } from './create-table.ts';
import { matchColumns } from './match-columns.ts';
import type { TableNode } from './node-tables.ts';
import { createNoteBuffer, type NoteBuffer } from './note-buffer.ts';
import { checkCondition, checkRowFilter } from './row-filter.ts';
import { withShortLocks } from './short-locks.ts';
import { readSourceTable, type SourceTable } from './source-table.ts';
import { readDefinition, type TableDefinition } from './table-definition.ts';
import { type AddOptions, keyArgs, tableAttrs } from './table-options.ts';
import { hasUniqueIndexOn, readStructure, type TableStructure } from './table-structure.ts';

/**
 * Register a table here.
 * @param table logical name, known on the queue and not local here
 * @param providerName unquoted physical name on the provider
 * @throws KajaError table-missing, table-unfit, column-missing, state-refused, lock-timeout, ret-code; nothing is changed then
 */
export async function addToLeaf(
  node: TableNode,
  table: string,
  providerName: string,
  options: AddOptions,
): Promise<void> {
  const { here, queue, log } = node;
  const provider = await node.provider();
  const dest = options.destTable ?? table;
  const source = await readSourceTable(provider, queue, table, providerName, options.key);
  for (const condition of [options.where, options.copyCondition]) {
    if (condition !== undefined) await checkCondition(provider, providerName, condition);
  }
  const existed = (await readStructure(here, dest)) !== undefined;
  const definition = existed || options.create === 'no' ? undefined : await readDefinition(provider, source);
  const notes = createNoteBuffer();
  await withShortLocks(here, [dest], node, async () => {
    notes.clear();
    await register(node, { source, definition, dest, options, notes });
  });
  notes.flush(log);
}

interface Registration {
  readonly source: SourceTable;
  /** Set when the table is to be created. */
  readonly definition: TableDefinition | undefined;
  readonly dest: string;
  readonly options: AddOptions;
  readonly notes: NoteBuffer;
}

async function register(node: TableNode, work: Registration): Promise<void> {
  const { here, queue } = node;
  const { source, dest, options, notes } = work;
  const table = source.tableName;
  let pending: readonly string[] = [];
  if (work.definition)
    pending = await createTable(here, work.definition, dest, options.create === 'full', notes);
  else if (options.create !== 'no') notes.info(`Table ${dest} already exist, not touching`);
  // Rows that stay are no reason to wait with the indexes, and nothing else would build them.
  if (options.expectSync || options.skipTruncate) {
    for (const statement of pending) await here.query(statement);
    pending = [];
  }
  const structure = await readStructure(here, dest);
  if (!structure) {
    throw new KajaError('table-missing', `table ${dest} does not exist on this node (${here.location})`, {
      hint: 'create it, or use --create or --create-full',
    });
  }
  const map = matchColumns({
    tableName: table,
    destName: dest,
    source: source.columns,
    dest: structure.columns,
    key: source.key,
    skip: options.skipColumns,
  });
  if (options.where !== undefined) await checkRowFilter(here, dest, options.where, map, structure.columns);
  if (!options.truncate && !options.skipTruncate && !options.expectSync)
    await checkEmpty(here, structure, dest, options);
  if (pending.length === 0) warnWithoutIndex(structure, source, map, notes);
  const destKey = { style: source.key.style, columns: destNames(source, structure, map) };
  const args = [...options.triggerArgs, ...keyArgs(destKey), ...(options.expectSync ? ['expect_sync'] : [])];
  await callRet(
    here,
    'londiste.local_add_table',
    [queue, table, args, tableAttrs(options), dest === table ? null : dest],
    notes,
  );
  await saveColumnMap(here, queue, table, map);
  await here.execute('delete from kaja.table_copy where queue_name = $1 and table_name = $2', [queue, table]);
  await here.execute(
    'insert into kaja.table_copy (queue_name, table_name, style, pending_ddl) values ($1, $2, $3, $4)',
    [queue, table, source.key.style, [...pending]],
  );
}

/** Names of the key columns here. */
function destNames(source: SourceTable, structure: TableStructure, map: readonly ColumnMapping[]): string[] {
  return source.key.columns.flatMap((_, n) => {
    const mapped = map.find((one) => one.keyPosition === n + 1);
    return structure.columns.find((column) => column.attnum === mapped?.destAttnum)?.name ?? [];
  });
}

async function checkEmpty(
  here: Session,
  structure: TableStructure,
  dest: string,
  options: AddOptions,
): Promise<void> {
  const from = `${structure.relation.kind === 'table' ? 'only ' : ''}${quoteFqName(dest)}`;
  // With a filter the copy replaces only rows that match it.
  const where = options.where === undefined ? '' : ` where (${options.where}\n)`;
  if (!(await here.value<boolean>(`select exists (select from ${from}${where})`))) return;
  throw new KajaError('state-refused', `table ${dest} on this node is not empty`, {
    hint: '--truncate empties it, --skip-truncate adds the rows of the provider to it, --expect-sync takes the rows as they are',
  });
}

function warnWithoutIndex(
  structure: TableStructure,
  source: SourceTable,
  map: readonly ColumnMapping[],
  notes: NoteBuffer,
): void {
  if (source.key.style !== 'key') return;
  const names = destNames(source, structure, map);
  if (hasUniqueIndexOn(structure, names)) return;
  notes.warn(
    `table ${structure.relation.fqName} has no unique index on (${names.join(', ')}): every change will look through the whole table`,
  );
}
