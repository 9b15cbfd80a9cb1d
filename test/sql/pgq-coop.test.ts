/** Workers that share a consumer's batches: schema pgq_coop, as users of Skytools 3 know it. */
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  drain,
  eagerQueue,
  failure,
  insert,
  pidOf,
  rows,
  SERVERS,
  value,
  waitsForLock,
} from './queue-support.ts';

const SIGNATURES = [
  'finish_batch(i_batch_id bigint) -> integer definer',
  'next_batch(i_queue_name text, i_consumer_name text, i_subconsumer_name text) -> bigint',
  'next_batch(i_queue_name text, i_consumer_name text, i_subconsumer_name text, i_dead_interval interval) -> bigint',
  'next_batch_custom(i_queue_name text, i_consumer_name text, i_subconsumer_name text, i_min_lag interval, i_min_count integer, i_min_interval interval) -> bigint',
  'next_batch_custom(i_queue_name text, i_consumer_name text, i_subconsumer_name text, i_min_lag interval, i_min_count integer, i_min_interval interval, i_dead_interval interval) -> bigint definer',
  'register_subconsumer(i_queue_name text, i_consumer_name text, i_subconsumer_name text) -> integer definer',
  'unregister_subconsumer(i_queue_name text, i_consumer_name text, i_subconsumer_name text, i_batch_handling integer) -> integer definer',
  'version() -> text',
];

describe.each(SERVERS)('pgq_coop on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server, prefix: 'coop' });
  });
  afterAll(() => db.drop());
  beforeEach(async () => {
    await rows(db, `select pgq.drop_queue(queue_name, true) from pgq.queue`);
    await eagerQueue(db, 'q');
  });
  const call = (text: string, on: TestDatabase | pg.Client = db) => value(on, `select pgq_coop.${text}`);
  const next = (worker: string, on: TestDatabase | pg.Client = db, dead?: string) =>
    value(on, 'select pgq_coop.next_batch($1, $2, $3, $4)', ['q', 'main', worker, dead]);
  const events = async (batch: string | null) =>
    (await rows(db, 'select ev_data from pgq.get_batch_events($1)', [batch])).map((row) => row.ev_data);
  const produce = async (...data: string[]) => {
    for (const one of data) await insert(db, 'q', one);
    await rows(db, `select pgq.ticker('q')`);
  };
  const age = (worker: string, on: TestDatabase | pg.Client = db) =>
    rows(
      on,
      `update pgq.subscription s set sub_active = '2005-01-01' from pgq.consumer c where c.co_id = s.sub_consumer and c.co_name = 'main.' || $1`,
      [worker],
    );
  const names = async () =>
    (await rows(db, 'select consumer_name from pgq.get_consumer_info() order by 1')).map(
      (row) => row.consumer_name,
    );

  it('has the functions of upstream, and besides only private ones', async () => {
    const found = await rows(
      db,
      `select p.proname || '(' || pg_get_function_arguments(p.oid) || ') -> ' || pg_get_function_result(p.oid)
              || case when p.prosecdef then ' definer' else '' end as signature
         from pg_proc p where p.pronamespace = 'pgq_coop'::regnamespace and p.proname !~ '^_' order by 1`,
    );
    expect(found.map((row) => row.signature).sort()).toEqual(SIGNATURES);
    expect(await call('version()')).toBe('3.1');
  });

  it('walks through registration, sharing, takeover and the end as upstream does', async () => {
    expect(await call(`register_subconsumer('q', 'main', 's1')`)).toBe('1');
    expect(await call(`register_subconsumer('q', 'main', 's1')`)).toBe('0');
    expect(await call(`register_subconsumer('q', 'main', 's2')`)).toBe('1');
    expect(await next('s1')).toBeNull();
    await produce('a', 'b');
    const first = await next('s1');
    expect(await next('s1')).toBe(first);
    expect(await next('s2')).toBeNull();
    await produce('c');
    const second = await next('s2');
    expect([await events(first), await events(second)]).toEqual([['a', 'b'], ['c']]);
    expect(await call(`finish_batch(${second})`)).toBe('1');
    expect(await call(`finish_batch(${second})`)).toBe('0');
    expect(await next('s2', db, '1 hour')).toBeNull();
    await age('s1');
    expect(await next('s2', db, '1 hour')).toBe(first);
    expect(await events(first)).toEqual(['a', 'b']);
    expect(await call(`unregister_subconsumer('q', 'main', 's1', 0)`)).toBe('0');
    expect((await failure(db, `select pgq_coop.unregister_subconsumer('q', 'main', 's2', 0)`)).message).toBe(
      'subconsumer has active batch',
    );
    expect(await call(`unregister_subconsumer('q', 'main', 's2', 1)`)).toBe('1');
    expect(await call(`unregister_subconsumer('q', 'main', 's2', 0)`)).toBe('0');
    expect(await names()).toEqual(['main']);
    expect(await rows(db, `select co_name from pgq.consumer where co_name ~ '^main'`)).toEqual([
      { co_name: 'main' },
    ]);
    expect(await value(db, `select pgq.unregister_consumer('q', 'main')`)).toBe('1');
  });

  it('registers workers that ask, and removes them with their consumer', async () => {
    expect(await next('new')).toBeNull();
    expect(await names()).toEqual(['main', 'main.new']);
    await produce('a');
    expect(await events(await next('other'))).toEqual(['a']);
    expect(await value(db, `select pgq.unregister_consumer('q', 'main.new')`)).toBe('1');
    expect(await value(db, `select pgq.unregister_consumer('q', 'main')`)).toBe('2');
    expect(await names()).toEqual([]);
    expect((await failure(db, `select pgq_coop.next_batch('no', 'main', 's')`)).message).toBe(
      'Event queue not created yet',
    );
  });

  it('honours minimal lag, count and interval', async () => {
    await next('s');
    await produce('a');
    expect(await call(`next_batch_custom('q', 'main', 's', '1 hour', null, null)`)).toBeNull();
    expect(await call(`next_batch_custom('q', 'main', 's', null, 10, null)`)).toBeNull();
    expect(await call(`next_batch_custom('q', 'main', 's', null, 10, '1 hour', '1 hour')`)).toBeNull();
    await produce('b', 'c');
    expect(await events(await call(`next_batch_custom('q', 'main', 's', null, 3, null)`))).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  it('gives retried events to whoever comes first', async () => {
    await next('s1');
    await produce('a', 'b');
    const batch = await next('s1');
    await rows(
      db,
      `select pgq.event_retry($1::int8, ev_id, 0) from pgq.get_batch_events($1) where ev_data = 'a'`,
      [batch],
    );
    await call(`finish_batch(${batch})`);
    await rows(db, 'select pgq.maint_retry_events()');
    await produce();
    expect(await events(await next('s2'))).toEqual(['a']);
  });

  it('does not take an ordinary consumer for a worker', async () => {
    await rows(db, `select pgq.register_consumer('q', 'main.s'), pgq.register_consumer('q', 'plain')`);
    await produce('a');
    expect(await call(`unregister_subconsumer('q', 'main', 's', 1)`)).toBe('0');
    await rows(db, `select pgq.register_consumer('q', 'main')`);
    const message = 'consumer "main.s" is registered, but not as subconsumer of "main"';
    for (const text of [
      `register_subconsumer('q', 'main', 's')`,
      `next_batch('q', 'main', 's')`,
      `unregister_subconsumer('q', 'main', 's', 1)`,
    ])
      expect((await failure(db, `select pgq_coop.${text}`)).message).toBe(message);
    const batch = await value(db, `select pgq.next_batch('q', 'plain')`);
    expect(await call(`finish_batch(${batch})`)).toBe('1');
    await produce('b');
    expect(await drain(db, 'q', 'plain')).toEqual(['b']);
    await rows(db, `select pgq_coop.register_subconsumer('q', 'plain', 's')`);
    await produce('c');
    await rows(db, `select pgq.next_batch('q', 'plain')`);
    expect((await failure(db, `select pgq_coop.next_batch('q', 'plain', 's')`)).message).toBe(
      'main consumer has batch open?',
    );
  });

  it('keeps events that a worker still reads from rotation', async () => {
    await next('s1');
    await produce('kept');
    const batch = await next('s1');
    for (let turns = 0; turns < 4; turns++) {
      await produce('later');
      const other = await next('s2');
      if (other) await call(`finish_batch(${other})`);
      await rows(db, `select pgq.maint_rotate_tables_step1('q')`);
      await rows(db, 'select pgq.maint_rotate_tables_step2()');
    }
    expect(await events(batch)).toEqual(['kept']);
  });

  it('writes nothing while there is nothing to do', async () => {
    await next('s1');
    const state = () => rows(db, 'select xmin::text, ctid::text from pgq.subscription order by sub_consumer');
    const before = await state();
    await next('s1');
    await next('s1', db, '1 hour');
    expect(await state()).toEqual(before);
    await age('s1');
    await next('s1', db, '1 hour');
    await next('s2', db, '1 hour');
    expect(await names()).toEqual(['main', 'main.s1', 'main.s2']);
  });

  it('gives a batch to one of two workers that ask at once', async () => {
    const [one, two] = [await db.connect(), await db.connect()];
    await next('s1');
    await next('s2');
    await produce('a');
    const pid = await pidOf(two);
    await one.query('begin');
    const batch = await next('s1', one);
    const late = next('s2', two);
    await waitsForLock(db, pid);
    await one.query('commit');
    expect(batch).not.toBeNull();
    expect(await late).toBeNull();
  });

  it('lets one of two workers take over from a dead one', async () => {
    const [one, two] = [await db.connect(), await db.connect()];
    await next('s1');
    await next('s2');
    await produce('a');
    const batch = await next('dead');
    await age('dead');
    const pid = await pidOf(two);
    await one.query('begin');
    expect(await next('s1', one, '1 hour')).toBe(batch);
    const late = next('s2', two, '1 hour');
    await waitsForLock(db, pid);
    await one.query('commit');
    expect(await late).toBeNull();
  });

  it('does not take over a batch that is being finished', async () => {
    const dying = await db.connect();
    await next('s1');
    await produce('a');
    const batch = await next('dead');
    await age('dead');
    await dying.query('begin');
    expect(await call(`finish_batch(${batch})`, dying)).toBe('1');
    expect(await next('s1', db, '1 hour')).toBeNull();
    await dying.query('commit');
    expect(await next('s1', db, '1 hour')).toBeNull();
    await produce('b');
    expect(await events(await next('s1', db, '1 hour'))).toEqual(['b']);
  });

  it('loses no batch to a worker that is unregistered at the same moment', async () => {
    const [one, two] = [await db.connect(), await db.connect()];
    await next('s1');
    await next('s2');
    await produce('a');
    const pid = await pidOf(two);
    await one.query('begin');
    await call(`unregister_subconsumer('q', 'main', 's2', 0)`, one);
    const late = next('s2', two);
    await waitsForLock(db, pid);
    await one.query('commit');
    expect(await events(await late)).toEqual(['a']);
    expect(await names()).toEqual(['main', 'main.s1', 'main.s2']);
  });

  it('shares everything exactly once among many workers, some of which die', async () => {
    const total = 300;
    const workers = await Promise.all([1, 2, 3, 4].map(() => db.connect()));
    for (const n of [1, 2, 3, 4]) await next(`w${n}`);
    const seen: string[] = [];
    let producing = true;
    const work = async (client: pg.Client, name: string) => {
      for (let round = 0; ; round++) {
        const batch = await next(name, client, '1 hour');
        if (batch === null) {
          if (!producing) return;
          continue;
        }
        // Every seventh time it dies: the batch stays with the name, and comes back to whoever takes over.
        if (round % 7 === 6) {
          await age(name, client);
          name = `${name}+`;
          continue;
        }
        await client.query('begin');
        const got = await rows(client, 'select ev_data from pgq.get_batch_events($1)', [batch]);
        await client.query('select pgq_coop.finish_batch($1)', [batch]);
        await client.query('commit');
        seen.push(...got.map((row) => row.ev_data));
      }
    };
    const all = workers.map((client, n) => work(client, `w${n + 1}`));
    for (let n = 0; n < total; n++) await produce(`e${n}`);
    producing = false;
    await Promise.all(all);
    for (const name of await names()) if (name !== 'main') await age(name.slice(5));
    for (let batch = await next('last', db, '1 hour'); batch; batch = await next('last', db, '1 hour')) {
      seen.push(...(await events(batch)));
      await call(`finish_batch(${batch})`);
    }
    expect(seen.sort()).toEqual(Array.from({ length: total }, (_, n) => `e${n}`).sort());
  });

  it('lets pgq_reader share, others only see the version', async () => {
    expect(
      await rows(
        db,
        `select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee, count(*)::int as functions
           from pg_proc p cross join lateral aclexplode(p.proacl) a
          where p.pronamespace = 'pgq_coop'::regnamespace and a.grantee <> p.proowner group by 1 order by 1`,
      ),
    ).toEqual([
      { grantee: 'pgq_reader', functions: SIGNATURES.length },
      { grantee: 'public', functions: 1 },
    ]);
    const reader = await db.connect();
    await reader.query('set role pgq_reader');
    expect(await next('r', reader)).toBeNull();
    await produce('a');
    const batch = await next('r', reader);
    expect(await call(`finish_batch(${batch})`, reader)).toBe('1');
    expect(await call(`unregister_subconsumer('q', 'main', 'r', 0)`, reader)).toBe('1');
    await reader.query('reset role; set role pgq_writer');
    expect((await failure(reader, `select pgq_coop.next_batch('q', 'main', 'r')`)).code).toBe('42501');
  });
});
