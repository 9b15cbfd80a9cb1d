/** Publishes a table on the root. */

import { quoteIdent } from '../db/names.ts';
import { callRet } from '../db/ret-code.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { TableNode } from './node-tables.ts';
import { createNoteBuffer } from './note-buffer.ts';
import { withShortLocks } from './short-locks.ts';
import { keyMissing, ownKey } from './source-table.ts';
import { type AddOptions, keyArgs, tableAttrs } from './table-options.ts';
import { hasUniqueIndexOn, readStructure, type TableStructure } from './table-structure.ts';

/**
 * Create the capture of a table and tell the set about it; one transaction.
 * @param table logical name
 * @throws KajaError table-missing, table-unfit, lock-timeout, ret-code
 */
export async function addToRoot(node: TableNode, table: string, options: AddOptions): Promise<void> {
  const { here, queue, log } = node;
  const dest = options.destTable ?? table;
  const structure = await readStructure(here, dest);
  if (!structure) throw new KajaError('table-missing', `Table does not exist: ${dest} (${here.location})`);
  checkKeyChoice(structure, dest, options, log);
  const args = [
    ...options.triggerArgs,
    ...(options.key ? keyArgs(options.key) : []),
    ...(options.expectSync ? ['expect_sync'] : []),
  ];
  const notes = createNoteBuffer();
  await withShortLocks(here, [dest], node, async () => {
    notes.clear();
    await callRet(
      here,
      'londiste.local_add_table',
      [queue, table, args, tableAttrs(options), dest === table ? null : dest],
      notes,
    );
  });
  notes.flush(log);
}

function checkKeyChoice(
  structure: TableStructure,
  dest: string,
  options: AddOptions,
  log: TableNode['log'],
): void {
  const { key } = options;
  if (!key) {
    const untold = options.triggerArgs.some((arg) =>
      /^(?:p?key=|insert_only$|whole_row$|no_triggers$|virtual_table$)/.test(arg),
    );
    if (!untold && !ownKey(structure)) throw keyMissing(dest);
    return;
  }
  if (key.style !== 'key') return;
  for (const name of key.columns) {
    const column = structure.columns.find((one) => one.name === name);
    if (!column)
      throw new KajaError('table-unfit', `table ${dest} has no column ${quoteIdent(name)}`, {
        hint: 'see --key',
      });
    if (!column.notNull) {
      throw new KajaError(
        'table-unfit',
        `column ${quoteIdent(name)} of table ${dest} may be null and cannot be part of its key`,
        {
          hint: `alter table … alter column ${quoteIdent(name)} set not null, or use --whole-row`,
        },
      );
    }
  }
  if (!hasUniqueIndexOn(structure, key.columns)) {
    log.warn(
      `no unique index of table ${dest} covers key (${key.columns.join(', ')}): rows with equal keys will not be told apart`,
    );
  }
}
