/** Connections of the demo itself. */
import pg from 'pg';

/** Connect; a server that goes away fails the next query instead of the process. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}
