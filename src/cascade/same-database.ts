/** Do two connection strings lead to the same database? */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';

/* Bits of Londiste's "fail=N". */
const OTHER_NAME = 1;
const SEEN_BEFORE = 2;
const UNSEEN_AFTER = 4;

interface Identity {
  readonly oid: number;
  readonly name: string;
  readonly system: string | null;
}

async function identityOf(session: Session): Promise<Identity> {
  const row = await session.one<{ oid: number; name: string; readable: boolean }>(
    `select d.oid, d.datname::text as name,
            pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute') as readable
       from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()`,
  );
  const system = row.readable
    ? await session.value<bigint>('select c.system_identifier from pg_catalog.pg_control_system() c')
    : undefined;
  return { oid: row.oid, name: row.name, system: system === undefined ? null : String(system) };
}

/**
 * Compare the databases of two sessions: names and identifiers, and whether a transaction of one is seen by the other exactly
 * from its end on. Copies of a server have equal identifiers but separate transactions.
 * @returns 0 when they are the same, else a sum of 1 (name or identifier differs), 2 and 4 (transaction seen too early, or not at all)
 */
export async function differenceOf(local: Session, other: Session): Promise<number> {
  const [here, there] = await Promise.all([identityOf(local), identityOf(other)]);
  const sameSystem = here.system === null || there.system === null || here.system === there.system;
  const before = await local.value<string>('select pg_catalog.txid_current_snapshot()::text');
  const txid = await other.value<bigint>('select pg_catalog.txid_current()');
  const row = await local.one<{ early: boolean; late: boolean }>(
    `select pg_catalog.txid_visible_in_snapshot($1, $2::pg_catalog.txid_snapshot) as early,
            pg_catalog.txid_visible_in_snapshot($1, pg_catalog.txid_current_snapshot()) as late`,
    [txid, before],
  );
  return (
    (here.oid === there.oid && here.name === there.name && sameSystem ? 0 : OTHER_NAME) +
    (row.early ? SEEN_BEFORE : 0) +
    (row.late ? 0 : UNSEEN_AFTER)
  );
}

/** @throws KajaError state-refused when the public location leads elsewhere */
export async function checkSameDatabase(local: Session, viaPublic: Session): Promise<void> {
  const difference = await differenceOf(local, viaPublic);
  if (difference === 0) return;
  throw new KajaError(
    'state-refused',
    `Public connect string points to different database than local connect string (fail=${difference})`,
    { hint: `local is ${local.location}, public ${viaPublic.location}; --nocheck skips this check` },
  );
}
