/** Who may call what; and that an ordinary database owner can install and use everything. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { drain, eagerQueue, failure, insert, rows, SERVERS, turn, value } from './queue-support.ts';

const root = join(import.meta.dirname, '..', '..');

describe.each(SERVERS)('rights on the %s', (_name, server) => {
  let db: TestDatabase;
  const as = async (role: string): Promise<pg.Client> => {
    const client = await db.connect();
    await client.query(`set role ${role}`);
    return client;
  };
  const suffix = `${process.pid}_${server === 0 ? 'a' : 'b'}`;
  const [admin, producer, consumer, nobody] = ['admin', 'producer', 'consumer', 'nobody'].map(
    (kind) => `pgq_test_${kind}_${suffix}`,
  ) as [string, string, string, string];
  beforeAll(async () => {
    db = await createDatabase({ server });
    await db.sql(
      `create role ${admin} in role pgq_admin; create role ${producer} in role pgq_writer;
       create role ${consumer} in role pgq_reader; create role ${nobody}`,
    );
  });
  afterAll(async () => {
    await db.sql(`drop role ${admin}, ${producer}, ${consumer}, ${nobody}`);
    await db.drop();
  });
  const denied = async (client: pg.Client, call: string): Promise<void> => {
    const name = call.slice(0, call.indexOf('('));
    expect((await failure(client, `select ${call}`)).message).toBe(
      `permission denied for function ${name.replace(/^\w+\./, '')}`,
    );
  };

  it('give admins everything', async () => {
    const client = await as(admin);
    await eagerQueue(client, 'q', 'c');
    await insert(client, 'q', 'x');
    await rows(
      client,
      `insert into pgq.event_1_0 (ev_time, ev_data) select now(), 'direct' where pgq.current_event_table('q') = 'pgq.event_1_0'`,
    );
    expect(await value(client, 'select pgq.ticker()')).toBe('1');
    expect(await drain(client, 'q', 'c')).toEqual(['x', 'direct']);
    await turn(client, 'q', 'c');
    await insert(client, 'q', 'y');
    expect(await value(client, 'select queue_name from kaja.poll_ticks()')).toBe('q');
    await rows(client, `select kaja.lock_ticks('q')`);
    await client.query('begin isolation level repeatable read');
    expect(await value(client, `select kaja.tick_at_snapshot('q')`)).not.toBeNull();
    await client.query('commit');
    await rows(client, `select kaja.unlock_ticks('q')`);
    await value(client, 'select pgq.maint_retry_events()');
    await rows(client, 'select * from pgq.maint_operations()');
    await rows(client, `update pgq.queue set queue_ticker_max_count = 9`);
    expect((await failure(client, `select pgq.tune_storage('q')`)).message).toMatch(
      /^must be owner of table/,
    );
    expect((await failure(client, `select pgq.seq_setval('pgq.event_1_id_seq', 1000)`)).code).toBe('42501');
    expect(await value(client, `select pgq.drop_queue('q', true)`)).toBe('1');
  });

  it('let producers insert and consumers consume, and no more', async () => {
    await eagerQueue(db, 'q', 'c');
    const [writing, reading] = [await as(producer), await as(consumer)];
    await denied(writing, `pgq.create_queue('x')`);
    await denied(writing, `pgq.register_consumer('q', 'p')`);
    await denied(writing, `pgq.next_batch('q', 'c')`);
    await denied(writing, `pgq.ticker()`);
    await denied(
      writing,
      `pgq.insert_event_raw('q', null, now(), null, null, 't', 'd', null, null, null, null)`,
    );
    expect(await insert(writing, 'q', 'x')).toBe('1');
    expect((await failure(writing, 'select * from pgq.event_template')).code).toBe('42501');
    await rows(db, `select pgq.ticker('q')`);

    await denied(reading, `pgq.create_queue('x')`);
    await denied(reading, `pgq.drop_queue('q', true)`);
    await denied(reading, `pgq.insert_event('q', 't', 'd')`);
    await denied(reading, `pgq.ticker('q')`);
    await denied(reading, 'kaja.poll_ticks()');
    await denied(reading, `kaja.queue_insert_tick(1, null, null, 1)`);
    await denied(reading, `pgq._tick_lock(1)`);
    await denied(reading, `pgq.maint_rotate_tables_step1('q')`);
    expect(await value(reading, `select pgq.register_consumer('q', 'mine')`)).toBe('1');
    expect(await value(reading, `select pgq.unregister_consumer('q', 'mine')`)).toBe('1');
    expect(await value(reading, `select pgq.force_tick('q')`)).toBe('2');
    const batch = await value(reading, `select batch_id from kaja.next_batch('q', 'c', null, null, null)`);
    expect(await rows(reading, 'select ev_data from pgq.get_batch_events($1)', [batch])).toEqual([
      { ev_data: 'x' },
    ]);
    expect(await rows(reading, 'select count(*)::int from pgq.batch_event_tables($1)', [batch])).not.toEqual([
      { count: 0 },
    ]);
    expect(await value(reading, 'select pgq.event_retry($1, 1, 0)', [batch])).toBe('1');
    expect(await value(reading, 'select pgq.finish_batch($1)', [batch])).toBe('1');
    expect((await failure(reading, 'select * from pgq.retry_queue')).code).toBe('42501');
    await rows(db, `select pgq.drop_queue('q', true)`);
  });

  it('let everybody look, and nothing else', async () => {
    await eagerQueue(db, 'q', 'c');
    const client = await as(nobody);
    expect(await rows(client, 'select queue_name from pgq.get_queue_info()')).toEqual([{ queue_name: 'q' }]);
    expect(await rows(client, 'select consumer_name from pgq.get_consumer_info()')).toEqual([
      { consumer_name: 'c' },
    ]);
    expect(await value(client, 'select pgq.version()')).toBe('3.5');
    expect(await rows(client, 'select queue_name from pgq.queue')).toEqual([{ queue_name: 'q' }]);
    const allowed = await rows(
      client,
      `select p.proname from pg_proc p
        where (p.pronamespace = 'pgq'::regnamespace or p.pronamespace = 'kaja'::regnamespace and p.proname ~ '^(queue_|next_batch|event_range|poll|lock|unlock|tick)')
          and has_function_privilege(p.oid, 'execute') group by 1 order by 1`,
    );
    expect(allowed.map((row) => row.proname)).toEqual([
      'get_consumer_info',
      'get_queue_info',
      'queue_event_seq',
      'quote_fqname',
      'seq_getval',
      'version',
    ]);
    await rows(db, `select pgq.drop_queue('q', true)`);
  });

  it('pin the search path of every function that runs as its owner', async () => {
    expect(
      await rows(
        db,
        `select p.oid::regprocedure::text from pg_proc p
          where p.prosecdef and p.pronamespace in ('pgq'::regnamespace, 'kaja'::regnamespace)
            and not coalesce(p.proconfig @> array['search_path=pg_catalog, pg_temp'], false)`,
      ),
    ).toEqual([]);
  });
});

describe('an owner who may not create roles', () => {
  it('installs and uses everything, and gets the roles later', async () => {
    const cluster = await startCluster(18);
    const clients: pg.Client[] = [];
    const connect = async (database: string, user?: string): Promise<pg.Client> => {
      const client = new pg.Client({ connectionString: cluster.url(database, user) });
      await client.connect();
      clients.push(client);
      return client;
    };
    try {
      const superuser = await connect('postgres');
      await superuser.query('create role owner login nosuperuser nocreaterole');
      await superuser.query('create database app owner owner');
      const owner = await connect('app', 'owner');
      const notices: string[] = [];
      owner.on('notice', (notice) => notices.push(notice.message ?? ''));
      const run = (...path: string[]): Promise<unknown> =>
        owner.query(readFileSync(join(root, ...path), 'utf8'));
      await owner.query('begin; set local check_function_bodies = off');
      await run('migrations', '0001_pgq.sql');
      await run('migrations', '0004_kaja_queue.sql');
      for (const [schema, prefix] of [
        ['pgq', ''],
        ['kaja', 'queue_'],
      ] as const)
        for (const file of readdirSync(join(root, 'sql', schema)).sort())
          if (file !== '_grants.sql' && file.startsWith(prefix)) await run('sql', schema, file);
      await run('sql', 'pgq', '_grants.sql');
      await run('sql', 'kaja', '_grants.sql');
      await owner.query('commit');
      expect(notices.filter((notice) => notice.startsWith('role pgq_'))).toHaveLength(3);

      await eagerQueue(owner, 'q', 'c');
      await insert(owner, 'q', 'x');
      expect(await value(owner, 'select queue_name from kaja.poll_ticks()')).toBe('q');
      expect(await drain(owner, 'q', 'c')).toEqual(['x']);
      await turn(owner, 'q', 'c');
      await rows(owner, `select pgq.tune_storage('q'), pgq.seq_setval('pgq.event_1_id_seq', 50)`);

      // A list for pgqd and kaja ticker only where the server does not vacuum by itself.
      expect(await rows(owner, 'select * from pgq.maint_tables_to_vacuum()')).toEqual([]);
      await superuser.query('alter system set autovacuum = off');
      await superuser.query('select pg_reload_conf()');
      const vacuum = `select array_to_string(array(select t from pgq.maint_tables_to_vacuum() t), ' ')`;
      await eventually(
        () => value(owner, vacuum),
        (tables) => tables === 'pgq.subscription pgq.consumer pgq.queue pgq.tick pgq.retry_queue',
      );
      expect(
        await rows(owner, `select func_arg from pgq.maint_operations() where func_name = 'vacuum'`),
      ).toHaveLength(5);

      await (await connect('app')).query('select pgq.upgrade_schema()');
      expect(
        await value(
          superuser,
          `select count(*) from pg_roles where rolname in ('pgq_reader', 'pgq_writer', 'pgq_admin')`,
        ),
      ).toBe('3');
      await run('sql', 'pgq', '_grants.sql');
      await run('sql', 'kaja', '_grants.sql');
      await superuser.query('create role reader login in role pgq_reader');
      const reader = await connect('app', 'reader');
      expect(await value(reader, `select pgq.register_consumer('q', 'r')`)).toBe('1');
      await insert(owner, 'q', 'y');
      await rows(owner, `select pgq.ticker('q')`);
      expect(await drain(reader, 'q', 'r')).toEqual(['y']);
      expect(await value(owner, `select pgq.drop_queue('q', true)`)).toBe('1');
    } finally {
      await Promise.all(clients.map((client) => client.end()));
      await cluster.destroy();
    }
  });
});
