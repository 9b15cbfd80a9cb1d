/** What the session's role may do; decides how kaja works around missing rights. */
import type { Session } from '../session.ts';

/** Rights of the connected role. */
export interface Rights {
  readonly role: string;
  readonly superuser: boolean;
  readonly createRole: boolean;
  /** Owner of the database, directly or through a role. */
  readonly databaseOwner: boolean;
  readonly createSchema: boolean;
  /** May set session_replication_role: superuser, or granted (PostgreSQL 15 and later). */
  readonly setReplicationRole: boolean;
  readonly createEventTrigger: boolean;
  /** Not subject to row security policies. */
  readonly bypassRowSecurity: boolean;
}

/** Read the rights of the session's role. */
export async function readRights(session: Session): Promise<Rights> {
  // has_parameter_privilege does not exist before 15, where only superusers may.
  const replicationRole =
    session.serverVersion >= 150000
      ? `r.rolsuper or pg_catalog.has_parameter_privilege(current_user, 'session_replication_role', 'set')`
      : 'r.rolsuper';
  return session.one<Rights & Record<string, unknown>>(
    `select current_user::text as role, r.rolsuper as superuser, r.rolsuper or r.rolcreaterole as "createRole",
            pg_catalog.pg_has_role(current_user, d.datdba, 'usage') as "databaseOwner",
            pg_catalog.has_database_privilege(d.oid, 'create') as "createSchema",
            ${replicationRole} as "setReplicationRole", r.rolsuper as "createEventTrigger",
            r.rolsuper or r.rolbypassrls as "bypassRowSecurity"
       from pg_catalog.pg_roles r
       join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
      where r.rolname = current_user`,
  );
}

/**
 * Is the role owner of the tables (directly or through a role it has)? Needed to create triggers and to truncate.
 * @returns table oid → owner or not; missing tables are absent
 */
export async function readOwnership(
  session: Session,
  oids: readonly number[],
): Promise<Map<number, boolean>> {
  const rows = await session.query<{ oid: number; owner: boolean }>(
    `select c.oid, pg_catalog.pg_has_role(current_user, c.relowner, 'usage') as owner
       from pg_catalog.pg_class c where c.oid = any ($1::oid[])`,
    [oids],
  );
  return new Map(rows.map((row) => [row.oid, row.owner]));
}
