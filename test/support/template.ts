/** One installed database per server, cloned for every test. */
import pg from 'pg';
import { installSchemas } from '../../src/db/migrate/install-schemas.ts';
import { openSession } from '../../src/db/session.ts';

async function onServer<T>(serverUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: serverUrl });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Install kaja's schemas into the database that `url` names. */
export async function installInto(url: string): Promise<void> {
  const session = await openSession(url, { purpose: 'admin', applicationName: 'kaja test install' });
  try {
    await installSchemas(session);
  } finally {
    await session.close();
  }
}

/**
 * Create the template of a server.
 * @returns its name; undefined (after a note on stderr) when the SQL does not install at the moment
 */
export async function createTemplate(serverUrl: string): Promise<string | undefined> {
  const name = `kaja_template_${process.pid}_${Date.now().toString(36)}`;
  await onServer(serverUrl, (client) => client.query(`create database "${name}"`));
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  try {
    await installInto(url.href);
    return name;
  } catch (error) {
    process.stderr.write(`no template database: ${String(error)}\n`);
    await dropTemplate(serverUrl, name);
    return undefined;
  }
}

/** Drop a template made by `createTemplate`. */
export async function dropTemplate(serverUrl: string, name: string | undefined): Promise<void> {
  if (name)
    await onServer(serverUrl, (client) => client.query(`drop database if exists "${name}" with (force)`));
}

/** PostgreSQL major of a server. */
export async function majorOf(serverUrl: string): Promise<number> {
  return onServer(serverUrl, async (client) => {
    const { rows } = await client.query(`select current_setting('server_version_num')::int / 10000 as major`);
    return rows[0].major;
  });
}
