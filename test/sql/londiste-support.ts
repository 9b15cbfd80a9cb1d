/** What the tests of pgq_node and londiste share: nodes made with one call, results as text, events as rows. */
import { createDatabase, type TestDatabase } from '../support/database.ts';

/** Label and server index for `describe.each`: the oldest and the newest PostgreSQL of the run. */
export const SERVERS: [string, number][] = [
  ['oldest', 0],
  ['newest', -1],
];

/** Open a database with all schemas. */
export function openDatabase(server: number): Promise<TestDatabase> {
  return createDatabase({ server, install: true, prefix: 'lon' });
}

/** Run `select * from <call>` and return `"<ret_code> <ret_note>"`. */
export async function ret(
  db: Pick<TestDatabase, 'sql'>,
  call: string,
  values: unknown[] = [],
): Promise<string> {
  const [row] = await db.sql(`select * from ${call}`, values);
  return `${row.ret_code} ${row.ret_note}`;
}

/** One column of a query, as array. */
export async function column(
  db: Pick<TestDatabase, 'sql'>,
  query: string,
  values: unknown[] = [],
): Promise<unknown[]> {
  return (await db.sql(query, values)).map((row) => Object.values(row)[0]);
}

/** Events of a queue in order of id, as `type|data|extra1`. */
export async function events(db: TestDatabase, queue: string): Promise<string[]> {
  const [{ pfx }] = await db.sql(`select queue_data_pfx as pfx from pgq.queue where queue_name = $1`, [
    queue,
  ]);
  const rows = await db.sql(`select ev_type, ev_data, ev_extra1 from ${pfx} order by ev_id`);
  return rows.map((row) => [row.ev_type, row.ev_data, row.ev_extra1].map((field) => field ?? '').join('|'));
}

/** Names of the user triggers of a table, in firing order. */
export async function triggers(db: TestDatabase, table: string): Promise<unknown[]> {
  return column(
    db,
    `select tgname::text from pg_trigger where tgrelid = $1::regclass and not tgisinternal order by tgname`,
    [table],
  );
}

/** Make the database root of a queue. */
export async function makeRoot(db: TestDatabase, queue: string): Promise<void> {
  await db.sql(`select pgq_node.register_location($1, 'root', 'dbname=root', false)`, [queue]);
  await expectOk(db, `pgq_node.create_node($1, 'root', 'root', 'root_worker', null, null, null)`, [queue]);
}

/** Make the database a branch or leaf of a queue whose root is elsewhere. */
export async function makeSubscriber(
  db: TestDatabase,
  queue: string,
  type: 'branch' | 'leaf',
  combined: string | null = null,
): Promise<void> {
  await db.sql(`select pgq_node.register_location($1, 'root', 'dbname=root', false)`, [queue]);
  await db.sql(`select pgq_node.register_location($1, 'here', 'dbname=here', false)`, [queue]);
  await expectOk(db, `pgq_node.create_node($1, $2, 'here', $1 || '_worker', 'root', 100, $3)`, [
    queue,
    type,
    combined,
  ]);
}

async function expectOk(db: TestDatabase, call: string, values: unknown[]): Promise<void> {
  const answer = await ret(db, call, values);
  if (!answer.startsWith('200 ')) throw new Error(`${call}: ${answer}`);
}
