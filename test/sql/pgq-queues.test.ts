/** Queues, consumers and inserts: settings, limits, disabled queues (upstream's pgq_core_disabled, tx limit, pgq_session_role). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eagerQueue, failure, insert, rows, SERVERS, value } from './queue-support.ts';

describe.each(SERVERS)('queues on the %s', (_name, server) => {
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

  it('writes to queues as they come, go and change their names, in sessions that wrote before', async () => {
    const writer = await db.connect();
    const unknown = async (queue: string): Promise<void> => {
      expect((await failure(writer, `select pgq.insert_event('${queue}', 't', 'x')`)).message).toBe(
        'No such queue',
      );
    };
    const data = async (queue: string): Promise<string[]> => {
      const prefix = await value(db, 'select queue_data_pfx from pgq.queue where queue_name = $1', [queue]);
      return (await rows(db, `select ev_data from ${prefix} order by ev_id`)).map((row) => row.ev_data);
    };
    const names = ['a', 'b', 'c d', "e'f", 'é', 'G', 'h'];
    for (const name of names) await rows(db, 'select pgq.create_queue($1)', [name]);
    for (const name of names) expect(await insert(writer, name, name)).toBe('1');
    for (const name of names) expect(await data(name)).toEqual([name]);

    // Gone and made anew by the transaction that writes.
    await rows(writer, `begin; select pgq.drop_queue('a'); savepoint s`);
    await unknown('a');
    await rows(writer, `rollback to s; select pgq.create_queue('a')`);
    expect(await insert(writer, 'a', 'again')).toBe('1');
    await writer.query('commit');
    expect(await insert(writer, 'a', 'more')).toBe('2');
    expect(await data('a')).toEqual(['again', 'more']);

    // By another session; taken back; under an old snapshot.
    await rows(db, `select pgq.drop_queue('b')`);
    await unknown('b');
    await rows(writer, `begin; select pgq.drop_queue('a'); rollback`);
    await rows(
      writer,
      `begin isolation level repeatable read; select pgq.create_queue('b'), pgq.drop_queue('h'); commit`,
    );
    expect(await insert(writer, 'b', 'anew')).toBe('1');
    await unknown('h');
    expect(await insert(writer, 'a', 'still')).toBe('3');

    await rows(
      db,
      `update pgq.queue set queue_name = 'A' where queue_name = 'a'; update pgq.queue set queue_name = 'a' where queue_name = 'G'`,
    );
    expect([await insert(writer, 'a', 'g'), await insert(writer, 'A', 'a')]).toEqual(['2', '4']);
    expect(await data('a')).toEqual(['G', 'g']);
    for (const name of ['A', 'a', 'b', 'c d', "e'f", 'é'])
      await rows(db, 'select pgq.drop_queue($1)', [name]);
    expect(await value(db, `select count(*) from pg_proc where proname ~ '^put_event_[0-9]+$'`)).toBe('0');
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
    const compression = `select distinct a.attcompression from pg_attribute a, pgq.queue q where q.queue_name = 'store' and a.attname = 'ev_data'
       and a.attrelid = any (array[queue_data_pfx || '_0', queue_data_pfx || '_1', queue_data_pfx || '_2']::regclass[])`;
    // Not every server is built with lz4.
    const expected = `select case when 'lz4' = any (enumvals) then 'l' else '' end from pg_settings where name = 'default_toast_compression'`;
    expect(await value(db, compression)).toBe(await value(db, expected));
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
    expect(await failure(db, `select pgq.insert_event('nope', 't', 'd')`)).toEqual({
      message: 'No such queue',
      code: 'XX000',
    });
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
