/** Initial copy of one table: its rows as they were at a tick, then its events up to near the worker's position. */
import type { LocalTable } from '../replay/routes.ts';
import { catchUp } from './catch-up.ts';
import type { CopyContext } from './copy-context.ts';
import { loadRows } from './load-rows.ts';

/**
 * Copy a table that is in state `in-copy`, or go on with one in `catching-up`, until it stands at a tick near the worker's
 * position (`wanna-sync:<tick>`). After a crash call it again: rows are loaded anew, catching up goes on where it was.
 */
export async function copyTable(context: CopyContext, table: LocalTable): Promise<void> {
  const writer = await context.openWriter(`copy ${table.tableName}`);
  try {
    if (table.mergeState === 'in-copy') await loadRows(context, table, writer);
    await catchUp(context, table, writer);
  } finally {
    await writer.close();
  }
}
