/** The ticker: when it ticks, and that ticks follow each other like their snapshots whatever runs beside them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  drain,
  eagerQueue,
  failure,
  insert,
  pidOf,
  rows,
  SERVERS,
  tickAndDrain,
  value,
  waitsForLock,
} from './queue-support.ts';

describe.each(SERVERS)('ticker on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server });
  });
  afterAll(() => db.drop());

  const shiftTicks = (queue: string, by: string): Promise<unknown> =>
    rows(
      db,
      `update pgq.tick t set tick_time = tick_time - $2::interval from pgq.queue q where tick_queue = queue_id and queue_name = $1`,
      [queue, by],
    );
  const tick = (queue: string): Promise<string | null> => value(db, 'select pgq.ticker($1)', [queue]);

  it('ticks by count, by lag, and ever more rarely when idle', async () => {
    await rows(db, `select pgq.create_queue('when')`);
    expect(await tick('when')).toBe('2');
    expect(await tick('when')).toBeNull();
    await insert(db, 'when', 'x');
    expect(await tick('when')).toBeNull();
    await shiftTicks('when', '4 seconds');
    expect(await tick('when')).toBe('3');
    await rows(db, `select pgq.insert_event('when', 't', 'd') from generate_series(1, 500)`);
    expect(await tick('when')).toBe('4');

    // The gap between the last two ticks is a few ms: half of max_lag counts.
    await shiftTicks('when', '1.4 seconds');
    expect(await tick('when')).toBeNull();
    await shiftTicks('when', '0.2 seconds');
    expect(await tick('when')).toBe('5');
    // Now it is 1.6 s: the next idle gap is twice that.
    await shiftTicks('when', '3 seconds');
    expect(await tick('when')).toBeNull();
    await shiftTicks('when', '0.5 seconds');
    expect(await tick('when')).toBe('6');
    await rows(db, `update pgq.tick set tick_time = tick_time - interval '1 hour' where tick_id < 6`);
    await shiftTicks('when', '59 seconds');
    expect(await tick('when')).toBeNull();
    await shiftTicks('when', '2 seconds');
    expect(await tick('when')).toBe('7');
  });

  it('sees the first event of a queue as activity', async () => {
    await rows(db, `select pgq.create_queue('first'), pgq.register_consumer('first', 'c')`);
    expect(await value(db, `select ev_new from pgq.get_queue_info('first')`)).toBe('0');
    await tick('first');
    expect(await insert(db, 'first', 'one')).toBe('1');
    expect(await value(db, `select ev_new from pgq.get_queue_info('first')`)).toBe('1');
    await rows(db, `update pgq.queue set queue_ticker_max_count = 1 where queue_name = 'first'`);
    expect(await tick('first')).toBe('3');
    expect(await drain(db, 'first', 'c')).toEqual(['one']);
    const sequence = await value(db, `select queue_event_seq from pgq.queue where queue_name = 'first'`);
    expect(await value(db, `select pgq.seq_getval($1)`, [sequence])).toBe('1');
  });

  it('refuses unknown, external and paused queues, and passes them over', async () => {
    await rows(db, `select pgq.create_queue('ext'), pgq.create_queue('paused')`);
    await rows(
      db,
      `select pgq.set_queue_config('ext', 'external_ticker', 'true'), pgq.set_queue_config('paused', 'ticker_paused', 'true')`,
    );
    expect((await failure(db, `select pgq.ticker('nope')`)).message).toBe('no such queue');
    expect((await failure(db, `select pgq.ticker('ext')`)).message).toBe(
      'This queue has external tick source.',
    );
    expect((await failure(db, `select pgq.ticker('paused')`)).message).toBe(
      'Ticker has been paused for this queue',
    );
    await rows(db, `update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0'`);
    const others = await value(
      db,
      'select count(*) from pgq.queue where not queue_external_ticker and not queue_ticker_paused',
    );
    expect(await value(db, 'select pgq.ticker()')).toBe(others);
    const before = await value(
      db,
      `select last_value from ${await value(db, `select queue_event_seq from pgq.queue where queue_name = 'ext'`)}`,
    );
    expect(await value(db, `select pgq.force_tick('ext')`)).toBe('1');
    expect(
      await value(
        db,
        `select last_value from ${await value(db, `select queue_event_seq from pgq.queue where queue_name = 'ext'`)}`,
      ),
    ).toBe(before);
  });

  it('takes external ticks in order only', async () => {
    await rows(db, `select pgq.create_queue('external')`);
    const call = `select pgq.ticker('external', $1, '2020-01-01', $2)`;
    expect((await failure(db, call, [10, 100])).message).toBe('queue not found or ticker disabled: external');
    await rows(db, `select pgq.set_queue_config('external', 'external_ticker', 'true')`);
    expect(await value(db, call, [10, 100])).toBe('10');
    expect(
      await rows(
        db,
        `select tick_time::date::text as day, tick_event_seq::int as seq from pgq.tick t join pgq.queue on queue_id = tick_queue where queue_name = 'external' and tick_id = 10`,
      ),
    ).toEqual([{ day: '2020-01-01', seq: 100 }]);
    expect(await insert(db, 'external', 'x')).toBe('101');
    expect(await failure(db, call, [10, 200])).toMatchObject({ code: '23505' });
    for (const [id, seq] of [
      [null, 200],
      [20, null],
    ])
      expect(await failure(db, call, [id, seq])).toMatchObject({ code: '23502' });
    expect(await failure(db, `select pgq.ticker('external', 20, null, 200)`)).toEqual({
      code: '23502',
      message: 'null value in column "tick_time" of relation "tick" violates not-null constraint',
    });
    expect(await failure(db, call, [9, 200])).toMatchObject({ code: '55000' });
    expect(await value(db, call, [11, 50])).toBe('11');
    expect(await insert(db, 'external', 'x')).toBe('102');
    const stale = await db.connect();
    await stale.query('begin isolation level repeatable read; select 1');
    await value(db, call, [12, 102]);
    expect(await failure(stale, call, [13, 103])).toMatchObject({ code: '55000' });
    await stale.query('rollback');
  });

  it('warns of an event sequence that went back and of a snapshot that ends in the future', async () => {
    await eagerQueue(db, 'odd', 'c');
    const client = await db.connect();
    const warnings: string[] = [];
    client.on('notice', (notice) => warnings.push(notice.message ?? ''));
    await insert(db, 'odd', 'x');
    await insert(db, 'odd', 'y');
    expect(await tick('odd')).not.toBeNull();
    const [{ seq }] = await rows(db, `select queue_event_seq as seq from pgq.queue where queue_name = 'odd'`);
    await rows(db, `select setval($1, 1)`, [seq]);
    await rows(client, `select pgq.ticker('odd')`);
    expect(warnings).toEqual(['Negative new_events?  old=2 cur=1']);
    await rows(
      db,
      `update pgq.tick t set tick_snapshot = '5:1000000005:' from pgq.queue where tick_queue = queue_id and queue_name = 'odd'`,
    );
    await rows(client, `select pgq.ticker('odd')`);
    expect(warnings[1]).toMatch(/^Dubious PgQ state: old xmax=1000000005, cur txid=\d+$/);
    await rows(db, `select pgq.drop_queue('odd', true)`);
  });

  it('keeps the errors about transaction ids from the future', async () => {
    await eagerQueue(db, 'future', 'c');
    const set = (snapshot: string): Promise<unknown> =>
      rows(
        db,
        `update pgq.tick t set tick_snapshot = $1::txid_snapshot from pgq.queue where tick_queue = queue_id and queue_name = 'future'`,
        [snapshot],
      );
    await set('1000000000:1000000005:');
    expect((await failure(db, `select pgq.ticker('future')`)).message).toMatch(
      /^Invalid PgQ state: old xmin=1000000000, old xmax=1000000005, cur txid=\d+$/,
    );
    expect((await failure(db, 'select * from kaja.poll_ticks()')).message).toMatch(/^Invalid PgQ state/);
    // Partly in the future: a tick now would deliver twice later.
    await set('5:1000000005:');
    expect(await tick('future')).toBeNull();
    await rows(db, `select pgq.drop_queue('future', true)`);
  });

  it('notifies listeners of each tick', async () => {
    await eagerQueue(db, 'notify');
    await rows(
      db,
      `select pgq.create_queue('notify external'), pgq.set_queue_config('notify external', 'external_ticker', 'true')`,
    );
    const listener = await db.connect();
    const heard: string[] = [];
    listener.on('notification', (message) => heard.push(message.payload ?? ''));
    await listener.query('listen kaja_tick');
    await tick('notify');
    await rows(db, `select pgq.ticker('notify external', 7, now(), 0)`);
    await insert(db, 'notify', 'x');
    await rows(db, 'select * from kaja.poll_ticks()');
    await listener.query('select 1');
    expect(heard).toEqual(expect.arrayContaining(['notify', 'notify external']));
    expect(heard.filter((queue) => queue === 'notify')).toHaveLength(2);
  });

  it('waits for a tick that is being stored, and goes by the snapshot after it', async () => {
    await eagerQueue(db, 'order', 'c');
    const first = await db.connect();
    const second = await db.connect();
    await first.query('begin');
    await rows(first, `select pgq.ticker('order')`);
    const pid = await pidOf(second);
    const waiting = value(second, `select pgq.ticker('order')`);
    await waitsForLock(db, pid);
    await insert(db, 'order', 'between');
    await first.query('commit');
    expect(await waiting).toBe('3');
    expect(await drain(db, 'order', 'c')).toEqual(['between']);
  });

  it.each(['repeatable read', 'serializable'])(
    'stores no tick with a snapshot older than the newest tick (%s)',
    async (level) => {
      const queue = `stale ${level}`;
      await eagerQueue(db, queue, 'c');
      const stale = await db.connect();
      await stale.query(`begin isolation level ${level}; select 1`);
      await insert(db, queue, 'x');
      expect(await tickAndDrain(db, queue, 'c')).toEqual(['x']);
      expect(await value(stale, 'select pgq.ticker($1)', [queue])).toBeNull();
      await stale.query('commit');
      expect(await tickAndDrain(db, queue, 'c')).toEqual([]);
      await stale.query(`begin isolation level ${level}; select 1`);
      expect(await value(stale, 'select pgq.ticker($1)', [queue])).not.toBeNull();
      await stale.query('commit');
    },
  );

  it('delivers every event once under many tickers', async () => {
    await eagerQueue(db, 'many', 'c');
    const sessions = await Promise.all(Array.from({ length: 12 }, () => db.connect()));
    const rounds = 60;
    await Promise.all(
      sessions.map(async (session, n) => {
        for (let round = 0; round < rounds; round++) {
          if (n < 3) await insert(session, 'many', `${n}/${round}`);
          else if (n === 3) {
            await session.query('begin');
            await insert(session, 'many', `${n}/${round}`);
            await rows(session, `select pgq.ticker('many')`);
            await session.query(round % 3 ? 'commit' : 'rollback');
          } else if (n === 4) {
            await session.query('begin isolation level repeatable read; select 1');
            await rows(session, `select pgq.ticker('many')`);
            await session.query('commit');
          } else if (n < 9) await rows(session, `select pgq.ticker('many')`);
          else await rows(session, 'select * from kaja.poll_ticks()');
        }
      }),
    );
    const expected = [0, 1, 2, 3].flatMap((n) =>
      Array.from({ length: rounds }, (_, round) => `${n}/${round}`).filter(
        (_, round) => n !== 3 || round % 3 !== 0,
      ),
    );
    expect((await tickAndDrain(db, 'many', 'c')).sort()).toEqual(expected.sort());
  });

  it('counts its own transaction as not yet visible', async () => {
    const session = await db.connect();
    await session.query('begin');
    await rows(session, 'select txid_current()');
    // Another transaction finishes: without care, the snapshots below would contain this one.
    await rows(db, 'select txid_current()');
    await eagerQueue(session, 'own', 'c');
    await insert(session, 'own', 'created');
    await session.query('commit');
    expect(await tickAndDrain(db, 'own', 'c')).toEqual(['created']);

    await session.query('begin');
    await insert(session, 'own', 'before tick');
    await rows(db, 'select txid_current()');
    const own = await value(session, `select pgq.ticker('own')`);
    await insert(session, 'own', 'after tick');
    await session.query('commit');
    await rows(db, `select pgq.ticker('own')`);
    const ranges = await rows(
      db,
      `select kaja.event_range_sql('own', $1::bigint - 1, $1::bigint, null, null) as upto, kaja.event_range_sql('own', $1::bigint, $1::bigint + 1, null, null) as after`,
      [own],
    );
    expect(await rows(db, ranges[0].upto)).toEqual([]);
    expect((await rows(db, ranges[0].after)).map((row) => row.ev_data)).toEqual([
      'before tick',
      'after tick',
    ]);
  });

  it('gives a late transaction to the batch after its commit, whatever else ran', async () => {
    await eagerQueue(db, 'late', 'c');
    const late = await db.connect();
    await late.query('begin');
    await insert(late, 'late', 'late 1');
    for (let n = 0; n < 5; n++) {
      await insert(db, 'late', `short ${n}`);
      expect(await tickAndDrain(db, 'late', 'c')).toEqual([`short ${n}`]);
    }
    await late.query('savepoint s');
    await insert(late, 'late', 'undone');
    await late.query('rollback to s');
    await late.query('savepoint t');
    await insert(late, 'late', 'late 2');
    await late.query('commit');
    await insert(db, 'late', 'last');
    expect(await tickAndDrain(db, 'late', 'c')).toEqual(['late 1', 'late 2', 'last']);
  });
});

describe.each(SERVERS)('sessions at the same time on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server });
  });
  afterAll(() => db.drop());

  /** Run a statement in two sessions so that the second waits for the first's transaction. */
  async function both(text: string): Promise<[string | null, string | null]> {
    const [first, second] = [await db.connect(), await db.connect()];
    const pid = await pidOf(second);
    await first.query('begin');
    const one = await value(first, text);
    const two = value(second, text);
    await waitsForLock(db, pid);
    await first.query('commit');
    return [one, await two];
  }

  it('create one queue', async () => {
    expect(await both(`select pgq.create_queue('same')`)).toEqual(['1', '0']);
  });

  it('register one consumer', async () => {
    await rows(db, `select pgq.create_queue('reg')`);
    expect(await both(`select pgq.register_consumer('reg', 'c')`)).toEqual(['1', '0']);
  });

  it('open one batch, through either function', async () => {
    await eagerQueue(db, 'one', 'c', 'd');
    await rows(db, `select pgq.ticker('one')`);
    const [first, second] = await both(`select pgq.next_batch('one', 'c')`);
    expect(first).not.toBeNull();
    expect(second).toBe(first);
    const [third, fourth] = await both(`select batch_id from kaja.next_batch('one', 'd', 100, 10, null)`);
    expect(third).not.toBeNull();
    expect(fourth).toBe(third);
  });
});
