/** kaja.next_batch, kaja.event_range_sql and kaja.tick_at_snapshot. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession } from '../../src/db/session.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { drain, eagerQueue, failure, insert, rows, SERVERS, value } from './queue-support.ts';

describe.each(SERVERS)('batches by size on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server });
  });
  afterAll(() => db.drop());

  it('reach as far as events, ticks and the last tick allow', async () => {
    await eagerQueue(db, 'q', 'c');
    // Ticks 2 … 11 with 10 events each.
    for (let n = 0; n < 10; n++) {
      await rows(db, `select pgq.insert_event('q', 't', '${n}') from generate_series(1, 10)`);
      await rows(db, `select pgq.ticker('q')`);
    }
    const next = async (args: string): Promise<string | null> => {
      await rows(db, `select pgq.register_consumer_at('q', 'c', 1)`);
      return value(db, `select cur_tick_id from kaja.next_batch('q', 'c', ${args})`);
    };
    expect(await next('null, null, null')).toBe('11');
    expect(await next('35, null, null')).toBe('4');
    expect(await next('30, null, null')).toBe('4');
    expect(await next('5, null, null')).toBe('2');
    expect(await next('0, 0, null')).toBe('2');
    expect(await next('null, 3, null')).toBe('4');
    expect(await next('20, 3, null')).toBe('3');
    expect(await next('1000, 100, 6')).toBe('6');
    expect(await next('1000, 100, 1')).toBeNull();
    await rows(db, `select pgq.register_consumer_at('q', 'c', 1)`);
    const [first] = await rows(db, `select * from kaja.next_batch('q', 'c', 35, null, null)`);
    expect(first).toMatchObject({
      cur_tick_id: '4',
      prev_tick_id: '1',
      cur_tick_event_seq: '30',
      prev_tick_event_seq: '0',
    });
    expect(await rows(db, `select * from kaja.next_batch('q', 'c', 1, 1, 1)`)).toEqual([first]);
    expect(await rows(db, `select * from pgq.next_batch_info('q', 'c')`)).toEqual([first]);
    expect(await value(db, 'select count(*) from pgq.get_batch_events($1)', [first.batch_id])).toBe('30');
    await rows(db, 'select pgq.finish_batch($1)', [first.batch_id]);
    expect(await value(db, `select prev_tick_id from kaja.next_batch('q', 'c', 35, null, null)`)).toBe('4');
    expect((await failure(db, `select kaja.next_batch('q', 'nobody', 1, 1, 1)`)).message).toBe(
      'Not subscriber to queue: q/nobody',
    );
  });

  it('write nothing while there is nothing to open', async () => {
    await eagerQueue(db, 'empty', 'c');
    await db.sql('begin');
    for (const call of [`pgq.next_batch('empty', 'c')`, `kaja.next_batch('empty', 'c', null, null, null)`])
      await rows(db, `select ${call}`);
    expect(await value(db, 'select txid_current_if_assigned()')).toBeNull();
    await db.sql('commit');
  });

  it('read a range of ticks without a subscription, with and without a condition and an owner', async () => {
    await eagerQueue(db, 'range', 'c');
    await insert(db, 'range', 'a');
    await rows(
      db,
      `select pgq.insert_event_raw('range', null, now(), 77, 1, 't', 'owned', null, null, null, null)`,
    );
    await rows(db, `select pgq.insert_event('range', 't', 'b', 'x%', null, null, null)`);
    await rows(db, `select pgq.ticker('range')`);
    const read = async (owner: string, where: string | null): Promise<string[]> => {
      const text = await value(db, `select kaja.event_range_sql('range', 1, 2, ${owner}, $1)`, [where]);
      return (await rows(db, text ?? '')).map((row) => row.ev_data);
    };
    expect(await read('null', null)).toEqual(['a', 'b']);
    expect(await read('77', null)).toEqual(['a', 'owned', 'b']);
    expect(await read('null', `ev_extra1 like 'x%' -- comment`)).toEqual(['b']);
    expect((await failure(db, `select kaja.event_range_sql('range', 1, 99, null, null)`)).message).toBe(
      'tick 99 of queue range not found',
    );
    expect((await failure(db, `select kaja.event_range_sql('nope', 1, 2, null, null)`)).message).toBe(
      'Event queue not found: nope',
    );
  });

  it.each([true, false])(
    'use the transaction id index in a long backlog (statistics: %s)',
    async (analyzed) => {
      const queue = `backlog ${analyzed}`;
      await eagerQueue(db, queue);
      const id = await value(db, 'select queue_id from pgq.queue where queue_name = $1', [queue]);
      // Ten events per transaction, a tick every 100 transactions; at tick 50 two are still running.
      await rows(
        db,
        `insert into pgq.event_${id}_0 (ev_id, ev_time, ev_txid, ev_type, ev_data)
       select n, now(), 1000000 + n / 10, 't', repeat('x', 50) from generate_series(1, 200000) n`,
      );
      await rows(
        db,
        `insert into pgq.tick (tick_queue, tick_id, tick_snapshot, tick_event_seq)
       select $1, 10 + n, case when n = 40 then '1003950:1004000:1003950,1003999'
                               else (1000000 + n * 100) || ':' || (1000000 + n * 100) || ':' end::txid_snapshot, n * 1000
         from generate_series(1, 200) n`,
        [id],
      );
      if (analyzed) await rows(db, `analyze pgq.event_${id}_0`);
      await using reader = await openSession(db.url, { purpose: 'read', readsBatches: true });
      for (const tick of [40, 50, 51]) {
        const text = await value(
          db,
          'select kaja.event_range_sql($1, $2::bigint, $2::bigint + 1, null, null)',
          [queue, tick],
        );
        const plan = (await reader.query(`explain ${text}`)).map((row) => row['QUERY PLAN']).join('\n');
        expect(plan).not.toContain(`Seq Scan on event_${id}_0`);
        expect(plan).toContain(`event_${id}_0_txid_idx`);
        // Starting processes takes longer than reading a batch.
        expect(plan).not.toContain('Gather');
      }
      const count = (tick: number): Promise<string | null> =>
        value(db, 'select kaja.event_range_sql($1, $2::bigint, $2::bigint + 1, null, null)', [
          queue,
          tick,
        ]).then((text) => value(db, `select count(*) from (${text}) e`));
      // At tick 50 two transactions of ten events were running; the next batch has them.
      expect([await count(48), await count(49), await count(50)]).toEqual(['1000', '980', '1020']);
    },
  );
});

describe.each(SERVERS)('ticks from a snapshot on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server });
    await eagerQueue(db, 'q', 'c');
    await rows(db, 'create table mirror (data text)');
  });
  afterAll(() => db.drop());

  it('cover exactly what a reader with that snapshot sees, under load', async () => {
    const writers = await Promise.all(Array.from({ length: 4 }, () => db.connect()));
    const ticker = await db.connect();
    let running = true;
    const load = writers.map(async (writer, n) => {
      for (let round = 0; running; round++) {
        await writer.query('begin');
        await rows(writer, `insert into mirror values ($1)`, [`${n}/${round}`]);
        await insert(writer, 'q', `${n}/${round}`);
        await writer.query(round % 5 ? 'commit' : 'rollback');
      }
    });
    const ticking = (async () => {
      while (running) await rows(ticker, 'select * from kaja.poll_ticks()');
    })();

    const session = await db.connect();
    const reader = await db.connect();
    const seen: { tick: string; rows: string[] }[] = [];
    for (let round = 0; round < 15; round++) {
      await rows(session, `select kaja.lock_ticks('q')`);
      await session.query('begin isolation level repeatable read');
      const snapshot = await value(session, 'select pg_export_snapshot()');
      const tick = await value(session, `select kaja.tick_at_snapshot('q')`);
      await reader.query(`begin isolation level repeatable read; set transaction snapshot '${snapshot}'`);
      await session.query('commit');
      await rows(session, `select kaja.unlock_ticks('q')`);
      const found = (await rows(reader, 'select data from mirror')).map((row) => row.data);
      await reader.query('commit');
      seen.push({ tick: tick ?? '', rows: found.sort() });
    }
    running = false;
    await Promise.all([...load, ticking]);

    const delivered: string[] = [];
    for (const { tick, rows: expected } of seen) {
      for (;;) {
        const [batch] = await rows(
          db,
          `select batch_id, cur_tick_id from kaja.next_batch('q', 'c', null, 3, $1)`,
          [tick],
        );
        if (batch.batch_id === null) break;
        delivered.push(
          ...(await rows(db, 'select ev_data from pgq.get_batch_events($1)', [batch.batch_id])).map(
            (row) => row.ev_data,
          ),
        );
        await rows(db, 'select pgq.finish_batch($1)', [batch.batch_id]);
      }
      expect([...delivered].sort()).toEqual(expected);
    }
    expect(seen.at(-1)?.rows.length).toBeGreaterThan(10);
    await rows(db, `select pgq.ticker('q')`);
    delivered.push(...(await drain(db, 'q', 'c')));
    expect(delivered.sort()).toEqual(
      (await rows(db, 'select data from mirror')).map((row) => row.data).sort(),
    );
  });

  it('refuse wrong isolation, a missing lock and an old snapshot', async () => {
    const session = await db.connect();
    const tick = `select kaja.tick_at_snapshot('q')`;
    expect(await failure(session, tick)).toMatchObject({ code: '25000' });
    await session.query('begin isolation level repeatable read');
    expect(await failure(session, tick)).toMatchObject({ code: '55000' });
    await session.query('rollback; begin isolation level repeatable read');
    expect(await failure(session, `select kaja.lock_ticks('q')`)).toMatchObject({ code: '25001' });
    await session.query('rollback');

    // The snapshot is older than the lock: another connection of the same program must not have ticked meanwhile.
    await rows(session, `select kaja.lock_ticks('q'), kaja.unlock_ticks('q')`);
    await session.query('begin isolation level repeatable read; select 1');
    expect(await failure(session, tick)).toMatchObject({ code: '55000' });
    await session.query('rollback');
    await rows(session, `select kaja.lock_ticks('q')`);
    await session.query('begin isolation level repeatable read');
    expect(await value(session, tick)).not.toBeNull();
    await session.query('commit');
    await rows(session, `select kaja.unlock_ticks('q')`);
    await rows(db, `select pgq.set_queue_config('q', 'external_ticker', 'true')`);
    await session.query('begin isolation level repeatable read');
    expect((await failure(session, tick)).message).toBe('This queue has external tick source.');
    await session.query('rollback');
    await rows(db, `select pgq.set_queue_config('q', 'external_ticker', 'false')`);
  });

  it.each(['kaja.take_batch', 'pgq.get_batch_events'])(
    '%s does not ask the planner how to find a batch',
    async (name) => {
      expect(await value(db, 'select proconfig::text from pg_proc where oid = $1::regproc', [name])).toBe(
        '{enable_seqscan=off,max_parallel_workers_per_gather=0}',
      );
    },
  );
});
