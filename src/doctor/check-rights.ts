/** What the role may do: install, copy, apply without firing triggers, read from the provider. */
import type { Rights } from '../db/catalog/rights.ts';
import { quoteIdent } from '../db/names.ts';
import type { SideCheck } from './check.ts';
import { error, info, ok, type Verdict, warning } from './finding.ts';
import type { ApplyChoice, Side } from './side.ts';

/** See the file. */
export interface RightsState {
  readonly rights: Rights;
  readonly database: string;
  readonly version: number;
  readonly temp: boolean;
  readonly installed: boolean;
  /** Will kaja be installed, or run its worker, with this role? */
  readonly own: boolean;
  readonly apply: ApplyChoice | undefined;
  /** Functions the worker calls here and may not. */
  readonly denied: readonly string[];
}

/** Judge what a role may do, with the statement that helps. */
export function judgeRights(state: RightsState): Verdict[] {
  const { rights } = state;
  const role = quoteIdent(rights.role);
  const database = quoteIdent(state.database);
  const list: Verdict[] = [];
  if (rights.databaseOwner)
    list.push(ok(`${rights.role} ${rights.superuser ? 'is superuser' : 'owns the database'}`));
  if (state.own && !state.installed && !rights.createSchema)
    list.push(
      error(
        `role ${rights.role} may not create schemas, so kaja cannot be installed`,
        `grant create on database ${database} to ${role}`,
      ),
    );
  if (state.own && !state.temp)
    list.push(
      error(
        `role ${rights.role} may not create temporary tables, which changes pass through`,
        `grant temporary on database ${database} to ${role}`,
      ),
    );
  if (state.own && !rights.createRole && !state.installed)
    list.push(
      info(
        `role ${rights.role} may not create roles: kaja installs without pgq_reader, pgq_writer, pgq_admin`,
        `have a superuser run: alter role ${role} createrole`,
      ),
    );
  if (state.own && !rights.createEventTrigger)
    list.push(info(`role ${rights.role} may not create event triggers; kaja does without`));
  if (state.denied.length > 0)
    list.push(
      error(
        `role ${rights.role} may not call ${state.denied.join(', ')}`,
        state.own
          ? `use the role that installed kaja, or have it run: grant pgq_admin to ${role}`
          : `grant pgq_reader, pgq_admin to ${role}, or grant execute on these functions`,
      ),
    );
  if (state.apply) list.push(judgeApply(state.apply, rights.role, state.version));
  return list;
}

function judgeApply(apply: ApplyChoice, role: string, version: number): Verdict {
  if (apply.how !== 'not') return ok(`session_replication_role can be set (${apply.how})`);
  const remedy =
    version >= 150_000
      ? `have a superuser run: grant set on parameter session_replication_role to ${quoteIdent(role)}`
      : 'have a superuser run: alter function londiste.set_session_replication_role(text, boolean) owner to <a superuser>';
  const what = `role ${role} may not set session_replication_role`;
  if (apply.wanted === 'replica') return error(`${what}, which apply_role = replica asks for`, remedy);
  const consequence = `${what}: triggers and foreign keys of this database act on replicated changes`;
  return apply.wanted === 'marker' ? info(consequence, remedy) : warning(consequence, remedy);
}

/* What the worker of a subscriber calls on its provider, and every worker at home. */
const ABROAD = [
  'pgq_node.get_node_info',
  'pgq_node.set_subscriber_watermark',
  'pgq.finish_batch',
  'pgq.register_consumer_at',
  'kaja.next_batch',
  'kaja.take_batch',
  'kaja.event_range_sql',
  'kaja.lock_ticks',
  'kaja.tick_at_snapshot',
];
const AT_HOME = ['pgq_node.get_node_info', 'pgq_node.set_consumer_completed', 'pgq_node.set_consumer_error'];
const OF_TICKER = ['pgq.ticker', 'pgq.maint_operations', 'kaja.poll_ticks'];

function calls(side: Side): string[] {
  if (side.role === 'ticker') return OF_TICKER;
  return side.role === 'node' ? AT_HOME : ABROAD;
}

/** Rights of the role, by what kaja does with this database. */
export const checkRights: SideCheck = {
  name: 'rights',
  async run(side) {
    const { session, rights, apply } = side;
    const facts = await session.one<{ temp: boolean; denied: string[] }>(
      `select has_database_privilege(current_database(), 'temporary') as temp,
              array(select n.nspname || '.' || p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
                     where n.nspname || '.' || p.proname = any ($1::text[])
                       and not (has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute'))
                     group by 1 order by 1) as denied`,
      [calls(side)],
    );
    return judgeRights({
      rights,
      apply,
      ...facts,
      database: session.facts.database,
      version: session.serverVersion,
      installed: side.schemas.has('kaja'),
      own: side.role === 'node',
    });
  },
};
