/** The session that writes into a node's tables without firing its triggers. */
import { openSession, type Session } from '../db/session.ts';
import { sqlstateOf } from '../db/sql-error.ts';
import type { ApplyRole } from './routes.ts';
import { createStaging } from './staging.ts';

/** An apply session and what it was able to switch off. */
export interface ApplySession {
  readonly session: Session;
  readonly role: ApplyRole;
}

/** Choice of the ini key `apply_role`. */
export type ApplyRoleChoice = 'auto' | ApplyRole;

/**
 * Switch ordinary triggers and foreign key checks off for a session: session_replication_role where the role may set it, else
 * only kaja's own triggers by the setting `kaja.applying`.
 * @returns what could be done
 */
async function becomeApplier(session: Session, choice: ApplyRoleChoice): Promise<ApplyRole> {
  await session.query(`select set_config('kaja.applying', '1', false)`);
  if (choice === 'marker') return 'marker';
  for (const statement of [
    `set session_replication_role = replica`,
    `select londiste.set_session_replication_role('replica', false)`,
  ]) {
    try {
      await session.query(statement);
      return 'replica';
    } catch (error) {
      if (sqlstateOf(error) !== '42501' || (choice === 'replica' && statement.startsWith('select')))
        throw error;
    }
  }
  return 'marker';
}

/**
 * Open an apply session with its temporary tables.
 * @param location connection string of this node
 */
export async function openApplySession(
  location: string,
  applicationName: string,
  choice: ApplyRoleChoice,
  signal?: AbortSignal,
): Promise<ApplySession> {
  const session = await openSession(location, { purpose: 'apply', applicationName, signal });
  try {
    const role = await becomeApplier(session, choice);
    await createStaging(session);
    return { session, role };
  } catch (error) {
    await session.close();
    throw error;
  }
}
