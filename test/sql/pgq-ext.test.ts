/** Positions of consumers in the database they write to: schema pgq_ext, as users of Skytools 3 know it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { failure, pidOf, rows, SERVERS, value, waitsForLock } from './queue-support.ts';

const SIGNATURES = [
  'get_last_tick(a_consumer text) -> bigint',
  'get_last_tick(a_consumer text, a_subconsumer text) -> bigint definer',
  'is_batch_done(a_consumer text, a_batch_id bigint) -> boolean',
  'is_batch_done(a_consumer text, a_subconsumer text, a_batch_id bigint) -> boolean definer',
  'is_event_done(a_consumer text, a_batch_id bigint, a_event_id bigint) -> boolean',
  'is_event_done(a_consumer text, a_subconsumer text, a_batch_id bigint, a_event_id bigint) -> boolean definer',
  'set_batch_done(a_consumer text, a_batch_id bigint) -> boolean',
  'set_batch_done(a_consumer text, a_subconsumer text, a_batch_id bigint) -> boolean definer',
  'set_event_done(a_consumer text, a_batch_id bigint, a_event_id bigint) -> boolean',
  'set_event_done(a_consumer text, a_subconsumer text, a_batch_id bigint, a_event_id bigint) -> boolean definer',
  'set_last_tick(a_consumer text, a_subconsumer text, a_tick_id bigint) -> integer definer',
  'set_last_tick(a_consumer text, a_tick_id bigint) -> integer',
  'upgrade_schema() -> integer',
  'version() -> text',
];

describe.each(SERVERS)('pgq_ext on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server, prefix: 'ext' });
  });
  afterAll(() => db.drop());
  const call = (text: string) => value(db, `select pgq_ext.${text}`);

  it('has the functions of upstream and no others', async () => {
    const found = await rows(
      db,
      `select p.proname || '(' || pg_get_function_arguments(p.oid) || ') -> ' || pg_get_function_result(p.oid)
              || case when p.prosecdef then ' definer' else '' end as signature
         from pg_proc p where p.pronamespace = 'pgq_ext'::regnamespace order by 1`,
    );
    expect(found.map((row) => row.signature).sort()).toEqual(SIGNATURES);
    expect(await rows(db, 'select pgq_ext.version(), pgq_ext.upgrade_schema()')).toEqual([
      { version: '3.1', upgrade_schema: 0 },
    ]);
  });

  it('tracks batches: only the last one counts', async () => {
    expect(await call(`is_batch_done('c', 1)`)).toBe('false');
    expect(await call(`set_batch_done('c', 1)`)).toBe('true');
    expect(await call(`is_batch_done('c', 1)`)).toBe('true');
    expect(await call(`set_batch_done('c', 1)`)).toBe('false');
    expect(await call(`is_batch_done('c', 2)`)).toBe('false');
    expect(await call(`set_batch_done('c', 2)`)).toBe('true');
    expect(await call(`is_batch_done('c', 1)`)).toBe('false');
    expect(await call(`is_batch_done('c', 's', 2)`)).toBe('false');
    expect(await call(`set_batch_done('c', 's', 2)`)).toBe('true');
    expect(await call(`is_batch_done('c', '', 2)`)).toBe('true');
    expect(await call(`set_batch_done('c', 0)`)).toBe('true');
    expect(await call(`set_batch_done('c', null)`)).toBe('true');
    expect(await call(`is_batch_done('c', 2)`)).toBe('true');
    expect(await call(`is_batch_done('c', null)`)).toBeNull();
    expect(await rows(db, 'select * from pgq_ext.completed_batch order by 1, 2')).toEqual([
      { consumer_id: 'c', subconsumer_id: '', last_batch_id: '2' },
      { consumer_id: 'c', subconsumer_id: 's', last_batch_id: '2' },
    ]);
  });

  it('tracks events of a batch and forgets them with the first event of the next', async () => {
    expect(await call(`is_event_done('c', 3, 101)`)).toBe('false');
    expect(await call(`set_event_done('c', 3, 101)`)).toBe('true');
    expect(await call(`is_event_done('c', 3, 101)`)).toBe('true');
    expect(await call(`set_event_done('c', 3, 101)`)).toBe('false');
    expect(await call(`set_event_done('c', 3, 102)`)).toBe('true');
    expect(await call(`set_event_done('c', 's', 3, 101)`)).toBe('true');
    expect(await call(`set_batch_done('c', 3)`)).toBe('true');
    const done = () => rows(db, `select * from pgq_ext.completed_event order by 1, 2, 3, 4`);
    expect(await done()).toHaveLength(3);
    expect(await call(`set_event_done('c', 4, 103)`)).toBe('true');
    expect(await done()).toEqual([
      { consumer_id: 'c', subconsumer_id: '', batch_id: '4', event_id: '103' },
      { consumer_id: 'c', subconsumer_id: 's', batch_id: '3', event_id: '101' },
    ]);
    expect((await failure(db, `select pgq_ext.set_event_done('c', 4, null)`)).code).toBe('23502');
  });

  it('tracks ticks', async () => {
    expect(await call(`get_last_tick('c')`)).toBeNull();
    expect(await call(`set_last_tick('c', 7)`)).toBe('1');
    expect(await call(`set_last_tick('c', 's', 8)`)).toBe('1');
    expect(await call(`set_last_tick('c', 6)`)).toBe('1');
    expect(await call(`get_last_tick('c')`)).toBe('6');
    expect(await call(`get_last_tick('c', 's')`)).toBe('8');
    expect(await call(`set_last_tick('c', null)`)).toBe('1');
    expect(await call(`get_last_tick('c')`)).toBeNull();
    expect(await call(`set_last_tick('nobody', null)`)).toBe('1');
  });

  it.each([
    [`set_batch_done('race', 1)`, 'completed_batch'],
    [`set_event_done('race', 1, 1)`, 'completed_event'],
  ])('lets only one of two sessions do the work: %s', async (text, table) => {
    const [first, second] = [await db.connect(), await db.connect()];
    const secondPid = await pidOf(second);
    await first.query('begin');
    expect(await value(first, `select pgq_ext.${text}`)).toBe('true');
    const late = value(second, `select pgq_ext.${text}`);
    await waitsForLock(db, secondPid);
    await first.query('commit');
    expect(await late).toBe('false');
    expect(await value(db, `select count(*) from pgq_ext.${table} where consumer_id = 'race'`)).toBe('1');
    await Promise.all([first.end(), second.end()]);
  });

  it('lets pgq_writer track, others only see the version, and nobody reach the tables', async () => {
    const granted = await rows(
      db,
      `select case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee, count(*)::int as functions
         from pg_proc p cross join lateral aclexplode(p.proacl) a
        where p.pronamespace = 'pgq_ext'::regnamespace and a.grantee <> p.proowner group by 1 order by 1`,
    );
    expect(granted).toEqual([
      { grantee: 'pgq_writer', functions: SIGNATURES.length },
      { grantee: 'public', functions: 1 },
    ]);
    const writer = await db.connect();
    await writer.query('set role pgq_writer');
    expect(await value(writer, `select pgq_ext.set_last_tick('w', 1)`)).toBe('1');
    expect((await failure(writer, 'select * from pgq_ext.completed_tick')).code).toBe('42501');
    await writer.query('set role pgq_reader');
    expect((await failure(writer, `select pgq_ext.get_last_tick('w')`)).code).toBe('42501');
    expect(await value(writer, 'select pgq_ext.version()')).toBe('3.1');
    await writer.end();
  });
});
