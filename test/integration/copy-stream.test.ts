/** COPY between servers: content, flat memory, failures on either side, stop. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { copyBetween, copyIn, copyOut } from '../../src/db/copy-stream.ts';
import { openSession, type Session } from '../../src/db/session.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

describe('copyBetween', () => {
  let source: TestDatabase;
  let target: TestDatabase;
  let from: Session;
  let to: Session;
  beforeAll(async () => {
    source = await createDatabase({ server: 0, install: false });
    target = await createDatabase({ server: -1, install: false });
    from = await openSession(source.url, { purpose: 'read' });
    to = await openSession(target.url, { purpose: 'apply' });
    await source.sql(
      `create table public.t (id int8, v text); insert into public.t select i, repeat(md5(i::text), 3) from generate_series(1, 50000) i`,
    );
  });
  beforeEach(() =>
    target.sql('drop table if exists public.t; create table public.t (id int8 primary key, v text)'),
  );
  afterAll(async () => {
    await from.close();
    await to.close();
    await source.drop();
    await target.drop();
  });
  const request = (): { from: Session; fromSql: string; to: Session; toSql: string } => ({
    from,
    fromSql: 'copy public.t to stdout',
    to,
    toSql: 'copy public.t from stdin',
  });
  /** Both sessions answer and no transaction is open. */
  const expectUsable = async (): Promise<void> => {
    expect([from.closed, to.closed]).toEqual([false, false]);
    expect(await from.value('select pg_catalog.count(*) from public.t')).toBe(50000n);
    expect(await to.value('select 1')).toBe(1);
  };

  it('moves every byte and counts', async () => {
    const seen: number[] = [];
    const result = await copyBetween({ ...request(), onBytes: (bytes) => seen.push(bytes) });
    expect(result.rows).toBe(50000);
    expect(seen.at(-1)).toBe(result.bytes);
    const sum = `select md5(string_agg(id || v, ',' order by id)) as sum from public.t`;
    expect((await target.sql(sum))[0].sum).toBe((await source.sql(sum))[0].sum);
    await expectUsable();
  });

  it('copies nothing from an empty table', async () => {
    expect(
      await copyBetween({ ...request(), fromSql: 'copy (select * from public.t where false) to stdout' }),
    ).toEqual({ rows: 0, bytes: 0 });
    await expectUsable();
  });

  it('works inside transactions of both sides', async () => {
    await from.transaction(
      () =>
        to.transaction(async () => {
          await copyBetween(request());
          expect(await to.value('select pg_catalog.count(*) from public.t')).toBe(50000n);
        }),
      { isolation: 'repeatable read', readOnly: true },
    );
    expect(await to.value('select pg_catalog.count(*) from public.t')).toBe(50000n);
  });

  it('names the target when a constraint fails in mid-stream, and when it fails at the end', async () => {
    await target.sql('insert into public.t values (10000)');
    await expect(copyBetween(request())).rejects.toMatchObject({
      context: { sqlstate: '23505', constraint: 't_pkey' },
    });
    await expectUsable();
    await target.sql('delete from public.t; alter table public.t add check (id < 50000)');
    await expect(copyBetween(request())).rejects.toMatchObject({ context: { sqlstate: '23514' } });
    expect(await to.value('select pg_catalog.count(*) from public.t')).toBe(0n);
    await target.sql(
      'truncate public.t; alter table public.t drop constraint t_id_check, drop constraint t_pkey, add unique (id) deferrable initially deferred; insert into public.t values (50000)',
    );
    await expect(copyBetween(request())).rejects.toMatchObject({ context: { sqlstate: '23505' } });
    await expectUsable();
  });

  it('names the target when its table is missing, the source when its is', async () => {
    await expect(
      copyBetween({ ...request(), toSql: 'copy public.nowhere from stdin' }),
    ).rejects.toMatchObject({
      context: { sqlstate: '42P01' },
      message: expect.stringContaining(to.location),
    });
    await expectUsable();
    await expect(
      copyBetween({ ...request(), fromSql: 'copy public.nowhere to stdout' }),
    ).rejects.toMatchObject({
      context: { sqlstate: '42P01' },
      message: expect.stringContaining(from.location),
    });
    await expectUsable();
  });

  it('names the source when it fails in mid-stream and leaves no rows', async () => {
    const fromSql = `copy (select id, v || (1 / (id - 40000))::text from public.t order by id) to stdout`;
    await expect(copyBetween({ ...request(), fromSql })).rejects.toMatchObject({
      context: { sqlstate: '22012' },
    });
    expect(await to.value('select pg_catalog.count(*) from public.t')).toBe(0n);
    await expectUsable();
  });

  it('stops on request in mid-stream, also when the source is silent', async () => {
    const stop = new AbortController();
    await expect(
      copyBetween({ ...request(), signal: stop.signal, onBytes: (bytes) => bytes > 500_000 && stop.abort() }),
    ).rejects.toMatchObject({ code: 'aborted' });
    expect(await to.value('select pg_catalog.count(*) from public.t')).toBe(0n);
    await expectUsable();
    await expect(
      copyBetween({
        ...request(),
        fromSql: `copy (select 1, pg_catalog.pg_sleep(60)::text) to stdout`,
        signal: AbortSignal.timeout(100),
      }),
    ).rejects.toMatchObject({ code: 'aborted' });
    await expectUsable();
  });

  it('stops when the target waits for a lock', async () => {
    const blocker = await target.connect();
    await blocker.query('begin; lock table public.t in access exclusive mode');
    const begun = Date.now();
    await expect(copyBetween({ ...request(), signal: AbortSignal.timeout(200) })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(Date.now() - begun).toBeLessThan(5000);
    await blocker.query('rollback');
    await expectUsable();
  });

  it('reports a lost connection of either side and keeps the other', async () => {
    const lost = await openSession(source.url, { purpose: 'read' });
    let killed = false;
    await expect(
      copyBetween({
        ...request(),
        from: lost,
        onBytes: () => {
          if (!killed) void source.sql('select pg_terminate_backend($1)', [lost.facts.backendPid]);
          killed = true;
        },
        fromSql: 'copy (select a.id * 1000000 + b.id, a.v from public.t a, public.t b) to stdout',
      }),
    ).rejects.toMatchObject({ code: 'connection-lost', retry: 'timed' });
    await eventually(() => lost.closed);
    await expectUsable();

    const gone = await openSession(target.url, { purpose: 'apply' });
    killed = false;
    await expect(
      copyBetween({
        ...request(),
        to: gone,
        onBytes: () => {
          if (!killed) void target.sql('select pg_terminate_backend($1)', [gone.facts.backendPid]);
          killed = true;
        },
        fromSql: 'copy (select a.id * 1000000 + b.id, a.v from public.t a, public.t b) to stdout',
      }),
    ).rejects.toMatchObject({ code: 'connection-lost' });
    await eventually(() => gone.closed);
    await expectUsable();
  });

  it('holds memory flat over 200 MB into a target slower than the source', async () => {
    const before = process.memoryUsage().rss;
    let peak = before;
    const fromSql = `copy (select i, repeat(md5(i::text), 30) from generate_series(1, 210000) i) to stdout`;
    await target.sql(
      'drop table public.t; create unlogged table public.t (id int8, v text check (length(sha512(repeat(v, 2)::bytea)) = 64))',
    );
    const result = await copyBetween({
      ...request(),
      fromSql,
      onBytes: () => {
        peak = Math.max(peak, process.memoryUsage().rss);
      },
    });
    expect(result.bytes).toBeGreaterThan(200_000_000);
    expect((peak - before) / 1e6).toBeLessThan(80);
  });

  it('hands out and takes in small text', async () => {
    const parts: Buffer[] = [];
    await copyOut(from, 'copy (select id from public.t order by id limit 3) to stdout', (chunk) => {
      parts.push(chunk);
    });
    expect(Buffer.concat(parts).toString()).toBe('1\n2\n3\n');
    expect(await copyIn(to, 'copy public.t from stdin', ['1\ta\n2', '\tb\n'])).toBe(2);
    await expect(
      copyOut(from, 'copy public.t to stdout', () => {
        throw new Error('enough');
      }),
    ).rejects.toThrow('enough');
    await expectUsable();
  });
});
