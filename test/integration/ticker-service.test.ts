/** The ticker of several databases: failures that stay where they are, statistics, one round, stopping. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tickOnce } from '../../src/queue/tick-once.ts';
import { createTicker } from '../../src/queue/ticker-service.ts';
import { defaultTickerSettings, type TickerSettings } from '../../src/queue/ticker-settings.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { type LogLines, logLines } from '../support/log-lines.ts';
import { openProxy } from '../support/proxy.ts';

let made: TestDatabase[];
let logged: LogLines;
let stop: AbortController;
let running: Promise<void>;

beforeEach(() => {
  made = [];
  logged = logLines('debug');
  stop = new AbortController();
  running = Promise.resolve();
});
afterEach(async () => {
  stop.abort();
  await running.catch(() => {});
  await Promise.all(made.map((db) => db.drop()));
});

/** A database with a queue q and one event that no tick covers. */
async function withEvent(prefix: string): Promise<TestDatabase> {
  const db = await createDatabase({ prefix });
  made.push(db);
  await db.sql(`select pgq.create_queue('q')`);
  await db.sql(`select pgq.insert_event('q', 'type', 'x')`);
  return db;
}
const tickCount = async (db: TestDatabase): Promise<number> =>
  (await db.sql('select count(*)::int as n from pgq.tick'))[0].n;
const ticked = (db: TestDatabase): Promise<number> =>
  eventually(
    () => tickCount(db),
    (n) => n >= 2,
  );

function settingsFor(db: TestDatabase, changes: Partial<TickerSettings> = {}): TickerSettings {
  const base = new URL(db.url);
  base.pathname = '';
  return { ...defaultTickerSettings(''), baseConnstr: base.href, exceptionSleepMs: 200, ...changes };
}
function start(settings: TickerSettings): void {
  running = createTicker(settings, logged.log).run(stop.signal);
}

describe('createTicker', () => {
  it('serves the databases of the list; one that is missing or fails leaves the others alone', async () => {
    const good = await withEvent('good');
    const bad = await withEvent('bad');
    await bad.sql(
      `create or replace function kaja.poll_ticks(i_idle_period interval default null, out queue_name text, out tick_id bigint)
       returns setof record language plpgsql as $$ begin raise exception 'no ticks today'; end $$`,
    );
    start(settingsFor(good, { databaseList: ['missing_database', bad.name, good.name] }));
    await ticked(good);
    await eventually(() =>
      logged.lines.some((line) => line.includes('no ticks today') && line.includes('attempt 2')),
    );
    expect(logged.lines).toContainEqual(
      expect.stringMatching(/^(WARNING|ERROR) \[missing_database\] ticker: .*does not exist/),
    );
    expect(logged.lines).toContainEqual(expect.stringContaining(`INFO [${good.name}] pgq version ok`));
    await good.sql(`select pgq.insert_event('q', 'type', 'y')`);
    await eventually(
      () => tickCount(good),
      (n) => n >= 3,
    );
  });

  it('tells what was done each stats_period, and begins anew', async () => {
    const db = await withEvent('stats');
    start({ ...defaultTickerSettings(db.url), statsPeriodMs: 300 });
    const lines = (): string[] => logged.lines.filter((line) => line.startsWith('INFO {'));
    await eventually(() => lines().length >= 3);
    expect(lines()[0]).toMatch(/^INFO \{ticks: [12], maint: 1, retry: 0\}$/);
    expect(lines()[2]).toBe('INFO {ticks: 0, maint: 0, retry: 0}');
  });

  it('stops within 5 s when the server has fallen silent', async () => {
    const db = await withEvent('silent');
    const proxy = await openProxy(db.url);
    const url = new URL(proxy.url);
    url.pathname = `/${db.name}`;
    start(defaultTickerSettings(url.href));
    await ticked(db);
    proxy.freeze();
    await eventually(() => proxy.swallowed() > 0);
    const from = performance.now();
    stop.abort();
    await running;
    expect(performance.now() - from).toBeLessThan(5000);
    await proxy.close();
  });
});

describe('tickOnce', () => {
  it('ticks, retries and maintains every database once', async () => {
    const [a, b] = [await withEvent('once'), await withEvent('once')];
    const result = await tickOnce(
      settingsFor(a, { databaseList: [a.name, b.name] }),
      logged.log,
      stop.signal,
    );
    expect(result).toEqual({ databases: 2, ticks: 2, maint: 2, retry: 0, failures: [] });
    expect([await tickCount(a), await tickCount(b)]).toEqual([2, 2]);
  });

  it('does the others when one fails; a named one without PgQ is a failure', async () => {
    const good = await withEvent('once');
    const empty = await createDatabase({ install: false });
    made.push(empty);
    const list = ['missing_database', empty.name, good.name];
    const result = await tickOnce(settingsFor(good, { databaseList: list }), logged.log, stop.signal);
    expect(result).toMatchObject({ databases: 1, ticks: 1, maint: 1 });
    expect(result.failures.map((error) => (error as { code: string }).code).sort()).toEqual([
      'database-missing',
      'not-installed',
    ]);
    expect(logged.lines).toContainEqual(
      expect.stringContaining(`ERROR [${empty.name}] pgq is not installed; run kaja install`),
    );
  });

  it('counts a failed operation as failure', async () => {
    const db = await withEvent('once');
    await db.sql(
      `create or replace function pgq.maint_operations(out func_name text, out func_arg text) returns setof record language sql as
       $$ values ('public.absent', null::text) $$`,
    );
    const result = await tickOnce(defaultTickerSettings(db.url), logged.log, stop.signal);
    expect(result).toMatchObject({ databases: 1, ticks: 1, maint: 0 });
    expect(result.failures).toHaveLength(1);
  });
});
