import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, type Major, startCluster } from '../support/cluster.ts';
import type { TestDatabase } from '../support/database.ts';
import { column, openDatabase, ret, SERVERS } from './londiste-support.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SCHEMAS = ['pgq', 'pgq_coop', 'pgq_ext', 'pgq_node', 'londiste', 'kaja'];

/** Every public function of both schemas: arguments, result, volatility. */
const SIGNATURES = `
  select n.nspname || '.' || p.proname || '(' || pg_get_function_arguments(p.oid) || ') -> ' || pg_get_function_result(p.oid) || ' | '
         || case p.provolatile when 'v' then 'volatile' when 's' then 'stable' else 'immutable' end
         || case when p.proisstrict then ' strict' else '' end || case when p.prosecdef then ' definer' else '' end
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
   where n.nspname in ('pgq_node', 'londiste')`;

describe.each(SERVERS)('pgq_node and londiste as others see them, %s server', (_label, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openDatabase(server);
  });
  afterAll(() => db.drop());

  it('have the functions of the upstream extensions, and besides only private ones', async () => {
    const upstream = readFileSync(join(import.meta.dirname, 'londiste-signatures.txt'), 'utf8')
      .trim()
      .split('\n');
    const here = (await column(db, SIGNATURES)) as string[];
    expect(upstream.filter((signature) => !here.includes(signature))).toEqual([]);
    const added = here.filter((signature) => !upstream.includes(signature) && !/\._/.test(signature));
    expect(added).toEqual(['londiste.truncate_trigger() -> trigger | volatile']);
  });

  it('tell the version of upstream', async () => {
    expect(await db.sql(`select pgq_node.version() as node, londiste.version()`)).toEqual([
      { node: '3.5', version: '3.8' },
    ]);
    expect(
      await db.sql(`select pgq_node.upgrade_schema() as node, londiste.upgrade_schema() as londiste`),
    ).toEqual([{ node: 0, londiste: 0 }]);
  });

  it('pin the search path of functions that run with the rights of their owner', async () => {
    expect(
      await column(
        db,
        `select p.oid::regprocedure::text from pg_proc p where p.pronamespace::regnamespace::text in ('pgq_node', 'londiste')
        and p.prosecdef and not coalesce(p.proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']`,
      ),
    ).toEqual([]);
  });

  it.each([
    [
      'public',
      [
        'londiste.find_column_types',
        'londiste.find_rel_oid',
        'londiste.find_seq_oid',
        'londiste.find_table_fkeys',
        'londiste.find_table_oid',
        'londiste.is_replica_func',
        'londiste.make_fqname',
        'londiste.quote_fqname',
        'londiste.split_fqname',
        'londiste.version',
        'pgq_node.is_leaf_node',
        'pgq_node.is_root_node',
        'pgq_node.version',
      ],
    ],
    [
      'pgq_reader',
      [
        'pgq_node.get_consumer_info',
        'pgq_node.get_consumer_state',
        'pgq_node.get_node_info',
        'pgq_node.get_queue_locations',
        'pgq_node.get_subscriber_info',
        'pgq_node.register_subscriber',
        'pgq_node.set_subscriber_watermark',
        'pgq_node.unregister_subscriber',
      ],
    ],
    [
      'londiste_reader',
      [
        'londiste._coordinate_copy',
        'londiste._merge_queues',
        'londiste.get_seq_list',
        'londiste.get_table_list',
      ],
    ],
  ])('grant %s just the functions it needs', async (role, expected) => {
    expect(
      await column(
        db,
        `select distinct p.oid::regproc::text from pg_proc p cross join lateral aclexplode(p.proacl) a
        where p.pronamespace::regnamespace::text in ('pgq_node', 'londiste') and a.privilege_type = 'EXECUTE'
          and a.grantee = case $1 when 'public' then 0::oid else (select r.oid from pg_roles r where r.rolname = $1) end order by 1`,
        [role],
      ),
    ).toEqual(expected);
  });

  it('let londiste_writer work and a stranger not', async () => {
    const as = async (role: string, text: string) => {
      await db.sql(`begin; set local role ${role}`);
      try {
        return await db.sql(text);
      } finally {
        await db.sql('rollback');
      }
    };
    await db.sql(
      `select pgq_node.register_location('g', 'n', 'x', false), pgq_node.create_node('g', 'root', 'n', 'w', null, null, null)`,
    );
    await db.sql(`create table public.gt (id int primary key); grant all on public.gt to public`);
    expect(
      await as(
        'londiste_writer',
        `select ret_code from londiste.local_add_table('g', 'gt', array['no_triggers'])`,
      ),
    ).toEqual([{ ret_code: 200 }]);
    expect(
      await as(
        'londiste_writer',
        `select ret_code from londiste.local_add_table('g', 'gt', array['tgflags=L'])`,
      ),
    ).toEqual([{ ret_code: 200 }]);
    expect(
      await as('londiste_reader', `select count(*)::int as n from londiste.get_table_list('g')`),
    ).toEqual([{ n: 0 }]);
    expect(await as('pg_monitor', `select count(*)::int as n from londiste.table_info`)).toEqual([{ n: 0 }]);
    for (const call of [
      `londiste.local_add_table('g', 'gt')`,
      `pgq_node.drop_node('g', 'n')`,
      `londiste.set_session_replication_role('replica', true)`,
    ]) {
      await expect(as('pg_monitor', `select ${call}`)).rejects.toMatchObject({ code: '42501' });
    }
    await expect(as('londiste_reader', `select londiste.local_add_table('g', 'gt')`)).rejects.toMatchObject({
      code: '42501',
    });
  });
});

describe.each<[Major]>([[14], [18]])(
  'installed by an owner without further rights, PostgreSQL %s',
  (major) => {
    let cluster: Cluster;
    let owner: pg.Client;
    const notices: string[] = [];
    const install = async (client: pg.Client): Promise<void> => {
      const files = readdirSync(join(ROOT, 'migrations'))
        .sort()
        .map((file) => join('migrations', file));
      const functions = SCHEMAS.map((schema) =>
        readdirSync(join(ROOT, 'sql', schema))
          .sort()
          .map((file) => join('sql', schema, file)),
      );
      const isGrants = (file: string): boolean => file.endsWith('_grants.sql');
      const ordered = [
        ...files,
        ...functions.flat().filter((file) => !isGrants(file)),
        ...functions.flat().filter(isGrants),
      ];
      await client.query('begin; set local check_function_bodies = off');
      for (const file of ordered) {
        await client.query(readFileSync(join(ROOT, file), 'utf8')).catch((error) => {
          throw new Error(`${file}: ${String(error)}`);
        });
      }
      await client.query('commit');
    };
    const answer = (call: string) =>
      ret({ sql: async (text, values) => (await owner.query(text, values)).rows }, call);

    beforeAll(async () => {
      cluster = await startCluster(major);
      const admin = new pg.Client({ connectionString: cluster.url('postgres') });
      await admin.connect();
      await admin.query('create role plain login');
      await admin.query('create database owned owner plain');
      await admin.end();
      owner = new pg.Client({ connectionString: cluster.url('owned', 'plain') });
      owner.on('notice', (notice) => notices.push(notice.message ?? ''));
      await owner.connect();
      await install(owner);
    });
    afterAll(async () => {
      await owner?.end();
      await cluster?.destroy();
    });

    it('says which roles could not be made', async () => {
      expect(notices.filter((notice) => notice.startsWith('role londiste_'))).toHaveLength(2);
      expect((await owner.query(`select from pg_roles where rolname ~ '^(pgq|londiste)_'`)).rows).toEqual([]);
    });

    it('lets the owner use everything', async () => {
      expect(await answer(`pgq_node.register_location('q', 'n', 'x', false)`)).toBe(
        '200 Location registered',
      );
      expect(await answer(`pgq_node.create_node('q', 'root', 'n', 'w', null, null, null)`)).toMatch(/^200 /);
      await owner.query(`create table public.t (id serial primary key, v text)`);
      expect(await answer(`londiste.local_add_table('q', 't')`)).toBe('200 Table added: public.t');
      expect(await answer(`londiste.local_add_seq('q', 't_id_seq')`)).toBe(
        '200 Sequence added: public.t_id_seq',
      );
      await owner.query(`insert into public.t (v) values ('x')`);
      expect(await answer(`londiste.execute_start('q', 'f', 'select 1', true)`)).toBe('200 Executing: f');
      expect(await answer(`londiste.execute_finish('q', 'f')`)).toBe('200 Execute finished: f');
      expect(await answer(`pgq_node.set_global_watermark('q', null)`)).toMatch(/^200 /);
      expect(await answer(`londiste.local_remove_table('q', 't')`)).toBe('200 Table removed: public.t');
      for (const step of [1, 2])
        expect(await answer(`pgq_node.demote_root('q', ${step}, 'n')`)).toMatch(/^200 /);
      expect(await answer(`pgq_node.drop_node('q', 'n')`)).toBe('200 Node dropped: n');
      expect((await owner.query(`select * from londiste.periodic_maintenance()`)).rows).toEqual([
        { periodic_maintenance: 0 },
      ]);
    });

    it("gives the server's own error for session_replication_role", async () => {
      await expect(
        owner.query(`select londiste.set_session_replication_role('replica', true)`),
      ).rejects.toMatchObject({ code: '42501' });
    });

    it('gets the roles when an administrator upgrades, once', async () => {
      const admin = new pg.Client({ connectionString: cluster.url('owned') });
      await admin.connect();
      for (const role of ['pgq_reader', 'pgq_admin']) await admin.query(`create role ${role}`);
      const upgrade = async () =>
        (await admin.query('select londiste.upgrade_schema() as changes')).rows[0].changes;
      expect(await upgrade()).toBe(2);
      expect(await upgrade()).toBe(0);
      const members = await admin.query(
        `select m.member::regrole::text, m.roleid::regrole::text from pg_auth_members m where m.member::regrole::text ~ 'londiste' order by 1`,
      );
      expect(members.rows).toEqual([
        { member: 'londiste_reader', roleid: 'pgq_reader' },
        { member: 'londiste_writer', roleid: 'pgq_admin' },
      ]);
      await admin.end();
      // now the owner can grant
      await owner.query(readFileSync(join(ROOT, 'sql/londiste/_grants.sql'), 'utf8'));
      expect(
        (
          await owner.query(
            `select has_function_privilege('londiste_writer', 'londiste.local_add_seq(text,text)', 'execute') as may`,
          )
        ).rows,
      ).toEqual([{ may: true }]);
    });
  },
);
