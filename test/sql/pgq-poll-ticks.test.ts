/** kaja.poll_ticks: ticks as soon as an event is committed, never misses one, and leaves an idle system alone. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { drain, eagerQueue, insert, rows, SERVERS, turn, value } from './queue-support.ts';

describe.each(SERVERS)('kaja.poll_ticks on the %s', (_name, server) => {
  let db: TestDatabase;
  let ticker: pg.Client;
  beforeAll(async () => {
    db = await createDatabase({ server });
    ticker = await db.connect();
  });
  afterAll(() => db.drop());

  /* With a period of its own, so that queues of earlier tests do not tick for nothing now and then. */
  const poll = async (session = ticker, period = `'1 minute'`): Promise<string[]> =>
    (await rows(session, `select queue_name from kaja.poll_ticks(${period})`)).map((row) => row.queue_name);
  const create = (queue: string): Promise<unknown> =>
    rows(db, 'select pgq.create_queue($1), pgq.register_consumer($1, $2)', [queue, 'c']);
  const note = (queue: string): Promise<string | null> =>
    value(
      ticker,
      `select current_setting('kaja.polled_' || queue_id, true) from pgq.queue where queue_name = $1`,
      [queue],
    );
  const ids = (queue: string): Promise<string | null> =>
    value(
      db,
      'select max(tick_id) from pgq.tick t join pgq.queue q on queue_id = tick_queue where queue_name = $1',
      [queue],
    );
  /** Poll until the ticker has nothing left to look for. */
  async function settle(queue: string): Promise<void> {
    for (const deadline = Date.now() + 20_000; ; ) {
      await poll();
      if ((await note(queue))?.endsWith('quiet')) return;
      if (Date.now() > deadline) throw new Error(`never quiet: ${await note(queue)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  it('ticks once for what was committed, and for nothing else', async () => {
    await create('plain');
    expect(await poll()).toEqual([]);
    await insert(db, 'plain', 'first');
    expect(await rows(ticker, 'select * from kaja.poll_ticks()')).toEqual([
      { queue_name: 'plain', tick_id: '2' },
    ]);
    expect(await poll()).toEqual([]);
    await rows(db, 'select txid_current()');
    expect(await poll()).toEqual([]);
    expect(await drain(db, 'plain', 'c')).toEqual(['first']);
  });

  it('ticks once without an event when pgq.force_tick was called', async () => {
    await create('forced');
    await settle('forced');
    await rows(db, `select pgq.force_tick('forced')`);
    expect(await poll()).toEqual(['forced']);
    expect(await poll()).toEqual([]);
  });

  it('ticks only the queues with events, and passes over external and paused ones', async () => {
    for (const queue of ['a', 'b', 'external', 'paused']) await create(queue);
    await rows(
      db,
      `select pgq.set_queue_config('external', 'external_ticker', 'true'), pgq.set_queue_config('paused', 'ticker_paused', 'true')`,
    );
    for (const queue of ['b', 'external', 'paused']) await insert(db, queue, 'x');
    expect(await poll()).toEqual(['b']);
    expect(
      await rows(
        ticker,
        `select queue_name from kaja.poll_ticks('0') where queue_name in ('external', 'paused')`,
      ),
    ).toEqual([]);
  });

  it('ticks when the newest tick is older than the idle period', async () => {
    await create('idle');
    await rows(
      db,
      `update pgq.tick t set tick_time = now() - interval '61 seconds' from pgq.queue where queue_id = tick_queue and queue_name = 'idle'`,
    );
    expect(
      await rows(ticker, `select queue_name from kaja.poll_ticks('1 day') where queue_name = 'idle'`),
    ).toEqual([]);
    expect(await poll()).toContain('idle');
    expect(await poll()).toEqual([]);
    await rows(
      db,
      `delete from pgq.tick t using pgq.queue where queue_id = tick_queue and queue_name = 'idle'`,
    );
    expect(await poll()).toEqual(['idle']);
  });

  it('ticks at growing intervals when events stop coming, as PgQ does', async () => {
    await create('slowing');
    const age = async (newest: string, before: string): Promise<boolean> => {
      await rows(
        db,
        `delete from pgq.tick t using pgq.queue where queue_id = tick_queue and queue_name = 'slowing' and tick_id > 2;
         update pgq.tick t set tick_time = now() - (case tick_id when 2 then '${newest}' else '${before}' end)::interval
           from pgq.queue where queue_id = tick_queue and queue_name = 'slowing'`,
      );
      return (await poll(ticker, 'null')).includes('slowing');
    };
    await insert(db, 'slowing', 'x');
    expect(await poll()).toEqual(['slowing']);
    expect(await age('1.4 s', '1.5 s')).toBe(false);
    expect(await age('1.6 s', '1.7 s')).toBe(true);
    expect(await age('9 s', '14 s')).toBe(false);
    expect(await age('10.1 s', '15 s')).toBe(true);
    expect(await age('59 s', '100 s')).toBe(false);
    expect(await age('61 s', '200 s')).toBe(true);
    expect(await drain(db, 'slowing', 'c')).toEqual(['x']);
  });

  it.each(['insert_event', 'direct insert'])(
    'catches a writer who was open at the last tick (%s)',
    async (way) => {
      const queue = `open ${way}`;
      await create(queue);
      const table = await value(db, 'select pgq.current_event_table($1)', [queue]);
      const writer = await db.connect();
      await writer.query('begin');
      if (way === 'insert_event') await insert(writer, queue, 'open');
      else await rows(writer, `insert into ${table} (ev_time, ev_data) values (now(), 'open')`);
      await insert(db, queue, 'short');
      expect(await poll()).toEqual([queue]);
      for (let n = 0; n < 3; n++) expect(await poll()).toEqual([]);
      await writer.query('commit');
      expect(await poll()).toEqual([queue]);
      expect((await drain(db, queue, 'c')).sort()).toEqual(['open', 'short']);
    },
  );

  it('catches a writer who had moved the sequence but had no transaction id yet', async () => {
    await create('bare');
    const sequence = await value(db, `select queue_event_seq from pgq.queue where queue_name = 'bare'`);
    const table = await value(db, `select pgq.current_event_table('bare')`);
    const writer = await db.connect();
    let id: string | null = null;
    for (let assigned = true; assigned; ) {
      // Now and then (after a checkpoint, every 32nd time) the sequence itself is logged, which needs an id.
      await writer.query('rollback; begin');
      id = await value(writer, 'select nextval($1)', [sequence]);
      assigned = (await value(writer, 'select txid_current_if_assigned()')) !== null;
    }
    await insert(db, 'bare', 'short');
    expect(await poll()).toEqual(['bare']);
    expect(await poll()).toEqual([]);
    await rows(writer, `insert into ${table} (ev_id, ev_time, ev_data) values ($1, now(), 'bare')`, [id]);
    await writer.query('commit');
    expect(await poll()).toEqual(['bare']);
    expect((await drain(db, 'bare', 'c')).sort()).toEqual(['bare', 'short']);
  });

  it('never settles while a writer is open, however long', async () => {
    await create('patient');
    const writer = await db.connect();
    await writer.query('begin');
    await insert(writer, 'patient', 'x');
    for (const deadline = Date.now() + 1500; Date.now() < deadline; ) {
      expect(await poll()).toEqual([]);
      await rows(db, 'select txid_current()');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(await note('patient')).not.toContain('quiet');
    await writer.query('commit');
    expect(await poll()).toEqual(['patient']);
    await settle('patient');
    await insert(db, 'patient', 'y');
    expect(await poll()).toEqual(['patient']);
    expect(await drain(db, 'patient', 'c')).toEqual(['x', 'y']);
  });

  it('settles although unrelated transactions stay open', async () => {
    await create('unrelated');
    const other = await db.connect();
    await other.query('begin');
    await rows(other, 'select txid_current()');
    await insert(db, 'unrelated', 'x');
    expect(await poll()).toEqual(['unrelated']);
    await settle('unrelated');
    await other.query('commit');
  });

  it('ignores aborted writers and other activity', async () => {
    await create('aborted');
    await poll();
    const before = await ids('aborted');
    const writer = await db.connect();
    for (let n = 0; n < 5; n++) {
      await writer.query('begin');
      await insert(writer, 'aborted', 'x');
      await poll();
      await writer.query('rollback');
      await poll();
      await rows(db, 'select txid_current()');
      await poll();
    }
    expect(await ids('aborted')).toBe(before);
  });

  it('finds retried events and events in older tables', async () => {
    await eagerQueue(db, 'old', 'c');
    await rows(db, `update pgq.queue set queue_ticker_idle_period = '1 hour' where queue_name = 'old'`);
    const writer = await db.connect();
    await writer.query('begin isolation level repeatable read; select 1');
    await turn(db, 'old', 'c');
    await insert(writer, 'old', 'late');
    await poll();
    await writer.query('commit');
    expect(await poll()).toEqual(['old']);
    const batch = await value(db, `select batch_id from kaja.next_batch('old', 'c', null, null, null)`);
    await rows(db, 'select pgq.batch_retry($1, 0)', [batch]);
    await rows(db, 'select pgq.finish_batch($1)', [batch]);
    expect(await value(db, 'select pgq.maint_retry_events()')).toBe('1');
    expect(await poll()).toEqual(['old']);
    expect(await drain(db, 'old', 'c')).toEqual(['late']);
  });

  it('passes over a queue whose tick lock is taken', async () => {
    await create('locked');
    await insert(db, 'locked', 'x');
    await rows(db, `select kaja.lock_ticks('locked')`);
    expect(await poll()).toEqual([]);
    expect(await value(db, `select kaja.unlock_ticks('locked')`)).toBe('true');
    expect(await poll()).toEqual(['locked']);
  });

  it('neither waits for a queue that is being dropped nor stumbles over it', async () => {
    await create('stays');
    await create('goes');
    await insert(db, 'stays', 'x');
    const late = await db.connect();
    await late.query('begin isolation level repeatable read; select 1');
    const dropper = await db.connect();
    await dropper.query(`begin; select pgq.drop_queue('goes', true)`);
    await ticker.query(`set statement_timeout = '10s'`);
    expect(await poll()).toEqual(['stays']);
    await ticker.query('reset statement_timeout');
    await dropper.query('commit');
    // This snapshot still shows the queue's row.
    expect(await poll(late)).toEqual([]);
    await late.query('commit');
    await insert(db, 'stays', 'y');
    expect(await poll()).toEqual(['stays']);
  });

  it('tells whether what it ticked were events or only time', async () => {
    await create('why');
    const POLL = `select p.queue_name, current_setting('kaja.ticked', true) as ticked from kaja.poll_ticks() p`;
    const why = async (): Promise<unknown[]> =>
      (await rows(db, POLL)).filter((row) => row.queue_name === 'why').map((row) => row.ticked);
    await insert(db, 'why', 'x');
    expect(await why()).toEqual(['events']);
    // As long ago as the first tick without events takes.
    await rows(
      db,
      `update pgq.tick t set tick_time = tick_time - interval '1 hour' from pgq.queue q where q.queue_id = t.tick_queue and q.queue_name = 'why'`,
    );
    expect(await why()).toEqual(['idle']);
  });

  it('looks into no event table when idle, and writes nothing', async () => {
    const own = await createDatabase({ server });
    for (const queue of ['1', '2', '3', '4', '5']) await rows(own, 'select pgq.create_queue($1)', [queue]);
    await insert(own, '1', 'x');
    const session = own.client;
    const count = (n: number): Promise<unknown> =>
      rows(
        session,
        `do 'begin for n in 1 .. ${n} loop perform kaja.poll_ticks(''1 minute''); end loop; end'`,
      );
    const quiet = `select count(*) from pgq.queue where current_setting('kaja.polled_' || queue_id, true) like '%quiet'`;
    for (const deadline = Date.now() + 20_000; (await value(session, quiet)) !== '5'; ) {
      await poll(session);
      if (Date.now() > deadline) throw new Error('never quiet');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // The view also counts what earlier transactions of the session did and the server has not been told yet.
    const looks = `select coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0) from pg_stat_xact_user_tables where relname ~ '^event_'`;
    await session.query('begin');
    const before = await value(session, looks);
    await count(200);
    expect(await value(session, 'select txid_current_if_assigned()')).toBeNull();
    expect(await value(session, looks)).toBe(before);
    await session.query('commit');
    await own.drop();
  });

  it('delivers everything of many writers once', async () => {
    await create('storm');
    const writers = await Promise.all(Array.from({ length: 6 }, () => db.connect()));
    let writing = true;
    const polling = (async () => {
      while (writing) await poll();
    })();
    await Promise.all(
      writers.map(async (writer, n) => {
        for (let round = 0; round < 50; round++) {
          await writer.query('begin');
          await insert(writer, 'storm', `${n}/${round}`);
          await insert(writer, 'storm', `${n}/${round}/b`);
          await writer.query(round % 4 ? 'commit' : 'rollback');
        }
      }),
    );
    writing = false;
    await polling;
    await poll();
    const expected = Array.from({ length: 6 }, (_, n) => n).flatMap((n) =>
      Array.from({ length: 50 }, (_, round) => round)
        .filter((round) => round % 4)
        .flatMap((round) => [`${n}/${round}`, `${n}/${round}/b`]),
    );
    expect((await drain(db, 'storm', 'c')).sort()).toEqual(expected.sort());
  });
});
