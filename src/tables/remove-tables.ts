/** remove-table: stops replicating tables on this node; on the root for the whole set. */
import { callRet } from '../db/ret-code.ts';
import { errorLine } from '../errors/error-line.ts';
import type { TableWords } from './add-tables.ts';
import { expandNames } from './expand-names.ts';
import { listMissing, listRegistered, readRegistered, type TableNode } from './node-tables.ts';
import { createNoteBuffer } from './note-buffer.ts';
import { withShortLocks } from './short-locks.ts';

/**
 * Remove tables, all in one transaction; rows stay where they are.
 * @returns names that were removed
 */
export async function removeTables(node: TableNode, request: TableWords): Promise<string[]> {
  const { here, queue, log } = node;
  const { local } = await listRegistered(here, queue);
  const choice = expandNames(
    { ...request, candidates: local, processed: await listMissing(here, queue, 'r') },
    log,
  );
  if (choice.names.length === 0) return [];
  const physical: string[] = [];
  for (const name of choice.names)
    physical.push(local.includes(name) ? (await readRegistered(node, name)).destName : name);
  const notes = createNoteBuffer();
  await withShortLocks(here, physical, node, async () => {
    notes.clear();
    for (const name of choice.names) {
      await callRet(here, 'londiste.local_remove_table', [queue, name], notes);
      await forgetTable(node, name);
    }
  });
  notes.flush(log);
  if (node.nodeType !== 'root') await dropCopyConsumers(node, choice.names);
  return [...choice.names];
}

async function forgetTable({ here, queue }: TableNode, name: string): Promise<void> {
  for (const table of ['column_map', 'table_copy', 'table_stats']) {
    await here.execute(`delete from kaja.${table} where queue_name = $1 and table_name = $2`, [queue, name]);
  }
}

/** A copy that was under way has a consumer on the provider, which would stop the queue's rotation for ever. */
async function dropCopyConsumers(node: TableNode, names: readonly string[]): Promise<void> {
  const consumers = names.map((name) => node.copyConsumer(name));
  try {
    const provider = await node.provider();
    const present = await provider.query<{ name: string }>(
      'select consumer_name as name from pgq.get_consumer_info($1) where consumer_name = any ($2::text[])',
      [node.queue, consumers],
    );
    for (const { name } of present) {
      await provider.query('select pgq.unregister_consumer($1, $2)', [node.queue, name]);
      node.log.info(`Unregistering consumer ${name} from source queue`);
    }
  } catch (error) {
    if (node.signal.aborted) throw error;
    node.log.warn(
      `consumers of copies could not be removed from the provider, the worker will do it: ${errorLine(error)}`,
    );
  }
}
