/** Queue of the library: life of a queue, producing in every way, looking and moving. */
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { install, json, Queue, type QueueEvent } from '../../src/queue/index.ts';
import { drain, SERVERS, value } from '../sql/queue-support.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

const failed = (code: string, message: RegExp) =>
  expect.objectContaining({ name: 'KajaError', code, message: expect.stringMatching(message) });

describe.each(SERVERS)('Queue on the %s', (_name, server) => {
  let db: TestDatabase;
  let queue: Queue;
  beforeAll(async () => {
    db = await createDatabase({ server });
  });
  afterAll(() => db?.drop());
  beforeEach(async () => {
    queue = new Queue('orders', { connection: db.url });
    await queue.create();
    await queue.register('c');
  });
  afterEach(async () => {
    await queue.drop({ force: true }).catch(() => {});
    await queue.close();
  });
  const events = async (): Promise<string[]> => {
    await queue.tick();
    return drain(db, 'orders', 'c');
  };

  it('creates, configures, lists and drops', async () => {
    expect(
      await queue.create({ tickerMaxCount: 7, tickerMaxLagSeconds: 0.25, rotationPeriodSeconds: 60 }),
    ).toBe(false);
    expect(await queue.info()).toMatchObject({
      name: 'orders',
      tickerMaxCount: 7,
      tickerMaxLagSeconds: 0.25,
      rotationPeriodSeconds: 60,
      tickerPaused: false,
      lastTick: 1n,
    });
    await queue.configure({ tickerPaused: true });
    expect((await Queue.list(db.url)).map((one) => [one.name, one.tickerPaused])).toEqual([['orders', true]]);
    await expect(queue.drop()).rejects.toEqual(failed('state-refused', /has consumers: c$/));
    expect(await queue.unregister('c')).toBe(true);
    expect(await queue.unregister('c')).toBe(false);
    await queue.drop();
    expect(await queue.info()).toBeUndefined();
    await expect(queue.drop()).rejects.toEqual(failed('queue-missing', /^queue "orders" does not exist/));
    await expect(queue.produce({ data: 'x' })).rejects.toEqual(failed('queue-missing', /orders/));
    await expect(queue.produceMany([{ data: 'x' }])).rejects.toEqual(failed('queue-missing', /orders/));
    await expect(queue.register('c')).rejects.toEqual(failed('queue-missing', /orders/));
    await expect(queue.configure({ tickerMaxCount: 1 })).rejects.toEqual(failed('queue-missing', /orders/));
    expect(await queue.create()).toBe(true);
  });

  it('produces one event with all its fields', async () => {
    const data = 'tab\t, newline\n, \\N, quote\' " and ünïcödé 🐘';
    const id = await queue.produce({ type: 't', data, extra1: '1', extra2: '', extra4: '\\' });
    expect(typeof id).toBe('bigint');
    await queue.produce({});
    await queue.tick();
    const batch = await value(db, `select pgq.next_batch('orders', 'c')`);
    const rows = await db.sql(
      'select ev_id, ev_type, ev_data, ev_extra1, ev_extra2, ev_extra3, ev_extra4 from pgq.get_batch_events($1)',
      [batch],
    );
    expect(rows[0]).toEqual({
      ev_id: String(id),
      ev_type: 't',
      ev_data: data,
      ev_extra1: '1',
      ev_extra2: '',
      ev_extra3: null,
      ev_extra4: '\\',
    });
    expect(rows[1]).toMatchObject({ ev_type: null, ev_data: null, ev_extra1: null });
  });

  it('produces in the transaction of a pg client: all of it or nothing', async () => {
    const client = await db.connect();
    await client.query('begin');
    await queue.produce({ data: 'rolled back' }, { transaction: client });
    await queue.produceMany([{ data: 'too' }], { transaction: client });
    await client.query('rollback');
    await client.query('begin');
    await queue.produce({ data: 'a' }, { transaction: client });
    await queue.produceMany([{ data: 'b' }, { data: 'c' }], { transaction: client });
    expect(await events()).toEqual([]);
    await client.query('commit');
    expect(await events()).toEqual(['a', 'b', 'c']);
  });

  it('produces in a transaction of kysely', async () => {
    const pool = new pg.Pool({ connectionString: db.url });
    const kysely = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) });
    try {
      const many = Array.from({ length: 2_500 }, (_, n) => ({ data: String(n) }));
      await kysely.transaction().execute(async (trx) => {
        expect(await queue.produce({ data: 'a' }, { transaction: trx })).toBeGreaterThan(0n);
        expect(await queue.produceMany(many, { transaction: trx })).toBe(2_500);
      });
      await kysely
        .transaction()
        .execute(async (trx) => {
          await queue.produce({ data: 'never' }, { transaction: trx });
          throw new Error('no');
        })
        .catch(() => {});
      expect(await events()).toEqual(['a', ...many.map((one) => one.data)]);
      await expect(queue.produce({ data: 'x' }, { transaction: kysely })).rejects.toEqual(
        failed('transaction-invalid', /Kysely instance/),
      );
      await expect(queue.produce({ data: 'x' }, { transaction: pool })).rejects.toEqual(
        failed('transaction-invalid', /got a pool/),
      );
      await expect(queue.produce({ data: 'x' }, { transaction: new pg.Client(db.url) })).rejects.toEqual(
        failed('transaction-invalid', /not connected/),
      );
      for (const source of [5, null, {}])
        await expect(queue.produceMany(source as never)).rejects.toEqual(
          failed('payload-invalid', /^produceMany needs an array or another iterable/),
        );
    } finally {
      await kysely.destroy();
    }
  });

  it('streams 100,000 events by COPY, in order, with every odd character', async () => {
    const odd = ['', '\\', '\\N', '\t', '\n', '\r\n', '\\.', '"{},', 'NULL', '🐘', null];
    async function* source() {
      for (let n = 0; n < 100_000; n++)
        yield {
          type: n % 2 ? 'odd' : null,
          data: `${n}`,
          extra1: odd[n % odd.length] ?? null,
          extra3: n % 3 ? null : 'x',
        };
    }
    expect(await queue.produceMany(source())).toBe(100_000);
    await queue.tick();
    const batch = await value(db, `select pgq.next_batch('orders', 'c')`);
    const rows = await db.sql('select ev_type, ev_data, ev_extra1, ev_extra3 from pgq.get_batch_events($1)', [
      batch,
    ]);
    expect(rows.length).toBe(100_000);
    const wrong = rows.filter(
      (row, n) =>
        row.ev_data !== `${n}` ||
        row.ev_type !== (n % 2 ? 'odd' : null) ||
        row.ev_extra1 !== (odd[n % odd.length] ?? null) ||
        row.ev_extra3 !== (n % 3 ? null : 'x'),
    );
    expect(wrong).toEqual([]);
    // Nothing stays of the way they came.
    expect(await db.sql(`select relname from pg_class where relname = 'kaja_events'`)).toEqual([]);
  });

  it('lets the ticker notice events that came by COPY', async () => {
    await queue.configure({ tickerMaxCount: 1, tickerMaxLagSeconds: 1_000_000 });
    const before = await queue.tick();
    expect(await value(db, `select pgq.ticker('orders')`)).toBeNull();
    await queue.produceMany(Array.from({ length: 3_000 }, () => ({ data: 'x' })));
    expect(Number(await value(db, `select pgq.ticker('orders')`))).toBeGreaterThan(before);
    expect(await drain(db, 'orders', 'c')).toHaveLength(3_000);
  });

  it('takes all or none, and leaves a transaction that failed usable', async () => {
    const client = await db.connect();
    await client.query('begin');
    function* broken() {
      for (let n = 0; n < 5_000; n++) yield { data: `${n}` };
      throw new TypeError('source is broken');
    }
    await expect(queue.produceMany(broken(), { transaction: client })).rejects.toThrow(
      new TypeError('source is broken'),
    );
    await expect(queue.produceMany(broken())).rejects.toThrow(TypeError);
    const nul = [...Array.from({ length: 1_500 }, () => ({ data: 'x' })), { data: 'a\0b' }];
    await expect(queue.produceMany(nul, { transaction: client })).rejects.toEqual(
      failed('payload-invalid', /data of an event holds a NUL/),
    );
    await queue.produce({ data: 'goes on' }, { transaction: client });
    await client.query('commit');
    expect(await events()).toEqual(['goes on']);
    await expect(queue.produceMany([{ data: 'x' }], { transaction: client })).rejects.toEqual(
      failed('transaction-invalid', /no transaction is open/),
    );
    expect(await events()).toEqual([]);
  });

  it('keeps the limits of a queue', async () => {
    await db.sql(`update pgq.queue set queue_per_tx_limit = 3 where queue_name = 'orders'`);
    const three = [{ data: '1' }, { data: '2' }, { data: '3' }];
    expect(await queue.produceMany(three)).toBe(3);
    await expect(queue.produceMany([...three, { data: '4' }])).rejects.toThrow(/allows max 3 events/);
    await db.sql(
      `update pgq.queue set queue_per_tx_limit = null, queue_disable_insert = true where queue_name = 'orders'`,
    );
    await expect(queue.produceMany(three)).rejects.toEqual(
      failed('state-refused', /Insert into queue disallowed/),
    );
    expect(await events()).toEqual(['1', '2', '3']);
  });

  it('lets a role with pgq_writer produce in every way, and nothing else', async () => {
    const role = `producer_${process.pid}_${server === 0 ? 'a' : 'b'}`;
    await db.sql(`create role ${role} login in role pgq_writer`);
    const url = new URL(db.url);
    url.username = role;
    const own = new Queue('orders', { connection: url.href });
    try {
      await own.produce({ data: 'a' });
      await own.produceMany([{ data: 'b' }]);
      expect(await own.produceMany(Array.from({ length: 1_500 }, () => ({ data: 'c' })))).toBe(1_500);
      await expect(own.register('x')).rejects.toEqual(failed('permission-denied', /register_consumer/));
      await expect(own.drop({ force: true })).rejects.toEqual(failed('permission-denied', /drop_queue/));
      await expect(own.deadLetters()).rejects.toEqual(failed('permission-denied', /dead_letter/));
      // Without the right to make temporary tables the events go as arrays.
      await db.sql(`revoke temporary on database "${db.name}" from public`);
      expect(await own.produceMany(Array.from({ length: 1_500 }, () => ({ data: 'd' })))).toBe(1_500);
      expect(await events()).toEqual(['a', 'b', ...Array(1_500).fill('c'), ...Array(1_500).fill('d')]);
    } finally {
      await own.close();
      await db.sql(`grant temporary on database "${db.name}" to public; drop role ${role}`);
    }
  });

  it('registers and moves consumers', async () => {
    await queue.produce({ data: 'one' });
    const first = await queue.tick();
    await queue.produce({ data: 'two' });
    const second = await queue.tick();
    expect(await queue.register('late')).toBe(true);
    expect(await queue.register('early', { at: 'start' })).toBe(true);
    expect(await queue.register('middle', { at: first })).toBe(true);
    expect(await drain(db, 'orders', 'late')).toEqual([]);
    expect(await drain(db, 'orders', 'early')).toEqual(['one', 'two']);
    expect(await drain(db, 'orders', 'middle')).toEqual(['two']);
    expect(await queue.seek('late', first)).toBe(first);
    expect(await drain(db, 'orders', 'late')).toEqual(['two']);
    expect(await queue.seek('late', new Date())).toBe(second);
    expect(await queue.seek('late', 'start')).toBe(1n);
    expect((await queue.consumers()).map((one) => [one.name, one.lastTick, one.batch])).toEqual([
      ['c', 1n, null],
      ['early', second, null],
      ['late', 1n, null],
      ['middle', second, null],
    ]);
    await expect(queue.seek('late', 999n)).rejects.toEqual(failed('state-refused', /has no tick 999/));
    await expect(queue.seek('late', new Date(0))).rejects.toEqual(
      failed('state-refused', /has no tick of 1970/),
    );
    await expect(queue.seek('nobody', 'end')).rejects.toEqual(
      failed('consumer-missing', /"nobody" is not registered/),
    );
  });

  it('follows a queue and leaves nothing behind', async () => {
    await queue.produce({ data: json({ n: 1 }) });
    await queue.tick();
    const seen: QueueEvent[] = [];
    const stop = new AbortController();
    for await (const event of queue.tail({ from: 'start', signal: stop.signal })) {
      seen.push(event);
      if (seen.length === 1) {
        await queue.produceMany(Array.from({ length: 2_300 }, (_, n) => ({ data: json({ n: n + 2 }) })));
        await queue.tick();
      }
      if (seen.length === 2_301) stop.abort();
    }
    expect(seen.map((event) => event.json<{ n: number }>().n)).toEqual(
      Array.from({ length: 2_301 }, (_, n) => n + 1),
    );
    expect((await queue.consumers()).map((one) => one.name)).toEqual(['c']);
    let rest = 0;
    for await (const _ of queue.tail({ from: 'start', follow: false })) rest++;
    expect(rest).toBe(2_301);
  });

  it('opens its connection again after it was lost', async () => {
    await queue.produce({ data: 'a' });
    await db.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'kaja queue orders' and datname = current_database()`,
    );
    // The end of the old connection may be noticed only by the statement that uses it.
    await queue.produce({ data: 'b' }).catch(() => queue.produce({ data: 'b' }));
    expect(await events()).toEqual(['a', 'b']);
  });
});

describe('Queue', () => {
  it('refuses wrong options with one line each', () => {
    const connection = 'host=127.0.0.1';
    const make = (name: unknown, options: unknown) => () => new Queue(name as string, options as never);
    expect(make('', { connection })).toThrow(
      failed('option-invalid', /^name of Queue must be a string/) as never,
    );
    expect(make('q', undefined)).toThrow('Queue needs option connection: a connection string');
    expect(make('q', { connection: '' })).toThrow('option connection of Queue must be a connection string');
    expect(make('q', { conection: 'x' })).toThrow('Queue has no option "conection"');
    expect(make('q', { connection: new pg.Pool() })).toThrow('option connection of Queue must be');
    expect(make('q', 3)).toThrow('options of Queue must be an object');
  });

  it('refuses wrong settings, positions and events before it connects', async () => {
    const queue = new Queue('q', { connection: 'host=127.0.0.1 port=1' });
    await expect(queue.create({ tickerMaxCount: 0 })).rejects.toThrow(
      /tickerMaxCount of create must be a whole number/,
    );
    await expect(queue.create({ tickerMaxLag: 1 } as never)).rejects.toEqual(
      expect.objectContaining({
        code: 'option-invalid',
        hint: expect.stringContaining('tickerMaxLagSeconds'),
      }),
    );
    await expect(queue.seek('c', 'tomorrow' as never)).rejects.toThrow(/^position must be 'start'/);
    await expect(queue.produce({ payload: 'x' } as never)).rejects.toThrow('an event has no field "payload"');
    await expect(queue.produce({ data: { a: 1 } } as never)).rejects.toEqual(
      expect.objectContaining({ code: 'payload-invalid', hint: 'use json(value)' }),
    );
    await expect(queue.produce({ data: 'x' })).rejects.toEqual(failed('connect-failed', /127\.0\.0\.1:1/));
  });

  it('writes and reads JSON, and says what cannot be', () => {
    expect(json({ a: [1, null], b: 'ü' })).toBe('{"a":[1,null],"b":"ü"}');
    expect(() => json(undefined)).toThrow(failed('payload-invalid', /undefined/) as never);
    expect(() => json({ id: 1n })).toThrow(failed('payload-invalid', /BigInt/) as never);
  });

  it('installs the schemas', async () => {
    const db = await createDatabase({ install: false });
    try {
      const queue = new Queue('q', { connection: db.url });
      await expect(queue.create()).rejects.toEqual(failed('not-installed', /not installed/));
      expect(await install(db.url)).toBe(true);
      expect(await install(db.url)).toBe(false);
      expect(await queue.create()).toBe(true);
      await queue.close();
    } finally {
      await db.drop();
    }
  });
});
