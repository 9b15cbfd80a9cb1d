/** Databases for tests: one per test file or test, with or without kaja's schemas. */
import pg from 'pg';
import { inject } from 'vitest';
import { installInto } from './template.ts';

let counter = 0;

/** A database made for one test. `sql` runs a statement as its owner and returns the rows. */
export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  readonly client: pg.Client;
  // biome-ignore lint/suspicious/noExplicitAny: rows are whatever the statement returns
  sql(text: string, values?: unknown[]): Promise<any[]>;
  /** Another connection to the same database, optionally as another user; closed by `drop`. */
  connect(user?: string): Promise<pg.Client>;
  drop(): Promise<void>;
}

/** Number of servers the run has; tests that need two versions use 0 as provider and the last as subscriber. */
export const serverCount = (): number => inject('servers').length;

/**
 * Create an empty database.
 * @param options.server index of the server, 0 is the oldest version, -1 the newest
 * @param options.install install kaja's schemas
 */
export async function createDatabase(
  options: { server?: number; install?: boolean; prefix?: string } = {},
): Promise<TestDatabase> {
  const servers = inject('servers');
  const server = servers.at((options.server ?? 0) % servers.length) as string;
  return createDatabaseAt(server, options);
}

/** As `createDatabase`, on the server that `serverUrl` names. */
export async function createDatabaseAt(
  serverUrl: string,
  options: { install?: boolean; prefix?: string } = {},
): Promise<TestDatabase> {
  const name = `${options.prefix ?? 't'}_${process.pid}_${Date.now().toString(36)}_${++counter}`;
  const install = options.install ?? true;
  // Absent while the SQL does not install; then installing here shows the error.
  const template = install ? inject('templates')[serverUrl] : undefined;
  const admin = new pg.Client({ connectionString: serverUrl });
  admin.on('error', () => {});
  await admin.connect();
  await admin.query(`create database "${name}"${template ? ` template "${template}"` : ''}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const extra: pg.Client[] = [];
  const connect = async (user?: string): Promise<pg.Client> => {
    const target = new URL(url);
    if (user) target.username = user;
    const client = new pg.Client({ connectionString: target.href });
    client.on('error', () => {});
    await client.connect();
    extra.push(client);
    return client;
  };
  const client = await connect();
  if (install && !template) await installInto(url.href);
  return {
    name,
    url: url.href,
    client,
    connect,
    sql: async (text, values) => (await client.query(text, values)).rows,
    drop: async () => {
      await Promise.all(extra.map((one) => one.end().catch(() => {})));
      await admin.query(`drop database if exists "${name}" with (force)`);
      await admin.end();
    },
  };
}
