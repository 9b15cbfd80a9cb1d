/** Databases for tests: one per test file or test, with or without kaja's schemas. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
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
export async function createDatabase(options: { server?: number; install?: boolean; prefix?: string } = {}): Promise<TestDatabase> {
  const servers = inject('servers');
  const server = servers.at((options.server ?? 0) % servers.length) as string;
  return createDatabaseAt(server, options);
}

/** As `createDatabase`, on the server that `serverUrl` names. */
export async function createDatabaseAt(serverUrl: string, options: { install?: boolean; prefix?: string } = {}): Promise<TestDatabase> {
  const name = `${options.prefix ?? 't'}_${process.pid}_${Date.now().toString(36)}_${++counter}`;
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`create database "${name}"`);
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
  if (options.install ?? true) await installSchemas(client);
  return {
    name, url: url.href, client, connect,
    sql: async (text, values) => (await client.query(text, values)).rows,
    drop: async () => {
      await Promise.all(extra.map((one) => one.end().catch(() => {})));
      await admin.query(`drop database if exists "${name}" with (force)`);
      await admin.end();
    },
  };
}

/** Run every migration and function file in order. */
async function installSchemas(client: pg.Client): Promise<void> {
  const migrations = readdirSync(join(root, 'migrations')).filter((file) => file.endsWith('.sql')).sort();
  await client.query('begin; set local check_function_bodies = off');
  const run = async (path: string): Promise<void> => {
    try {
      await client.query(readFileSync(join(root, path), 'utf8'));
    } catch (error) {
      throw new Error(`${path}: ${String(error)}`);
    }
  };
  for (const file of migrations) await run(join('migrations', file));
  for (const schema of ['pgq', 'pgq_node', 'londiste', 'kaja']) {
    let files: string[] = [];
    try {
      files = readdirSync(join(root, 'sql', schema)).filter((file) => file.endsWith('.sql') && !file.startsWith('_')).sort();
    } catch { /* schema has no functions yet */ }
    for (const file of files) await run(join('sql', schema, file));
  }
  for (const schema of ['pgq', 'pgq_node', 'londiste', 'kaja']) {
    if (readdirSync(join(root, 'sql')).includes(schema) && readdirSync(join(root, 'sql', schema)).includes('_grants.sql')) await run(join('sql', schema, '_grants.sql'));
  }
  await client.query('commit');
}
