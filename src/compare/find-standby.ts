/** A hot standby of the root, named by its connection string. */
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';

/** Is this word of `--source` a connection string, not a node's name? */
export const isLocation = (word: string): boolean => word.includes('=') || word.includes('://');

interface Facts {
  readonly standby: boolean;
  readonly system: bigint;
  readonly database: number;
}

/**
 * Make sure that it is one.
 * @throws KajaError state-refused (exit code 2) for any other server
 */
export async function checkStandby(
  location: string,
  root: { readonly location: string; readonly applicationName: string },
): Promise<void> {
  const look = async (where: string): Promise<Facts & { readonly at: string }> => {
    await using session = await openSession(where, {
      purpose: 'read',
      applicationName: root.applicationName,
    });
    return { ...(await readFacts(session)), at: session.location };
  };
  const [found, expected] = await Promise.all([look(location), look(root.location)]);
  const refuse = (what: string, hint: string): never => {
    throw new KajaError('state-refused', `${found.at} ${what}`, { exitCode: 2, hint });
  };
  if (!found.standby)
    refuse(
      'is no standby',
      '--source takes the name of a node that members shows, or the connection string of a hot standby',
    );
  if (found.system !== expected.system || found.database !== expected.database)
    refuse(
      `is no standby of the root (${expected.at})`,
      'only standbys of the root can be read exactly at a tick',
    );
}

const readFacts = (session: Session): Promise<Facts> =>
  session.one<Facts & Record<string, unknown>>(
    `select pg_is_in_recovery() as standby, (select system_identifier from pg_control_system()) as system,
            (select d.oid from pg_database d where d.datname = current_database()) as database`,
  );
