/** Which databases a ticker serves. */
import { extendConnectionString, parseConnectionString } from '../config/connection-string.ts';
import { openSession } from '../db/session.ts';
import type { TickerSettings } from './ticker-settings.ts';

/** One database to serve. */
export interface TickerDatabase {
  /** Shown in logs. */
  readonly name: string;
  readonly location: string;
  /** Named in the ini, so it is worth a word when it cannot be served. */
  readonly named: boolean;
}

/**
 * Find the databases: `db`, or `database_list` without a look whether they exist, or all of the server that permit connections.
 * @param signal stops the look-up
 * @throws KajaError when the server has to be asked and does not answer
 */
export async function listDatabases(
  settings: TickerSettings,
  signal?: AbortSignal,
): Promise<TickerDatabase[]> {
  if (settings.db) {
    return [{ name: parseConnectionString(settings.db).database, location: settings.db, named: true }];
  }
  const at = (dbname: string): string => extendConnectionString(settings.baseConnstr, { dbname });
  if (settings.databaseList.length > 0) {
    return [...new Set(settings.databaseList)].map((name) => ({ name, location: at(name), named: true }));
  }
  const session = await openSession(at(settings.initialDatabase), {
    purpose: 'read',
    applicationName: 'kaja ticker databases',
    signal,
  });
  try {
    const rows = await session.query<{ datname: string }>(
      'select d.datname::text from pg_database d where not d.datistemplate and d.datallowconn order by 1',
    );
    return rows.map(({ datname }) => ({ name: datname, location: at(datname), named: false }));
  } finally {
    await session.close();
  }
}
