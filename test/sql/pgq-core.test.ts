/** PgQ's API as upstream's regression tests pin it down (pgq_core, pgq_core_disabled, tx limit, pgq_session_role). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eagerQueue, failure, insert, rows, SERVERS, value } from './queue-support.ts';

describe.each(SERVERS)('queue API on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server });
  });
  afterAll(() => db.drop());

  it('creates and drops queues and consumers', async () => {
    expect(await value(db, `select pgq.create_queue('life')`)).toBe('1');
    expect(await value(db, `select pgq.create_queue('life')`)).toBe('0');
    expect(await value(db, `select pgq.register_consumer('life', 'c')`)).toBe('1');
    expect(await value(db, `select pgq.register_consumer('life', 'c')`)).toBe('0');
    expect(await failure(db, `select pgq.drop_queue('life')`)).toMatchObject({
      message: 'cannot drop queue, consumers still attached',
      code: 'P0001',
    });
    expect(await value(db, `select pgq.unregister_consumer('life', 'c')`)).toBe('1');
    expect(await value(db, `select pgq.unregister_consumer('life', 'c')`)).toBe('0');
    expect(await value(db, 'select count(*) from pgq.consumer')).toBe('0');
    const id = await value(db, `select queue_id from pgq.queue where queue_name = 'life'`);
    expect(await value(db, `select pgq.drop_queue('life')`)).toBe('1');
    expect(
      await value(db, `select count(*) from pg_class where relname ~ $1`, [`(event|current_table)_${id}`]),
    ).toBe('0');
    expect(await value(db, 'select pgq.drop_queue(null)')).toBeNull();
    await rows(db, `select pgq.create_queue('life'), pgq.register_consumer('life', 'c')`);
    expect(await value(db, `select pgq.drop_queue('life', true)`)).toBe('1');
    expect((await failure(db, `select pgq.drop_queue('life', true)`)).message).toBe('No such event queue');
    expect((await failure(db, 'select pgq.create_queue(null)')).message).toBe('Invalid NULL value');
  });

  it('takes any queue name', async () => {
    for (const name of ['', `it's "quoted".x`]) {
      expect(await value(db, 'select pgq.create_queue($1)', [name])).toBe('1');
      expect(await insert(db, name, 'x')).toBe('1');
      expect(await value(db, 'select pgq.drop_queue($1)', [name])).toBe('1');
    }
  });

  it('makes as many event tables as queue_ntables says by default', async () => {
    await rows(db, 'alter table pgq.queue alter column queue_ntables set default 5');
    await rows(db, `select pgq.create_queue('five')`);
    expect(
      await value(
        db,
        `select count(*) from pg_inherits where inhparent = (select queue_data_pfx::regclass from pgq.queue where queue_name = 'five')`,
      ),
    ).toBe('5');
    await rows(db, 'alter table pgq.queue alter column queue_ntables set default 3');
    await rows(db, `select pgq.drop_queue('five')`);
  });

  it('sets the storage of event tables', async () => {
    await rows(db, `select pgq.create_queue('store')`);
    expect(
      await value(
        db,
        `select c.reloptions from pg_class c, pgq.queue q where q.queue_name = 'store' and c.oid = (queue_data_pfx || '_0')::regclass`,
      ),
    ).toBe('fillfactor=100,autovacuum_enabled=off');
    expect(await value(db, `select pgq.tune_storage('store')`)).toBe('1');
    expect(await value(db, `select pgq.tune_storage('nope')`)).toBe('0');
    expect((await failure(db, `select pgq.grant_perms('nope')`)).message).toBe('Queue not found');
    await rows(db, `select pgq.drop_queue('store')`);
  });

  it('changes settings', async () => {
    await rows(db, `select pgq.create_queue('conf')`);
    expect(await value(db, `select pgq.set_queue_config('conf', 'ticker_max_count', '7')`)).toBe('1');
    expect(await value(db, `select pgq.set_queue_config('conf', 'ticker_max_lag', '1 hour')`)).toBe('1');
    expect(
      await value(
        db,
        `select queue_ticker_max_count || '/' || queue_ticker_max_lag from pgq.queue where queue_name = 'conf'`,
      ),
    ).toBe('7/01:00:00');
    expect(await failure(db, `select pgq.set_queue_config('conf', 'disable_insert', 'true')`)).toMatchObject({
      message: 'cannot change parameter "disable_inserts"',
    });
    expect(await failure(db, `select pgq.set_queue_config('conf', 'ticker_paused', null)`)).toMatchObject({
      message: 'query string argument of EXECUTE is null',
      code: '22004',
    });
    expect((await failure(db, `select pgq.set_queue_config('conf', null, '1')`)).message).toBe(
      'Invalid NULL value',
    );
    expect((await failure(db, `select pgq.set_queue_config('nope', 'x', '1')`)).message).toBe(
      'No such event queue',
    );
    await rows(db, `select pgq.drop_queue('conf')`);
  });

  it('walks through batches as upstream does', async () => {
    const own = await createDatabase({ server });
    const client = own.client;
    expect(await value(client, 'select count(*) from pgq.maint_tables_to_vacuum()')).toBe('0');
    expect(await value(client, 'select pgq.maint_retry_events()')).toBe('0');
    await rows(client, `select pgq.create_queue('tmpqueue')`);
    await rows(client, `select pgq.drop_queue('tmpqueue')`);

    await rows(client, `select pgq.create_queue('myqueue'), pgq.register_consumer('myqueue', 'consumer')`);
    await rows(client, `update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0'`);
    expect(await value(client, `select pgq.next_batch('myqueue', 'consumer')`)).toBeNull();
    expect(await value(client, `select pgq.next_batch('myqueue', 'consumer')`)).toBeNull();
    expect(await value(client, 'select pgq.ticker()')).toBe('1');
    expect(await value(client, `select pgq.next_batch('myqueue', 'consumer')`)).toBe('1');
    expect(await value(client, `select pgq.next_batch('myqueue', 'consumer')`)).toBe('1');
    expect(
      await rows(
        client,
        `select queue_name, consumer_name, prev_tick_id::int, tick_id::int, lag < '30 seconds' as fresh from pgq.get_batch_info(1)`,
      ),
    ).toEqual([
      { queue_name: 'myqueue', consumer_name: 'consumer', prev_tick_id: 1, tick_id: 2, fresh: true },
    ]);
    expect(await rows(client, 'select * from pgq.get_batch_info(99)')).toEqual([
      {
        queue_name: null,
        consumer_name: null,
        batch_start: null,
        batch_end: null,
        prev_tick_id: null,
        tick_id: null,
        lag: null,
        seq_start: null,
        seq_end: null,
      },
    ]);
    expect(
      await rows(
        client,
        `select queue_name, queue_ntables, queue_cur_table, queue_rotation_period::text, queue_external_ticker,
                queue_ticker_max_count, queue_ticker_max_lag::text, queue_ticker_idle_period::text, ev_new::int, last_tick_id::int
           from pgq.get_queue_info()`,
      ),
    ).toEqual([
      {
        queue_name: 'myqueue',
        queue_ntables: 3,
        queue_cur_table: 0,
        queue_rotation_period: '02:00:00',
        queue_external_ticker: false,
        queue_ticker_max_count: 500,
        queue_ticker_max_lag: '00:00:00',
        queue_ticker_idle_period: '00:00:00',
        ev_new: 0,
        last_tick_id: 2,
      },
    ]);
    expect(await rows(client, `select pgq.get_queue_info('nope')`)).toEqual([]);
    const info =
      'queue_name, consumer_name, last_tick::int, current_batch::int, next_tick::int, pending_events::int';
    const expected = {
      queue_name: 'myqueue',
      consumer_name: 'consumer',
      last_tick: 1,
      current_batch: 1,
      next_tick: 2,
      pending_events: 0,
    };
    for (const args of ['', `'myqueue'`, `'myqueue', 'consumer'`])
      expect(await rows(client, `select ${info} from pgq.get_consumer_info(${args})`)).toEqual([expected]);
    expect(await rows(client, `select * from pgq.get_consumer_info('nope')`)).toEqual([]);

    expect(await value(client, 'select pgq.finish_batch(1)')).toBe('1');
    const warnings: string[] = [];
    client.on('notice', (notice) => warnings.push(`${notice.severity}: ${notice.message}`));
    expect(await value(client, 'select pgq.finish_batch(1)')).toBe('0');
    expect(await value(client, 'select pgq.finish_batch(null)')).toBe('0');
    expect(warnings).toEqual([
      'WARNING: finish_batch: batch 1 not found',
      'WARNING: finish_batch: batch <NULL> not found',
    ]);

    expect(await value(client, 'select pgq.ticker()')).toBe('1');
    expect(await value(client, `select pgq.next_batch('myqueue', 'consumer')`)).toBe('2');
    expect(await rows(client, 'select * from pgq.get_batch_events(2)')).toEqual([]);
    expect((await rows(client, 'select pgq.batch_event_tables(2)')).at(-1)).toEqual({
      batch_event_tables: 'pgq.event_2_0',
    });
    await rows(client, 'select pgq.finish_batch(2)');

    expect(await value(client, `select pgq.insert_event('myqueue', 'r1', 'data')`)).toBe('1');
    expect(
      await value(client, `select pgq.insert_event('myqueue', 'r2', 'data', 'e1', 'e2', 'e3', 'e4')`),
    ).toBe('2');
    expect(await value(client, `select pgq.insert_event('myqueue', 'r3', 'data')`)).toBe('3');
    expect(await value(client, `select pgq.current_event_table('myqueue')`)).toBe('pgq.event_2_0');
    expect(await value(client, 'select pgq.ticker()')).toBe('1');
    const nothing = {
      batch_id: null,
      cur_tick_id: null,
      prev_tick_id: null,
      cur_tick_time: null,
      prev_tick_time: null,
      cur_tick_event_seq: null,
      prev_tick_event_seq: null,
    };
    for (const wish of [`'1 hour', null, null`, 'null, 10000, null', `null, null, '10 minutes'`])
      expect(
        await rows(client, `select * from pgq.next_batch_custom('myqueue', 'consumer', ${wish})`),
      ).toEqual([nothing]);

    expect(await value(client, `select pgq.next_batch('myqueue', 'consumer')`)).toBe('3');
    const events = await rows(
      client,
      'select ev_id::int, ev_retry, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4 from pgq.get_batch_events(3)',
    );
    const plain = {
      ev_retry: null,
      ev_data: 'data',
      ev_extra1: null,
      ev_extra2: null,
      ev_extra3: null,
      ev_extra4: null,
    };
    expect(events).toEqual([
      { ...plain, ev_id: 1, ev_type: 'r1' },
      {
        ...plain,
        ev_id: 2,
        ev_type: 'r2',
        ev_extra1: 'e1',
        ev_extra2: 'e2',
        ev_extra3: 'e3',
        ev_extra4: 'e4',
      },
      { ...plain, ev_id: 3, ev_type: 'r3' },
    ]);

    await client.query('begin');
    const ids = async (text: string): Promise<number[]> =>
      (await rows(client, text)).map((row) => Number(row.ev_id));
    expect(await ids(`select ev_id from pgq.get_batch_cursor(3, 'acurs', 10)`)).toEqual([1, 2, 3]);
    expect(await failure(client, `savepoint s; select pgq.get_batch_cursor(3, 'acurs', 10)`)).toMatchObject({
      code: '42P03',
    });
    await client.query('rollback to s; close acurs');
    expect(await ids(`select ev_id from pgq.get_batch_cursor(3, 'acurs', 2)`)).toEqual([1, 2]);
    expect(await ids('fetch all from acurs')).toEqual([3]);
    await client.query('close acurs');
    expect(await ids(`select ev_id from pgq.get_batch_cursor(3, 'acurs', 2, 'ev_id = 1')`)).toEqual([1]);
    await client.query('close acurs');
    expect(await ids(`select ev_id from pgq.get_batch_cursor(3, 'acurs', 0, 'ev_type ~ ''r[23]''')`)).toEqual(
      [],
    );
    expect(await ids('fetch all from acurs')).toEqual([2, 3]);
    expect(await ids(`select ev_id from pgq.get_batch_cursor(3, null, 2)`)).toEqual([]);
    await client.query('commit');

    expect(await value(client, 'select pgq.event_retry(3, 2, 0)')).toBe('1');
    expect(await value(client, 'select pgq.event_retry(3, 2, 0)')).toBe('0');
    expect(await value(client, 'select pgq.batch_retry(3, 0)')).toBe('2');
    expect(await value(client, 'select pgq.batch_retry(3, 0)')).toBe('0');
    expect((await failure(client, 'select pgq.event_retry(3, 77, 0)')).message).toBe('event not found');
    expect((await failure(client, 'select pgq.event_retry(99, 1, 0)')).message).toBe('event not found');
    expect((await failure(client, 'select pgq.batch_retry(99, 0)')).message).toBe(
      'batch_retry: batch 99 not found',
    );
    for (const call of ['batch_event_sql(99)', 'get_batch_events(99)', `get_batch_cursor(99, 'x', 1)`])
      expect((await failure(client, `select pgq.${call}`)).message).toBe('batch not found');
    expect((await failure(client, 'select pgq.batch_event_tables(99)')).message).toBe(
      'Cannot find data for batch 99',
    );
    expect(await value(client, 'select pgq.finish_batch(3)')).toBe('1');
    expect(
      await value(
        client,
        `select pgq.event_retry_raw('myqueue', 'consumer', now(), 666, now(), 0, 'rawtest', 'data', null, null, null, null)`,
      ),
    ).toBe('666');
    expect(
      (
        await failure(
          client,
          `select pgq.event_retry_raw('myqueue', 'x', now(), 1, now(), 0, 't', 'd', null, null, null, null)`,
        )
      ).message,
    ).toBe('consumer not registered');
    expect((await failure(client, `select pgq.next_batch('myqueue', null)`)).message).toBe(
      'Not subscriber to queue: myqueue/NULL',
    );

    await rows(client, `update pgq.queue set queue_rotation_period = '0'`);
    expect(await value(client, `select pgq.maint_rotate_tables_step1('myqueue')`)).toBe('0');
    expect(await value(client, 'select pgq.maint_rotate_tables_step2()')).toBe('0');
    expect(
      await rows(client, 'select * from pgq.maint_operations() where func_name ~ $1', ['^pgq[.]']),
    ).toEqual([
      { func_name: 'pgq.maint_rotate_tables_step1', func_arg: 'myqueue' },
      { func_name: 'pgq.maint_rotate_tables_step2', func_arg: null },
    ]);

    expect(await value(client, `select nextval('pgq.event_2_id_seq')`)).toBe('4');
    const newest = await value(client, 'select max(tick_id) from pgq.tick');
    expect(await value(client, `select pgq.force_tick('myqueue')`)).toBe(newest);
    expect(await value(client, `select nextval('pgq.event_2_id_seq')`)).toBe('2006');
    expect(await value(client, `select pgq.force_tick('nope')`)).toBeNull();

    await rows(client, 'create sequence tmptest_seq');
    const sequence = [
      [`seq_getval('tmptest_seq')`, '1'],
      [`seq_setval('tmptest_seq', 10)`, '10'],
      [`seq_setval('tmptest_seq', 5)`, '10'],
      [`seq_setval('tmptest_seq', 15)`, '15'],
      [`seq_getval('tmptest_seq')`, '15'],
    ] as const;
    for (const [call, result] of sequence) expect(await value(client, `select pgq.${call}`)).toBe(result);
    expect(await failure(client, `select pgq.seq_getval('nope_seq')`)).toMatchObject({ code: '42P01' });

    await rows(client, `update pgq.queue set queue_extra_maint = array['baz', 'foo.bar']`);
    expect(
      (await rows(client, `select func_name || ' ' || func_arg as op from pgq.maint_operations()`)).map(
        (row) => row.op,
      ),
    ).toEqual(expect.arrayContaining(['baz myqueue', 'foo.bar myqueue']));
    expect(await value(client, `select pgq.drop_queue('myqueue', true)`)).toBe('1');
    await own.drop();
  });

  it('lists maintenance of a queue with an empty list of extra functions', async () => {
    await rows(db, `select pgq.create_queue('extra')`);
    await rows(db, `update pgq.queue set queue_extra_maint = '{}' where queue_name = 'extra'`);
    expect(await rows(db, `select * from pgq.maint_operations() where func_name ~ '^pgq[.]'`)).toEqual([]);
    await rows(db, `select pgq.drop_queue('extra')`);
  });

  it('finds batches by size as documented', async () => {
    await rows(db, `select pgq.create_queue('sizes')`);
    const id = await value(db, `select queue_id from pgq.queue where queue_name = 'sizes'`);
    await rows(db, 'delete from pgq.tick where tick_queue = $1', [id]);
    await rows(
      db,
      `insert into pgq.tick (tick_queue, tick_id, tick_time, tick_event_seq)
       select $1, n, timestamptz '2020-01-01' + n * interval '10 seconds', 1 + (n - 1) * 10 from generate_series(1, 9) n`,
      [id],
    );
    const cases = [
      ['1, null', '2'],
      ['30, null', '4'],
      ['39, null', '5'],
      ['40, null', '9'],
      [`1000, '10 seconds'`, '2'],
      ['81, null', null],
      [`null, '25 seconds'`, '4'],
      [`null, '80 seconds'`, '9'],
      [`null, '81 seconds'`, null],
      [`10, '1000 seconds'`, '2'],
      ['null, null', null],
    ] as const;
    for (const [wish, tick] of cases)
      expect(
        await value(
          db,
          `select next_tick_id from pgq.find_tick_helper($1, 1, timestamptz '2020-01-01 00:00:10', 1, ${wish})`,
          [id],
        ),
      ).toBe(tick);
    await rows(db, `select pgq.drop_queue('sizes')`);
  });

  it('refuses events while inserts are disabled', async () => {
    await rows(db, `select pgq.create_queue('disabled')`);
    const disable = (on: boolean): Promise<unknown> =>
      rows(db, `update pgq.queue set queue_disable_insert = $1 where queue_name = 'disabled'`, [on]);
    expect(await insert(db, 'disabled', 'x')).toBe('1');
    await disable(true);
    expect((await failure(db, `select pgq.insert_event('disabled', 't', 'd')`)).message).toBe(
      'Insert into queue disallowed',
    );
    expect((await failure(db, `select pgq.current_event_table('disabled')`)).message).toBe(
      'Writing to queue disabled',
    );
    await disable(false);
    expect(await insert(db, 'disabled', 'x')).toBe('3');
    expect((await failure(db, `select pgq.insert_event(null, 't', 'd')`)).message).toBe(
      'Queue name must not be NULL',
    );
    expect((await failure(db, `select pgq.insert_event('nope', 't', 'd')`)).message).toBe('No such queue');
    expect((await failure(db, `select pgq.current_event_table('nope')`)).message).toBe(
      'Event queue not found',
    );
    await rows(db, `select pgq.drop_queue('disabled')`);
  });

  it('minds the session replication role of a disabled queue', async () => {
    const client = await db.connect();
    await rows(client, `select pgq.create_queue('role')`);
    for (const [role, accepted] of [
      ['origin', false],
      ['local', false],
      ['replica', true],
    ] as const) {
      await rows(client, `update pgq.queue set queue_disable_insert = true where queue_name = 'role'`);
      await rows(client, `set session_replication_role = ${role}`);
      if (accepted) expect(await insert(client, 'role', 'x')).toBe('5');
      else
        expect((await failure(client, `select pgq.insert_event('role', 't', 'd')`)).message).toBe(
          'Insert into queue disallowed',
        );
      await rows(client, 'reset session_replication_role');
      await rows(client, `update pgq.queue set queue_disable_insert = false where queue_name = 'role'`);
      await rows(client, `set session_replication_role = ${role}`);
      expect(await insert(client, 'role', 'x')).not.toBeNull();
      await rows(client, 'reset session_replication_role');
    }
    await rows(client, `select pgq.drop_queue('role')`);
  });

  it('limits the events of a transaction', async () => {
    const client = await db.connect();
    await rows(client, `select pgq.create_queue('limit')`);
    const limit = (max: number | null): Promise<unknown> =>
      rows(client, `update pgq.queue set queue_per_tx_limit = $1 where queue_name = 'limit'`, [max]);
    await limit(2);
    await client.query('begin');
    expect(await insert(client, 'limit', 'a')).toBe('1');
    expect(await insert(client, 'limit', 'b')).toBe('2');
    expect((await failure(client, `select pgq.insert_event('limit', 't', 'c')`)).message).toBe(
      `Queue 'limit' allows max 2 events from one TX`,
    );
    await client.query('rollback');
    await limit(0);
    expect((await failure(client, `select pgq.insert_event('limit', 't', 'c')`)).message).toBe(
      `Queue 'limit' allows max 0 events from one TX`,
    );
    await limit(1);
    expect(await insert(client, 'limit', 'a')).toBe('5');
    expect(await insert(client, 'limit', 'a')).toBe('6');
    await limit(null);
    await rows(client, `select pgq.insert_event('limit', 't', 'd') from generate_series(1, 5)`);
    await rows(client, `select pgq.drop_queue('limit')`);
  });

  it('registers at a tick and moves consumers', async () => {
    await eagerQueue(db, 'at', 'first');
    await rows(db, `select pgq.ticker('at')`);
    expect(await value(db, `select pgq.register_consumer_at('at', 'second', 1)`)).toBe('1');
    expect(await value(db, `select pgq.next_batch('at', 'second')`)).not.toBeNull();
    expect(await value(db, `select pgq.register_consumer_at('at', 'second', null)`)).toBe('0');
    expect(
      await value(db, `select current_batch is not null from pgq.get_consumer_info('at', 'second')`),
    ).toBe('true');
    expect(await value(db, `select pgq.register_consumer_at('at', 'second', 2)`)).toBe('0');
    expect(
      await rows(db, `select last_tick::int, current_batch from pgq.get_consumer_info('at', 'second')`),
    ).toEqual([{ last_tick: 2, current_batch: null }]);
    expect((await failure(db, `select pgq.register_consumer_at('at', 'third', 99)`)).message).toBe(
      'cannot reposition, tick not found: 99',
    );
    expect((await failure(db, `select pgq.register_consumer('nope', 'c')`)).message).toBe(
      'Event queue not created yet',
    );
    expect(await failure(db, `select pgq.register_consumer('at', null)`)).toMatchObject({ code: '23502' });
    await rows(
      db,
      `delete from pgq.tick t using pgq.queue q where t.tick_queue = q.queue_id and q.queue_name = 'at'`,
    );
    expect((await failure(db, `select pgq.register_consumer('at', 'fourth')`)).message).toBe(
      'No ticks for this queue.  Please run ticker on database.',
    );
    expect((await failure(db, `select pgq.next_batch('at', 'first')`)).message).toBe(
      'PgQ corruption: Consumer first on queue at does not see tick <NULL>',
    );
    await rows(db, `select pgq.drop_queue('at', true)`);
  });

  it('removes cooperative sub-consumers one by one and with their main consumer', async () => {
    await eagerQueue(db, 'coop', 'main', 'other');
    await rows(
      db,
      `insert into pgq.consumer (co_name) values ('sub1'), ('sub2');
       insert into pgq.subscription (sub_id, sub_queue, sub_consumer)
       select s.sub_id, s.sub_queue, c.co_id from pgq.subscription s, pgq.consumer m, pgq.consumer c
        where s.sub_consumer = m.co_id and m.co_name = 'main' and c.co_name in ('sub1', 'sub2')`,
    );
    expect(await value(db, `select pgq.unregister_consumer('coop', 'sub1')`)).toBe('1');
    expect(await value(db, `select pgq.unregister_consumer('coop', 'main')`)).toBe('2');
    expect(
      (await rows(db, `select consumer_name from pgq.get_consumer_info('coop')`)).map(
        (row) => row.consumer_name,
      ),
    ).toEqual(['other']);
    await rows(db, `select pgq.drop_queue('coop', true)`);
  });

  it('quotes names, and answers for pgqd', async () => {
    for (const [name, quoted] of [
      ['a', 'public.a'],
      ['a.b.c', 'a."b.c"'],
      ['A.select', '"A"."select"'],
      ['.x', '"".x'],
      ['x.', 'x.""'],
    ])
      expect(await value(db, 'select pgq.quote_fqname($1)', [name])).toBe(quoted);
    expect(await value(db, 'select pgq.version()')).toBe('3.5');
    expect(await value(db, 'select pgq.upgrade_schema()')).toBe('0');
  });
});
