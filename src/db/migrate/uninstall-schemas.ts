/** Takes our schemas out of a database. */
import { KajaError } from '../../errors/kaja-error.ts';
import { quoteFqName, quoteIdent } from '../names.ts';
import type { Session } from '../session.ts';
import { INSTALL_LOCK } from './bookkeeping.ts';
import { SCHEMAS, type SchemaName } from './source.ts';
import { type InstallState, readInstallState } from './state.ts';

/** Roles that grants of our schemas may have created. Members come before the roles they are members of. */
const ROLES = ['londiste_writer', 'londiste_reader', 'pgq_admin', 'pgq_writer', 'pgq_reader'];

/** Options of `uninstallSchemas`. */
export interface UninstallOptions {
  /** Also when queues, nodes or dependent objects of others exist; they go too. */
  readonly force?: boolean | undefined;
  /** Told before each step, for example `drop trigger … on public.orders`. */
  readonly onStep?: ((step: string) => void) | undefined;
}

interface TriggerRow {
  name: string;
  schema: string;
  relation: string;
}

/**
 * Remove everything `installSchemas` and capture made: triggers on captured tables, schemas with all they hold, and roles that
 * nobody uses and that may be dropped. Schemas of genuine extensions, and optional ones that others made, stay.
 * @returns steps done; empty when there was nothing
 * @throws KajaError state-refused without `force` while queues or nodes exist, or objects of others depend on ours
 */
export async function uninstallSchemas(session: Session, options: UninstallOptions = {}): Promise<string[]> {
  return session.transaction(async () => {
    await session.query(INSTALL_LOCK);
    const state = await readInstallState(session);
    const schemas = SCHEMAS.filter((one) => state.schemas.has(one) && !state.leftAlone.has(one));
    const steps: string[] = [];
    const run = async (sql: string): Promise<void> => {
      steps.push(sql);
      options.onStep?.(sql);
      await session.query(sql);
    };
    if (schemas.length === 0) return steps;
    if (!options.force) await refuseWhileUsed(session, state, schemas);
    for (const one of await triggersInto(session, schemas)) {
      await run(
        `drop trigger ${quoteIdent(one.name)} on ${quoteFqName({ schema: one.schema, name: one.relation })}`,
      );
    }
    for (const name of await eventTriggersInto(session, schemas))
      await run(`drop event trigger ${quoteIdent(name)}`);
    await run(`drop schema ${[...schemas].reverse().map(quoteIdent).join(', ')} cascade`);
    for (const role of await unusedRoles(session, state)) {
      if (await mayDropRole(session, role)) await run(`drop role ${quoteIdent(role)}`);
    }
    return steps;
  });
}

/** Triggers that call our functions on tables that are not ours. Clones on partitions go with their parent's. */
async function triggersInto(session: Session, schemas: readonly SchemaName[]): Promise<TriggerRow[]> {
  return session.query<TriggerRow>(
    `select t.tgname::text as name, n.nspname::text as schema, c.relname::text as relation
       from pg_catalog.pg_trigger t
       join pg_catalog.pg_class c on c.oid = t.tgrelid
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
       join pg_catalog.pg_proc p on p.oid = t.tgfoid
       join pg_catalog.pg_namespace pn on pn.oid = p.pronamespace
      where pn.nspname = any ($1::text[]) and n.nspname <> all ($1::text[]) and not t.tgisinternal and t.tgparentid = 0
      order by 2, 3, 1`,
    [schemas],
  );
}

async function eventTriggersInto(session: Session, schemas: readonly SchemaName[]): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `select e.evtname::text as name
       from pg_catalog.pg_event_trigger e
       join pg_catalog.pg_proc p on p.oid = e.evtfoid
       join pg_catalog.pg_namespace pn on pn.oid = p.pronamespace
      where pn.nspname = any ($1::text[]) order by 1`,
    [schemas],
  );
  return rows.map((row) => row.name);
}

async function refuseWhileUsed(
  session: Session,
  state: InstallState,
  schemas: readonly SchemaName[],
): Promise<void> {
  const uses: string[] = [];
  const count = async (relation: string, what: string): Promise<void> => {
    const schema = relation.split('.')[0] as SchemaName;
    if (!schemas.includes(schema)) return;
    if ((await session.value(`select pg_catalog.to_regclass($1) is not null`, [relation])) !== true) return;
    const found = await session.value<bigint>(`select pg_catalog.count(*) from ${quoteFqName(relation)}`);
    if (found) uses.push(`${found} ${what}${found === 1n ? '' : 's'}`);
  };
  await count('pgq.queue', 'queue');
  await count('pgq_node.node_info', 'node');
  // Whoever loses his position does his work twice.
  await count('pgq_ext.completed_tick', 'tick position');
  await count('pgq_ext.completed_batch', 'batch position');
  // With the genuine pgq its queues stay, but tables captured into them would fall silent.
  if (state.extensions.has('pgq')) await count('kaja.capture', 'captured table');
  if (uses.length > 0) {
    throw new KajaError('state-refused', `${session.location} still has ${uses.join(' and ')}`, {
      hint: 'drop them first, or use --force',
    });
  }
  const [other] = await foreignDependents(session, schemas);
  if (other) {
    throw new KajaError('state-refused', `${other} in ${session.location} depends on kaja's schemas`, {
      hint: 'drop it first, or use --force',
    });
  }
}

/** Views, functions, defaults and keys outside our schemas that need something inside. */
async function foreignDependents(session: Session, schemas: readonly SchemaName[]): Promise<string[]> {
  const rows = await session.query<{ what: string }>(
    `with ours as (select n.oid from pg_catalog.pg_namespace n where n.nspname = any ($1::text[])),
     inside as (
       select 'pg_catalog.pg_class'::regclass as classid, c.oid from pg_catalog.pg_class c where c.relnamespace in (select oid from ours)
       union all
       select 'pg_catalog.pg_proc'::regclass, p.oid from pg_catalog.pg_proc p where p.pronamespace in (select oid from ours)
       union all
       select 'pg_catalog.pg_type'::regclass, t.oid from pg_catalog.pg_type t where t.typnamespace in (select oid from ours)),
     dependent as (
       select d.classid, d.objid,
              case d.classid
                when 'pg_catalog.pg_class'::regclass then (select c.relnamespace from pg_catalog.pg_class c where c.oid = d.objid)
                when 'pg_catalog.pg_proc'::regclass then (select p.pronamespace from pg_catalog.pg_proc p where p.oid = d.objid)
                when 'pg_catalog.pg_rewrite'::regclass then (select c.relnamespace from pg_catalog.pg_rewrite r
                                                               join pg_catalog.pg_class c on c.oid = r.ev_class where r.oid = d.objid)
                when 'pg_catalog.pg_attrdef'::regclass then (select c.relnamespace from pg_catalog.pg_attrdef a
                                                               join pg_catalog.pg_class c on c.oid = a.adrelid where a.oid = d.objid)
                when 'pg_catalog.pg_constraint'::regclass then (select k.connamespace from pg_catalog.pg_constraint k where k.oid = d.objid)
              end as namespace
         from pg_catalog.pg_depend d
         join inside i on i.classid = d.refclassid and i.oid = d.refobjid
        where d.deptype in ('n', 'a'))
     select distinct pg_catalog.pg_describe_object(e.classid, e.objid, 0) as what
       from dependent e
      where e.namespace is not null and e.namespace not in (select oid from ours)
      order by 1`,
    [schemas],
  );
  return rows.map((row) => row.what);
}

/** Group roles of ours without login, without members of others and without a grant or object anywhere on the server. */
async function unusedRoles(session: Session, state: InstallState): Promise<string[]> {
  const keep = state.extensions.size > 0;
  if (keep) return [];
  const rows = await session.query<{ name: string }>(
    `select r.rolname::text as name
       from pg_catalog.pg_roles r
      where r.rolname = any ($1::text[]) and not r.rolcanlogin
        and not exists (select from pg_catalog.pg_shdepend d
                         where d.refclassid = 'pg_catalog.pg_authid'::regclass and d.refobjid = r.oid)
        and not exists (select from pg_catalog.pg_auth_members m join pg_catalog.pg_roles u on u.oid = m.member
                         where m.roleid = r.oid and u.rolname <> all ($1::text[]) and u.rolname <> current_user)
      order by pg_catalog.array_position($1::text[], r.rolname::text)`,
    [ROLES],
  );
  return rows.map((row) => row.name);
}

/** Try it in a savepoint: who may drop a role differs between majors. */
async function mayDropRole(session: Session, role: string): Promise<boolean> {
  await session.query('savepoint kaja_role');
  try {
    await session.query(`drop role ${quoteIdent(role)}`);
    return true;
  } catch {
    return false;
  } finally {
    await session.query('rollback to savepoint kaja_role; release savepoint kaja_role');
  }
}
