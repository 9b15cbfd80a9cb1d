/** Brings back the foreign keys that copies put aside, when both tables are in sync. */
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import type { Log } from '../log/logger.ts';

interface PendingKey {
  from_table: string;
  to_table: string;
  fkey_name: string;
}

/**
 * Restore valid pending keys: added NOT VALID first, then validated, each step in its own transaction. A key that the rows
 * contradict stays pending and is logged; replication goes on.
 * @param session ordinary session on this node
 * @returns whether there were keys to restore: what is known of the tables' foreign keys is old then
 */
export async function restoreForeignKeys(
  session: Session,
  queue: string,
  lockTimeoutMs: number,
  log: Log,
): Promise<boolean> {
  const keys = await session.query<PendingKey>(
    'select from_table, to_table, fkey_name from londiste.get_valid_pending_fkeys($1)',
    [queue],
  );
  for (const key of keys) {
    log.info(`Creating fkey: ${key.fkey_name} (${key.from_table} --> ${key.to_table})`);
    try {
      for (let more = true; more; ) {
        more = await session.transaction(async () => {
          await session.query(`set local lock_timeout = ${Math.max(1000, lockTimeoutMs)}`);
          const statement = await session.value<string>('select londiste.restore_table_fkey($1, $2, true)', [
            key.from_table,
            key.fkey_name,
          ]);
          if (!statement) return false;
          await session.query(statement);
          return true;
        });
      }
    } catch (error) {
      log.error(`foreign key ${key.fkey_name} could not be restored yet: ${errorLine(error)}`);
    }
  }
  return keys.length > 0;
}
