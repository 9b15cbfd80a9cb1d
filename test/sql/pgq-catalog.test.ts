/** Schema pgq against the catalog of PgQ 3.5 with two queues: functions, tables, keys, storage, rights. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { failure, rows, SERVERS } from './queue-support.ts';

/* One line per fact, in the form of pgq-catalog.txt, which was read from the original extension with the same statement. */
const CATALOG = `
  select 'function ' || p.proname || '(' || pg_get_function_arguments(p.oid) || ') -> ' || pg_get_function_result(p.oid) || ' | '
         || case p.provolatile when 'v' then 'volatile' when 's' then 'stable' else 'immutable' end
         || case when p.proisstrict then ' strict' else '' end || case when p.prosecdef then ' definer' else '' end as fact
    from pg_proc p where p.pronamespace = 'pgq'::regnamespace
  union all
  select 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
         || case when a.attnotnull then ' not null' else '' end || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
    from pg_class c join pg_attribute a on a.attrelid = c.oid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
   where c.relnamespace = 'pgq'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
  union all
  select 'constraint ' || conname || ' on ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'pgq'::regnamespace and contype in ('p', 'u', 'f', 'c')
  union all
  select 'index ' || indexdef from pg_indexes where schemaname = 'pgq'
  union all
  select 'parent ' || i.inhparent::regclass || ' of ' || i.inhrelid::regclass
    from pg_inherits i join pg_class c on c.oid = i.inhrelid and c.relkind = 'r'
  union all
  select 'storage ' || c.relname || ' ' || array_to_string(c.reloptions || t.reloptions, ' ')
    from pg_class c left join pg_class t on t.oid = c.reltoastrelid where c.relnamespace = 'pgq'::regnamespace and c.reloptions is not null
  union all
  select 'sequence ' || sequencename || ' ' || concat_ws(' ', data_type, start_value, min_value, max_value, increment_by, cycle, cache_size)
    from pg_sequences where schemaname = 'pgq'
  union all
  select 'grant ' || lower(a.privilege_type) || ' on ' || o.what || ' to ' || case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    from (select 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as what,
                 coalesce(p.proacl, acldefault('f', p.proowner)) as acl, p.proowner as owner
            from pg_proc p where p.pronamespace = 'pgq'::regnamespace
          union all
          select case c.relkind when 'S' then 'sequence ' else 'table ' end || c.relname, c.relacl, c.relowner
            from pg_class c where c.relnamespace = 'pgq'::regnamespace and c.relkind in ('r', 'S')
          union all
          select 'schema pgq', n.nspacl, n.nspowner from pg_namespace n where n.nspname = 'pgq') o
    cross join lateral aclexplode(o.acl) a
   where a.grantee <> o.owner
  union all
  select 'role ' || r.rolname || ' inherit ' || r.rolinherit || ' login ' || r.rolcanlogin || ' member of '
         || array_to_string(array(select m.roleid::regrole::text from pg_auth_members m where m.member = r.oid order by 1), ' ')
    from pg_roles r where r.rolname in ('pgq_reader', 'pgq_writer', 'pgq_admin')`;

/* Expressions in trigger arguments must see the tables as the statement that fired the trigger does. */
const STABLE_HERE = /^function (?:jsontriga|logutriga|sqltriga)\(\) -> trigger \| /;

describe.each(SERVERS)('catalog of pgq on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server, prefix: 'cat' });
    await rows(db, `select pgq.create_queue('q'); select pgq.create_queue('r')`);
  });
  afterAll(() => db.drop());

  it('holds every fact of the original, and besides only private functions', async () => {
    const here = new Set<string>((await rows(db, CATALOG)).map((row) => row.fact));
    const original = readFileSync(join(import.meta.dirname, 'pgq-catalog.txt'), 'utf8')
      .trim()
      .split('\n');
    expect(original.filter((fact) => !here.has(fact) && !STABLE_HERE.test(fact))).toEqual([]);
    const added = [...here].filter((fact) => !original.includes(fact) && !STABLE_HERE.test(fact));
    expect(added.filter((fact) => !/^function _\w+\(/.test(fact)).sort()).toEqual([
      'grant execute on function _batch_sql(i_batch_id bigint, i_where text) to pgq_reader',
      'grant execute on function _create_roles() to pgq_admin',
    ]);
  });

  it.each(['pgq_reader', 'pgq_writer', 'pgq_admin', 'public'])(
    'lets %s call what it may, and nothing else',
    async (role) => {
      const client = await db.connect();
      const own = `catalog_${role}_${process.pid}_${server === 0 ? 'a' : 'b'}`;
      await rows(db, `create role ${own} ${role === 'public' ? '' : `in role ${role}`}`);
      await client.query(`set role ${own}`);
      // Null for all arguments, 0 where that would not even be a call: who may call gets an answer or another error.
      const calls = await rows(
        db,
        `select p.proname || '(' || coalesce((select string_agg(case when p.proisstrict then '''0''::' else 'null::' end || format_type(t, null), ', ' order by n)
                                               from unnest(p.proargtypes) with ordinality a (t, n)), '') || ')' as call,
              case when has_function_privilege($1, p.oid, 'execute') then '' else p.proname end as refused
         from pg_proc p where p.pronamespace = 'pgq'::regnamespace and p.prorettype <> 'trigger'::regtype order by 1`,
        [own],
      );
      for (const { call, refused } of calls) {
        await client.query('begin');
        const error = await client.query(`select * from pgq.${call}`).then(
          () => undefined,
          (problem: { code: string; message: string }) => problem,
        );
        await client.query('rollback');
        expect(error?.message === `permission denied for function ${refused}`, call).toBe(refused !== '');
      }
      // Each table and sequence of the schema: SELECT fails exactly where the catalog says so.
      const relations = await rows(
        db,
        `select c.oid::regclass::text as name, case c.relkind when 'S' then has_sequence_privilege($1, c.oid, 'select')
                                              else has_table_privilege($1, c.oid, 'select') end as may
         from pg_class c where c.relnamespace = 'pgq'::regnamespace and c.relkind in ('r', 'S') order by 1`,
        [own],
      );
      for (const { name, may } of relations) {
        const error = await client.query(`select * from ${name}`).then(
          () => undefined,
          (problem: { code: string }) => problem,
        );
        expect(error?.code ?? 'ok', name).toBe(may ? 'ok' : '42501');
      }
      await client.query('reset role');
      await rows(db, `drop role ${own}`);
    },
  );

  it('lets nobody call anything of our other schemas but what only answers questions', async () => {
    const open = await rows(
      db,
      `select p.oid::regproc::text as name from pg_proc p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        where p.pronamespace::regnamespace::text in ('kaja', 'pgq_coop', 'pgq_ext') and a.grantee = 0 and p.prorettype <> 'trigger'::regtype
          and (p.prosecdef or p.proname !~ '^trigger_') order by 1`,
    );
    expect(open.map((row) => row.name)).toEqual([
      'kaja.queue_event_seq',
      'pgq_coop.version',
      'pgq_ext.version',
    ]);
    const client = await db.connect();
    await client.query('set role pgq_writer');
    expect((await failure(client, `select kaja.refresh_captures('q')`)).code).toBe('42501');
  });
});
