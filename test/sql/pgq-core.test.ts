/** A queue's life from first batch to drop, as upstream's regression test pgq_core pins it down. */
import { describe, expect, it } from 'vitest';
import { createDatabase } from '../support/database.ts';
import { failure, rows, SERVERS, value } from './queue-support.ts';

describe.each(SERVERS)('queue API on the %s', (_name, server) => {
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
});
