/** Initial copy of one table: its rows as they were at a tick, then its events up to near the worker's position. */
import { errorLine } from '../errors/error-line.ts';
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
  let analyzed: Promise<void> | undefined;
  try {
    if (table.mergeState === 'in-copy') {
      await loadRows(context, table, writer);
      analyzed = analyze(context, table);
    }
    await catchUp(context, table, writer);
  } finally {
    await analyzed;
    await writer.close();
  }
}

/** Statistics are gathered beside the catching up, which nothing waits for. Never throws: the server gathers them too, later. */
async function analyze(context: CopyContext, table: LocalTable): Promise<void> {
  try {
    const session = await context.openHere(`analyze ${table.tableName}`);
    await session.query(`analyze ${table.route?.dest}`).finally(() => session.close());
  } catch (error) {
    context.log.debug(`${table.tableName} could not be analyzed: ${errorLine(error)}`);
  }
}
