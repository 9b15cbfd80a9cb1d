/** The server: version, encoding, can it be written to, has it room for our connections. */
import type { Session } from '../db/session.ts';
import type { PairCheck, SideCheck } from './check.ts';
import { error, info, ok, type Verdict, warning } from './finding.ts';

/** What the server says of itself. */
export interface ServerState {
  readonly version: number;
  readonly encoding: string;
  readonly standby: boolean;
  readonly readOnly: boolean;
  readonly connectionsFree: number;
  readonly maxConnections: number;
  /** Limits of role and database; -1: none. */
  readonly roleFree: number;
}

/** Majors that are tested. */
const OLDEST = 14;
const NEWEST = 18;

/**
 * Judge a server.
 * @param needed connections that a worker with these settings opens here
 */
export function judgeServer(state: ServerState, needed: number): Verdict[] {
  const major = Math.floor(state.version / 10_000);
  const list: Verdict[] = [];
  if (major < OLDEST) list.push(error(`PostgreSQL ${major} is too old`, `upgrade to ${OLDEST} or later`));
  else if (major > NEWEST)
    list.push(warning(`PostgreSQL ${major} is newer than this program knows`, 'look for a newer kaja'));
  else list.push(ok(`PostgreSQL ${major}`));
  if (state.standby)
    list.push(
      error(
        'the server is a standby: nothing can be written',
        'connect to the primary, or add target_session_attrs=primary',
      ),
    );
  else if (state.readOnly)
    list.push(
      error(
        'transactions are read-only here (default_transaction_read_only)',
        'set default_transaction_read_only = off for this role or database',
      ),
    );
  if (state.encoding === 'SQL_ASCII')
    list.push(
      warning(
        'encoding is SQL_ASCII: bytes that are no UTF-8 will stop replication',
        'dump the database and restore it with a real encoding',
      ),
    );
  const free = state.roleFree < 0 ? state.connectionsFree : Math.min(state.connectionsFree, state.roleFree);
  if (free < needed)
    list.push(
      warning(
        `${free} of ${state.maxConnections} connections are free, replication takes up to ${needed}`,
        'raise max_connections (or the connection limit of role and database), or lower parallel_copies and copy_jobs',
      ),
    );
  else list.push(ok(`${free} connections are free`));
  return list;
}

async function readServer(session: Session): Promise<ServerState> {
  return session.one<ServerState & Record<string, unknown>>(
    `with here as (
       select case when r.rolsuper then -1 else d.datconnlimit end as datconnlimit,
              case when r.rolsuper then -1 else r.rolconnlimit end as rolconnlimit,
              (select count(*)::int4 from pg_stat_activity a where a.backend_type = 'client backend') as used,
              (select count(*)::int4 from pg_stat_activity a where a.datid = d.oid and a.backend_type = 'client backend') as of_database,
              (select count(*)::int4 from pg_stat_activity a where a.usesysid = r.oid) as of_role
         from pg_database d, pg_roles r where d.datname = current_database() and r.rolname = current_user)
     select current_setting('server_version_num')::int4 as version, current_setting('server_encoding') as encoding,
            pg_is_in_recovery() as standby, current_setting('default_transaction_read_only') = 'on' as "readOnly",
            current_setting('max_connections')::int4 as "maxConnections",
            current_setting('max_connections')::int4 - current_setting('superuser_reserved_connections')::int4
              - coalesce(current_setting('reserved_connections', true)::int4, 0) - used as "connectionsFree",
            coalesce(least(case when datconnlimit >= 0 then datconnlimit - of_database end,
                           case when rolconnlimit >= 0 then rolconnlimit - of_role end), -1) as "roleFree"
       from here`,
  );
}

/** The server itself, with the connections that the worker of the ini takes. */
export const checkServer: SideCheck = {
  name: 'server',
  async run(side) {
    const { config } = side;
    return judgeServer(
      await readServer(side.session),
      config ? 6 + config.parallelCopies * (config.copyJobs + 2) : 6,
    );
  },
};

/** What both sides have to agree on. */
export interface Identity {
  readonly version: number;
  readonly encoding: string;
  readonly database: string;
  /** Of the cluster; null when it may not be read. */
  readonly system: string | null;
}

/** Judge two servers together. */
export function judgeSides(provider: Identity, subscriber: Identity): Verdict[] {
  const list: Verdict[] = [];
  const major = (one: Identity): number => Math.floor(one.version / 10_000);
  list.push(ok(`from PostgreSQL ${major(provider)} to ${major(subscriber)}`));
  if (provider.encoding !== subscriber.encoding) {
    const text = `encoding is ${provider.encoding} on the provider and ${subscriber.encoding} here`;
    list.push(
      subscriber.encoding === 'UTF8'
        ? info(text)
        : warning(
            `${text}: characters unknown here will stop replication`,
            'create this database with encoding UTF8',
          ),
    );
  }
  if (
    provider.system !== null &&
    provider.system === subscriber.system &&
    provider.database === subscriber.database
  )
    list.push(
      error('provider and subscriber are the same database', 'check db and the location of the provider'),
    );
  return list;
}

const readIdentity = (session: Session): Promise<Identity> =>
  session.one<Identity & Record<string, unknown>>(
    `select current_setting('server_version_num')::int4 as version, current_setting('server_encoding') as encoding,
            current_database()::text as database,
            case when has_function_privilege('pg_control_system()', 'execute')
                 then (select c.system_identifier::text from pg_control_system() c) end as system`,
  );

/** Both servers together. */
export const checkSides: PairCheck = {
  name: 'server',
  run: async ({ provider, subscriber }) =>
    judgeSides(await readIdentity(provider.session), await readIdentity(subscriber.session)),
};
