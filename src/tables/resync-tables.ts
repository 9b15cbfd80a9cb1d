/** resync: empties local tables and copies them again, with the columns as they are now. */
import { quoteFqName } from '../db/names.ts';
import { callRet } from '../db/ret-code.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { TableWords } from './add-tables.ts';
import { readColumnMap, saveColumnMap } from './column-map.ts';
import { expandNames } from './expand-names.ts';
import { matchColumns } from './match-columns.ts';
import { listRegistered, readRegistered, type TableNode } from './node-tables.ts';
import { createNoteBuffer } from './note-buffer.ts';
import { checkCondition, checkRowFilter } from './row-filter.ts';
import { readProvidedTables, readSourceTable } from './source-table.ts';
import { readStructure } from './table-structure.ts';

/**
 * Ask for new copies; each table in its own transaction.
 * @returns names whose state was reset
 * @throws KajaError state-refused on the root; table-missing when the provider lacks a table; what add-table checks
 */
export async function resyncTables(node: TableNode, request: TableWords): Promise<string[]> {
  const { here, queue, log } = node;
  if (node.nodeType === 'root') {
    throw new KajaError('state-refused', `node ${node.nodeName} is the root, there is nothing to copy from`, {
      hint: 'resync on the subscribing node',
    });
  }
  const { local, known } = await listRegistered(here, queue);
  // Unlike for add-table, a table that is not local is wrong here, not "processed".
  const choice = expandNames({ ...request, candidates: local, processed: [] }, log);
  const foreign = choice.names.filter((name) => known.includes(name) || !local.includes(name));
  if (foreign.length > 0)
    throw new KajaError('table-missing', `not on this node: ${foreign.join(', ')}`, {
      hint: 'add-table them',
    });
  const provided = await readProvidedTables(await node.provider(), queue);
  const problems = choice.names.filter((name) => !provided.has(name));
  if (problems.length > 0) {
    for (const name of problems)
      log.error(`Table ${name} does not exist on provider, need to switch to different provider`);
    throw new KajaError(
      'table-missing',
      `Problems, cancelling operation: not on the provider: ${problems.join(', ')}`,
      {
        hint: 'add-table them on the provider first',
      },
    );
  }
  for (const name of choice.names) await resyncTable(node, name, provided.get(name) ?? name);
  return [...choice.names];
}

async function resyncTable(node: TableNode, table: string, providerName: string): Promise<void> {
  const { here, queue, log } = node;
  const provider = await node.provider();
  const registered = await readRegistered(node, table);
  const source = await readSourceTable(provider, queue, table, providerName);
  const conditions = {
    where: registered.attrs.get('where'),
    copyCondition: registered.attrs.get('copy_condition'),
  };
  for (const condition of Object.values(conditions))
    if (condition) await checkCondition(provider, providerName, condition);
  const notes = createNoteBuffer();
  await here.transaction(async () => {
    const structure = await readStructure(here, registered.destName);
    if (!structure)
      throw new KajaError(
        'table-missing',
        `table ${registered.destName} does not exist on this node (${here.location})`,
        { hint: 'create it, or remove-table' },
      );
    const map = matchColumns({
      tableName: table,
      destName: registered.destName,
      source: source.columns,
      dest: structure.columns,
      key: source.key,
      skip: [],
      former: await readColumnMap(here, queue, table),
    });
    if (conditions.where)
      await checkRowFilter(here, registered.destName, conditions.where, map, structure.columns);
    await saveColumnMap(here, queue, table, map);
    await here.execute(
      `insert into kaja.table_copy as k (queue_name, table_name, style) values ($1, $2, $3)
       on conflict (queue_name, table_name) do update set style = excluded.style, copy_tick = null, last_error = null, started_at = null, finished_at = null`,
      [queue, table, source.key.style],
    );
    await callRet(here, 'londiste.local_set_table_state', [queue, table, null, null], notes);
  });
  notes.flush(log);
  if (registered.attrs.get('skip_truncate') === '1') {
    log.warn(
      `${table} was added with --skip-truncate: the rows in ${quoteFqName(registered.destName)} stay and are copied to`,
    );
  }
}
