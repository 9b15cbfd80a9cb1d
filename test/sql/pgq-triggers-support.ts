/** What the tests of pgq's trigger functions share. */
import type { TestDatabase } from '../support/database.ts';

/** Trigger functions, each with its queue of the same letter. */
export const FORMATS = { u: 'logutriga', s: 'sqltriga', j: 'jsontriga' } as const;
export type Format = keyof typeof FORMATS;

/** Create the three queues. */
export async function createQueues(db: TestDatabase): Promise<void> {
  await db.sql(`select pgq.create_queue(q) from unnest('{u,s,j}'::text[]) q`);
}

/**
 * Put the trigger functions on a table, in place of those it has.
 * @param args SQL of the arguments after the queue's name
 * @param timing `after`, `before`
 */
export async function putTriggers(
  db: TestDatabase,
  table: string,
  args = '',
  formats: Format[] = ['u', 's', 'j'],
  timing = 'after',
): Promise<void> {
  for (const format of Object.keys(FORMATS)) await db.sql(`drop trigger if exists ${format} on ${table}`);
  for (const format of formats) {
    await db.sql(
      `create trigger ${format} ${timing} insert or update or delete on ${table} for each row
         execute function pgq.${FORMATS[format]}('${format}'${args ? `, ${args}` : ''})`,
    );
  }
}

/** Take the events out of a queue: type, data, extra1 to extra4 joined by `|`, trailing empty fields left out; NULL is `~`. */
export async function take(db: TestDatabase, format: Format): Promise<string[]> {
  const [{ pfx }] = await db.sql(`select queue_data_pfx as pfx from pgq.queue where queue_name = $1`, [
    format,
  ]);
  const rows = await db.sql(
    `select ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4 from ${pfx} order by ev_id`,
  );
  await db.sql(`truncate ${pfx}_0, ${pfx}_1, ${pfx}_2`);
  return rows.map((row) =>
    Object.values(row)
      .map((field) => field ?? '~')
      .join('|')
      .replace(/(\|~)+$/, ''),
  );
}

/** Message of the error that a statement raises; fails when it raises none. */
export async function failure(db: TestDatabase, statement: string): Promise<string> {
  try {
    await db.sql(statement);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`no error: ${statement}`);
}
