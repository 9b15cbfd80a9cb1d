/** Sessions: pinned settings, types, transactions, cancel, errors. */
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession, type Session } from '../../src/db/session.ts';
import { sqlstateOf } from '../../src/db/sql-error.ts';
import { KajaError } from '../../src/errors/kaja-error.ts';
import { createDatabase, serverCount, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

async function failureOf(work: Promise<unknown>): Promise<KajaError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof KajaError) return error;
    throw error;
  }
  throw new Error('expected a failure');
}

describe.each(serverCount() > 1 ? [0, -1] : [0])('session on server %i', (server) => {
  let db: TestDatabase;
  let session: Session;
  beforeAll(async () => {
    db = await createDatabase({ server, install: false });
    session = await openSession(db.url, { purpose: 'admin', applicationName: 'kaja test' });
  });
  afterAll(async () => {
    await session.close();
    await db.drop();
  });

  it('pins settings whatever role and database say', async () => {
    const user = (await db.sql('select current_user as me'))[0].me;
    for (const [name, value] of [
      ['DateStyle', 'German'],
      ['IntervalStyle', 'iso_8601'],
      ['TimeZone', 'Asia/Tokyo'],
      ['extra_float_digits', '0'],
      ['bytea_output', 'escape'],
      ['statement_timeout', '12345'],
      ['default_transaction_isolation', 'serializable'],
    ]) {
      await db.sql(`alter role "${user}" in database "${db.name}" set ${name} = '${value}'`);
    }
    const other = await openSession(db.url, { purpose: 'read', lockTimeoutMs: 700 });
    const settings = await other.query<{ name: string; setting: string }>(
      `select name, setting from pg_catalog.pg_settings where name in ('DateStyle', 'IntervalStyle', 'TimeZone', 'extra_float_digits',
        'bytea_output', 'statement_timeout', 'lock_timeout', 'search_path', 'row_security', 'application_name', 'default_transaction_isolation')`,
    );
    await other.close();
    expect(Object.fromEntries(settings.map((row) => [row.name, row.setting]))).toEqual({
      DateStyle: 'ISO, MDY',
      IntervalStyle: 'postgres',
      TimeZone: 'UTC',
      application_name: 'kaja read',
      bytea_output: 'hex',
      default_transaction_isolation: 'read committed',
      extra_float_digits: '1',
      lock_timeout: '700',
      row_security: 'off',
      search_path: 'pg_catalog',
      statement_timeout: '0',
    });
    await db.sql(`alter role "${user}" in database "${db.name}" reset all`);
  });

  it('keeps big numbers, dates, numerics and json exact', async () => {
    const row = await session.one(
      `select 9007199254740993::int8 as big, 7::int4 as small, true as yes, '\\x00ff'::bytea as bytes, 0.10::numeric as num,
              '2026-01-02 03:04:05.678901+00'::timestamptz as at, '{"b":1, "a":2}'::json as doc, 'infinity'::date as forever,
              array[9007199254740993, null]::int8[] as bigs, array['a,b', null, 'NULL', '"\\', '']::text[] as words,
              array['x']::name[] as names, '{}'::int4[] as none, null::int8 as nothing`,
    );
    expect(row).toEqual({
      big: 9007199254740993n,
      small: 7,
      yes: true,
      bytes: Buffer.from([0, 255]),
      num: '0.10',
      at: '2026-01-02 03:04:05.678901+00',
      doc: '{"b":1, "a":2}',
      forever: 'infinity',
      bigs: [9007199254740993n, null],
      words: ['a,b', null, 'NULL', '"\\', ''],
      names: ['x'],
      none: [],
      nothing: null,
    });
    // The driver's global parsers are untouched.
    expect((await db.sql('select 1::int8 as n'))[0].n).toBe('1');
  });

  it('gives the last result of several statements, one row or one value', async () => {
    expect(await session.query('select 1 as a; select 2 as a')).toEqual([{ a: 2 }]);
    expect(await session.value('select $1::int4 + 1', [41])).toBe(42);
    expect(await session.value('select 1 where false')).toBeUndefined();
    expect((await failureOf(session.one('select 1 where false'))).code).toBe('internal');
  });

  it('rolls back when the work fails and stays usable', async () => {
    await session.query('create table public.tx (id int4)');
    await expect(
      session.transaction(async (tx) => {
        await tx.query('insert into public.tx values (1)');
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    expect(session.inTransaction).toBe(false);
    expect(await session.value('select pg_catalog.count(*) from public.tx')).toBe(0n);
    await session.transaction((tx) => tx.query('insert into public.tx values (2)'));
    expect(await session.value('select pg_catalog.count(*) from public.tx')).toBe(1n);
  });

  it('reports a commit that the server turned into a rollback', async () => {
    const error = await failureOf(
      session.transaction(async (tx) => {
        await tx.query('select 1/0').catch(() => {});
      }),
    );
    expect(error.message).toContain('rolled back');
  });

  it('sets isolation and access mode', async () => {
    const seen = await session.transaction(
      (tx) =>
        tx.one(
          `select pg_catalog.current_setting('transaction_isolation') as iso, pg_catalog.current_setting('transaction_read_only') as ro`,
        ),
      { isolation: 'repeatable read', readOnly: true },
    );
    expect(seen).toEqual({ iso: 'repeatable read', ro: 'on' });
    expect((await failureOf(session.transaction((tx) => tx.transaction(async () => {})))).message).toContain(
      'nested',
    );
  });

  it('maps server errors without row values', async () => {
    await session.query('create table public.uniq (id int4 primary key)');
    await session.query('insert into public.uniq values (4711)');
    const error = await failureOf(session.query('insert into public.uniq values (4711)'));
    expect(error.code).toBe('sql-failed');
    expect(error.context).toMatchObject({ sqlstate: '23505', constraint: 'uniq_pkey', table: 'public.uniq' });
    expect(error.message).not.toContain('4711');
    expect(sqlstateOf(error)).toBe('23505');
    expect((await failureOf(session.query('select * from pgq.queue'))).code).toBe('not-installed');
    const own = await failureOf(
      session.query(
        `do $$ begin raise sqlstate 'PQ001' using message = 'no queue', detail = '{"queue":"q"}', hint = 'create it'; end $$`,
      ),
    );
    expect(own).toMatchObject({ code: 'PQ001', hint: 'create it', exitCode: 5 });
    expect(own.context.detail).toBe('{"queue":"q"}');
  });

  it('cancels a running statement from a second connection', async () => {
    const running = failureOf(session.query('select pg_catalog.pg_sleep(60)'));
    await eventually(
      () => db.sql('select state from pg_stat_activity where pid = $1', [session.facts.backendPid]),
      (rows) => rows[0]?.state === 'active',
    );
    expect(await session.cancel()).toBe(true);
    expect((await running).context.sqlstate).toBe('57014');
    expect(await session.value('select 1')).toBe(1);
  });

  it('stops on the abort signal, inside a transaction too', async () => {
    const stop = new AbortController();
    const mine = await openSession(db.url, { purpose: 'apply', signal: stop.signal });
    const running = failureOf(mine.transaction((tx) => tx.query('select pg_catalog.pg_sleep(60)')));
    await eventually(
      () => db.sql('select state from pg_stat_activity where pid = $1', [mine.facts.backendPid]),
      (rows) => rows[0]?.state === 'active',
    );
    stop.abort();
    expect((await running).code).toBe('aborted');
    expect((await failureOf(mine.query('select 1'))).code).toBe('aborted');
    await mine.close();
    await eventually(
      () => db.sql('select 1 from pg_stat_activity where pid = $1', [mine.facts.backendPid]),
      (rows) => rows.length === 0,
    );
  });

  it('knows a lost connection and says so once more', async () => {
    const mine = await openSession(db.url, { purpose: 'apply' });
    await db.sql('select pg_terminate_backend($1)', [mine.facts.backendPid]);
    await eventually(() => mine.closed);
    const error = await failureOf(mine.query('select 1'));
    expect(error).toMatchObject({ code: 'connection-lost', retry: 'timed' });
    await mine.close();
  });

  it('tells why it cannot connect, never the password', async () => {
    const missing = new URL(db.url);
    missing.pathname = '/no_such_database';
    missing.password = 's3cret';
    const noDatabase = await failureOf(openSession(missing.href, { purpose: 'admin' }));
    expect(noDatabase).toMatchObject({ code: 'database-missing', exitCode: 4 });
    expect(noDatabase.message).not.toContain('s3cret');
    const closed = await failureOf(
      openSession('host=127.0.0.1 port=1 dbname=x user=u password=s3cret', { purpose: 'admin' }),
    );
    expect(closed).toMatchObject({ code: 'connect-failed', retry: 'timed', exitCode: 4 });
    expect(closed.message).toMatch(/cannot connect to x at 127\.0\.0\.1:1 as u: connect ECONNREFUSED/);
    const role = new URL(db.url);
    role.username = 'no_such_role';
    expect(await failureOf(openSession(role.href, { purpose: 'admin' }))).toMatchObject({
      code: 'auth-failed',
      exitCode: 4,
    });
  });

  it('says which GRANT helps', async () => {
    const name = `Poor ${db.name}`;
    await db.sql(`create role "${name}" login; create schema closed; create table public.rich (id int)`);
    try {
      const location = new URL(db.url);
      location.username = encodeURIComponent(name);
      await using session = await openSession(location.href, { purpose: 'admin' });
      const hints: Record<string, string> = {
        'create schema mine': `grant create, temporary on database ${db.name} to "${name}"`,
        'create table closed.t ()': `grant usage, create on schema closed to "${name}"`,
        'select from public.rich': `grant … on rich to "${name}"`,
        'alter table public.rich add a int': `use the role that owns rich, or have that role granted to "${name}"`,
      };
      for (const [sql, hint] of Object.entries(hints)) {
        const failure = await failureOf(session.query(sql));
        expect(failure).toMatchObject({ code: 'permission-denied', exitCode: 5 });
        expect(failure.hint).toContain(hint);
      }
    } finally {
      await db.sql(`drop role "${name}"`);
    }
  });

  it('tries further servers when the first does not answer', async () => {
    const { hostname, port, username } = new URL(db.url);
    const second = await openSession(
      [
        { host: '127.0.0.1', port: 1 },
        { host: hostname, port: Number(port), user: username, database: db.name },
      ],
      {
        purpose: 'read',
      },
    );
    expect(second.facts.database).toBe(db.name);
    await second.close();
  });

  it('honours target_session_attrs', async () => {
    const error = await failureOf(openSession(`${db.url}?target_session_attrs=standby`, { purpose: 'read' }));
    expect(error.code).toBe('connect-failed');
    expect(error.message).toContain('standby');
    const any = await openSession(`${db.url}?target_session_attrs=prefer-standby`, { purpose: 'read' });
    await any.close();
  });

  it('stops connecting on abort, with a server that never answers', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const stop = new AbortController();
    const opening = failureOf(
      openSession([{ host: '127.0.0.1', port, user: 'u', database: 'd' }], {
        purpose: 'read',
        signal: stop.signal,
      }),
    );
    setImmediate(() => stop.abort());
    expect((await opening).code).toBe('aborted');
    silent.close();
  });
});
