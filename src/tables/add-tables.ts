/** add-table: names, lists, then table by table. */
import { KajaError, UsageError } from '../errors/kaja-error.ts';
import { addToLeaf } from './add-to-leaf.ts';
import { addToRoot } from './add-to-root.ts';
import { expandNames } from './expand-names.ts';
import { listMissing, listRegistered, readRegistered, type TableNode } from './node-tables.ts';
import { readProvidedTables } from './source-table.ts';
import { syncTableList } from './sync-lists.ts';
import { type AddOptions, differingOptions } from './table-options.ts';
import { readStructure } from './table-structure.ts';

/** Which tables. */
export interface TableWords {
  readonly words: readonly string[];
  readonly all: boolean;
  readonly force: boolean;
}

/**
 * Add tables to this node, each in its own transaction; the first failure ends it, earlier ones stay.
 * @returns names that were added
 * @throws UsageError, KajaError
 */
export async function addTables(
  node: TableNode,
  request: TableWords,
  options: AddOptions,
): Promise<string[]> {
  const { here, queue, log } = node;
  checkOptions(node, options);
  if (node.nodeType !== 'root') await syncTableList(node);
  const { local } = await listRegistered(here, queue);
  const choice = expandNames(
    { ...request, candidates: await listMissing(here, queue, 'r'), processed: local },
    log,
  );
  if (options.destTable !== undefined && choice.names.length + choice.processed.length > 1) {
    throw new UsageError('--dest-table can be given only with a single table');
  }
  for (const table of choice.processed) await checkSameOptions(node, table, options);
  const names = await existing(node, choice.names, options);
  const added: string[] = [];
  for (const [table, providerName] of names) {
    if (node.signal.aborted)
      throw new KajaError('aborted', 'stopped on request', { cause: node.signal.reason });
    try {
      if (node.nodeType === 'root') await addToRoot(node, table, options);
      else await addToLeaf(node, table, providerName, options);
    } catch (error) {
      if (added.length > 0) log.warn(`tables added before the failure stay: ${added.join(', ')}`);
      throw error;
    }
    added.push(table);
  }
  return added;
}

function checkOptions(node: TableNode, options: AddOptions): void {
  if (node.nodeType !== 'root') return;
  const given = [
    ...(options.where === undefined ? [] : ['--where']),
    ...(options.copyCondition === undefined ? [] : ['--copy-condition']),
    ...(options.skipColumns.length === 0 ? [] : ['--skip-columns']),
  ];
  if (given.length > 0) {
    throw new KajaError(
      'state-refused',
      `${given.join(', ')} cannot be used on the root, which publishes whole tables`,
      {
        hint: 'use it where the table is subscribed',
      },
    );
  }
  if (options.create !== 'no') node.log.warn('--create has no meaning on the root');
}

async function checkSameOptions(node: TableNode, table: string, options: AddOptions): Promise<void> {
  const different = differingOptions(await readRegistered(node, table), options);
  if (different.length === 0) return;
  throw new KajaError(
    'state-refused',
    `Table ${table} already added, but with other options: ${different.join(', ')}`,
    {
      hint: 'remove-table it first',
    },
  );
}

/** Drop names that cannot be added because a side lacks them. @returns logical name → physical name on the provider */
async function existing(
  node: TableNode,
  names: readonly string[],
  options: AddOptions,
): Promise<Map<string, string>> {
  const { here, log } = node;
  const provider = node.nodeType === 'root' ? undefined : await node.provider();
  const provided = provider && (await readProvidedTables(provider, node.queue));
  const found = new Map<string, string>();
  const problems: string[] = [];
  for (const name of names) {
    const there = provided ? provided.get(name) : name;
    if (there === undefined) {
      log[options.skipNonExisting ? 'warn' : 'error'](
        `Table ${name} does not exist on provider, need to switch to different provider`,
      );
      if (!options.skipNonExisting) problems.push(name);
      continue;
    }
    const dest = options.destTable ?? name;
    if (
      options.skipNonExisting &&
      (options.create === 'no' || node.nodeType === 'root') &&
      !(await readStructure(here, dest))
    ) {
      log.warn(`Table ${dest} does not exist on local node, skipping`);
      continue;
    }
    if (options.create !== 'no' && provider && !(await readStructure(provider, there))) {
      log.warn(`Table ${there} missing on provider, cannot create, skipping`);
      continue;
    }
    found.set(name, there);
  }
  if (problems.length > 0) {
    throw new KajaError(
      'table-missing',
      `Problems, canceling operation: not on the provider: ${problems.join(', ')}`,
      {
        hint: 'add-table them on the provider first',
      },
    );
  }
  return found;
}
