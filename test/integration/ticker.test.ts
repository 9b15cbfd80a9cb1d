/** The ticker of one database: ticks, idle periods, maintenance, retried events, failures. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatabaseTicker, type TickerStats } from '../../src/queue/database-ticker.ts';
import { defaultTickerSettings, type TickerSettings } from '../../src/queue/ticker-settings.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { type LogLines, logLines } from '../support/log-lines.ts';

let db: TestDatabase;
let logged: LogLines;
let stats: TickerStats;
let stop: AbortController;
let running: Promise<void>;

/** Start the ticker of `db`; stopped after the test. */
function start(changes: Partial<TickerSettings> = {}): void {
  const settings = { ...defaultTickerSettings(db.url), exceptionSleepMs: 200, ...changes };
  const database = { name: 'shop', location: settings.db, named: true };
  running = createDatabaseTicker(database, settings, logged.log, stats).run(stop.signal);
  running.catch(() => {});
}

const insert = (data = 'x'): Promise<unknown> => db.sql(`select pgq.insert_event('q', 'type', $1)`, [data]);
const ticks = async (): Promise<number> => (await db.sql('select count(*)::int as n from pgq.tick'))[0].n;
/** Text of events that a batch of consumer c holds; closes the batch. */
async function nextBatch(): Promise<string[] | undefined> {
  const [{ batch }] = await db.sql(`select pgq.next_batch('q', 'c')::text as batch`);
  if (batch === null) return undefined;
  const rows = await db.sql('select ev_data from pgq.get_batch_events($1)', [batch]);
  await db.sql('select pgq.finish_batch($1)', [batch]);
  return rows.map((row) => row.ev_data);
}
/** Events that arrive until `count` have, in order. */
async function receive(count: number): Promise<string[]> {
  const got: string[] = [];
  await eventually(
    async () => {
      got.push(...((await nextBatch()) ?? []));
      return got.length;
    },
    (length) => length >= count,
    { what: `${count} events` },
  );
  return got;
}

beforeEach(async () => {
  db = await createDatabase({ prefix: 'ticker' });
  logged = logLines('debug');
  stats = { ticks: 0, maint: 0, retry: 0 };
  stop = new AbortController();
  running = Promise.resolve();
  await db.sql(`select pgq.create_queue('q')`);
  await db.sql(`select pgq.register_consumer('q', 'c')`);
});
afterEach(async () => {
  stop.abort();
  await running.catch(() => {});
  await db.drop();
});

describe('ticks', () => {
  it('come within a fraction of a second of an event, also after a quiet time, and are counted', async () => {
    start();
    for (const data of ['a', 'b']) {
      await insert(data);
      const from = performance.now();
      expect(await receive(1)).toEqual([data]);
      expect(performance.now() - from).toBeLessThan(1000);
    }
    expect(stats.ticks).toBeGreaterThanOrEqual(2);
    expect(logged.lines).toContainEqual(expect.stringMatching(/^INFO pgq version ok: 3/));
  });

  it('are not made without events', async () => {
    start();
    await insert();
    await receive(1);
    const before = await ticks();
    await eventually(() => logged.lines.length > 0);
    await polls(30);
    expect(await ticks()).toBe(before);
  });

  it('cover an event that was written before a tick and committed after it', async () => {
    start();
    const writer = await db.connect();
    await writer.query('begin');
    await writer.query(`select pgq.insert_event('q', 'type', 'late')`);
    await insert('early');
    expect(await receive(1)).toEqual(['early']);
    await writer.query('commit');
    expect(await receive(1)).toEqual(['late']);
  });

  it('are looked for less often when it is quiet', async () => {
    await db.sql(`alter database "${db.name}" set track_functions = 'pl'`);
    start({ tickerMinPeriodMs: 5, tickerMaxPeriodMs: 250 });
    await insert();
    await receive(1);
    const quick = await pollRate();
    const slow = await eventually(pollRate, (rate) => rate < 8, { timeoutMs: 20_000, what: 'slow polls' });
    expect(quick).toBeGreaterThan(3 * slow);
  });

  it('come from pgq.ticker where kaja.poll_ticks is missing, as with the genuine extension', async () => {
    await db.sql('drop function kaja.poll_ticks');
    await db.sql(`select pgq.set_queue_config('q', 'ticker_max_lag', '0')`);
    start({ tickerPeriodMs: 30 });
    await insert('old');
    expect(await receive(1)).toEqual(['old']);
  });

  it('go on after the connection was cut', async () => {
    start();
    await insert('a');
    await receive(1);
    await db.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'kaja ticker' and datname = current_database()`,
    );
    await insert('b');
    expect(await receive(1)).toEqual(['b']);
    // The cut comes between two polls, or into one.
    expect(logged.lines.join('\n')).toMatch(/connection was lost, connecting anew|works again/);
  });

  it('come over a new connection when the old one has its age', async () => {
    start({ connectionLifetimeMs: 100 });
    const first = await eventually(tickerPid);
    await eventually(async () => {
      const now = await tickerPid();
      return now !== undefined && now !== first;
    });
    expect(logged.lines.filter((line) => line.startsWith('INFO pgq version ok'))).toHaveLength(1);
  });
});

async function tickerPid(): Promise<number | undefined> {
  const rows = await db.sql(
    `select pid from pg_stat_activity where application_name = 'kaja ticker' and datname = current_database()`,
  );
  return rows[0]?.pid;
}

/** Calls of kaja.poll_ticks so far, as the statistics collector knows them. */
async function pollCalls(): Promise<number> {
  const [row] = await db.sql(
    `select coalesce(sum(calls), 0)::int as calls from pg_stat_user_functions where funcname = 'poll_ticks'`,
  );
  return row.calls;
}

/** Calls per second, measured between two moments at which the statistics moved. */
async function pollRate(): Promise<number> {
  const moved = async (before: number): Promise<{ calls: number; at: number }> => {
    const calls = await eventually(pollCalls, (now) => now > before, { intervalMs: 5 });
    return { calls, at: performance.now() };
  };
  const first = await moved(await pollCalls());
  const second = await moved(first.calls);
  return ((second.calls - first.calls) * 1000) / (second.at - first.at);
}

/** Wait until the ticker has looked `count` times more; its session's last query start moves with each. */
async function polls(count: number): Promise<void> {
  let last = '';
  let seen = 0;
  await eventually(
    async () => {
      const [row] = await db.sql(
        `select query_start::text as at from pg_stat_activity where application_name = 'kaja ticker' and datname = current_database()`,
      );
      if (row && row.at !== last) seen++;
      last = row?.at ?? '';
      return seen;
    },
    (now) => now >= count,
    { intervalMs: 5, what: `${count} polls` },
  );
}

describe('a database that cannot be ticked', () => {
  it('is ignored until check_period and served when PgQ has come', async () => {
    await db.sql('alter schema pgq rename to pgq_hidden');
    start({ checkPeriodMs: 50, maintPeriodMs: 50 });
    await eventually(() => logged.lines.includes('INFO pgq is not installed, ignoring'));
    expect(stats.maint).toBe(0);
    await db.sql('alter schema pgq_hidden rename to pgq');
    await insert('a');
    expect(await receive(1)).toEqual(['a']);
    await eventually(() => stats.maint > 0);
    expect(logged.lines.filter((line) => line.includes('ignoring') && line.startsWith('INFO'))).toHaveLength(
      1,
    );
  });

  it('is ignored when its PgQ is too old', async () => {
    await db.sql(
      `create or replace function pgq.version() returns text language sql as $$ select '2.1.8'::text $$`,
    );
    start({ checkPeriodMs: 50 });
    await eventually(() => logged.lines.includes('INFO bad pgq version, ignoring'));
  });

  it('is tried again with growing pauses when it is not there', async () => {
    start({ db: `${db.url}_none` });
    const attempt = (n: number): boolean => logged.lines.some((line) => line.includes(`(attempt ${n},`));
    await eventually(() => attempt(2));
    expect(logged.lines.join('\n')).toMatch(/database ".*_none" does not exist/);
  });
});

describe('maintenance', () => {
  it('rotates tables', async () => {
    await db.sql(`select pgq.set_queue_config('q', 'rotation_period', '0')`);
    const current = async (): Promise<number> =>
      (await db.sql(`select queue_cur_table as n from pgq.queue`))[0].n;
    expect(await current()).toBe(0);
    start({ maintPeriodMs: 20 });
    // A tick taken while a transaction of any database of the server is older than the queue holds the rotation back
    // until a later tick, so one event may not be enough.
    await eventually(
      async () => {
        await insert('a');
        expect(await receive(1)).toEqual(['a']);
        return current();
      },
      (n) => n !== 0,
    );
    await insert('b');
    expect(await receive(1)).toEqual(['b']);
  });

  it('calls each operation until it answers 0, and runs vacuum without stopping there', async () => {
    await db.sql('create sequence public.calls');
    await db.sql(
      `create function public.chunk(queue text) returns int language sql as $$ select case when nextval('calls') < 4 then 1 else 0 end $$`,
    );
    await db.sql('create table public."Odd Name" (a int)');
    await db.sql(
      `create or replace function pgq.maint_operations(out func_name text, out func_arg text) returns setof record language sql as
       $$ values ('vacuum', 'public.Odd Name'), ('VACUUM ANALYZE', 'Odd Name'), ('chunk', 'q') $$`,
    );
    start();
    await eventually(() => stats.maint === 1);
    expect((await db.sql('select last_value::int as n from public.calls'))[0].n).toBe(4);
    expect(logged.lines.filter((line) => line.startsWith('ERROR'))).toEqual([]);
  });

  it('goes on after an operation that fails, and does not count the round', async () => {
    await db.sql('create table public.done (queue text)');
    await db.sql(
      `create function public.good(queue text) returns void language sql as $$ insert into done values (queue) $$`,
    );
    await db.sql(
      `create or replace function pgq.maint_operations(out func_name text, out func_arg text) returns setof record language sql as
       $$ values ('vacuum', 'public.none'), ('public.absent', null), ('public.good', 'q') $$`,
    );
    start();
    await eventually(async () => (await db.sql('select from public.done')).length > 0);
    expect(stats.maint).toBe(0);
    expect(logged.lines.filter((line) => line.startsWith('ERROR'))).toEqual([
      expect.stringMatching(/^ERROR vacuum\(public\.none\): .*does not exist/),
      expect.stringMatching(/^ERROR public\.absent\(\): .*does not exist/),
    ]);
  });

  it('does what it did before there was a list of operations', async () => {
    await db.sql(`select pgq.set_queue_config('q', 'rotation_period', '0')`);
    await db.sql('drop function pgq.maint_operations');
    start({ maintPeriodMs: 20 });
    // A transaction of another test's database can be older than the consumer's tick: only its next
    // tick lets tables rotate then.
    await eventually(async () => {
      await insert('a');
      await receive(1);
      return (await db.sql(`select queue_cur_table as n from pgq.queue`))[0].n > 0;
    });
  });

  it('puts retried events back', async () => {
    start({ retryPeriodMs: 30 });
    await insert('again');
    let batch: string | null = null;
    await eventually(async () => {
      batch = (await db.sql(`select pgq.next_batch('q', 'c')::text as b`))[0].b;
      return batch !== null && (await db.sql('select from pgq.get_batch_events($1)', [batch])).length > 0;
    });
    await db.sql('select pgq.event_retry($1, ev_id, 0) from pgq.get_batch_events($1)', [batch]);
    await db.sql('select pgq.finish_batch($1)', [batch]);
    expect(await receive(1)).toEqual(['again']);
    expect(stats.retry).toBe(1);
  });
});

describe('ticker_schedule', () => {
  it('ticks at its times only, seconds included', async () => {
    start({ tickerSchedule: '* * * * * *', maintPeriodMs: 50 });
    const before = await ticks();
    const from = Date.now();
    let written = 0;
    await eventually(
      async () => {
        await insert(`${written++}`);
        return ticks();
      },
      (now) => now >= before + 2,
    );
    const seconds = (Date.now() - from) / 1000;
    expect((await ticks()) - before).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
    const times: { second: string }[] = await db.sql(
      `select (extract(epoch from tick_time) % 1)::float8 as second from pgq.tick where tick_id > $1`,
      [before],
    );
    for (const { second } of times) expect(Number(second)).toBeLessThan(0.5);
    await eventually(() => stats.maint > 0);
    expect(stats.ticks).toBeGreaterThanOrEqual(2);
  });

  it('logs a failed tick and goes on, or ends when the ini says stop', async () => {
    await db.sql(
      `create or replace function kaja.poll_ticks(i_idle_period interval default null, out queue_name text, out tick_id bigint)
       returns setof record language plpgsql as $$ begin raise exception 'no ticks today'; end $$`,
    );
    start({ tickerSchedule: '* * * * * *', onFailure: 'stop' });
    await expect(running).rejects.toThrow('no ticks today');
    start({ tickerSchedule: '* * * * * *' });
    const failed = (): number => logged.lines.filter((line) => line.includes('no ticks today')).length;
    const already = failed();
    await eventually(() => failed() >= already + 2);
  });
});

describe('stopping', () => {
  it('cancels what takes long', async () => {
    await db.sql(
      `create function public.slow(queue text) returns int language sql as $$ select 0 from pg_sleep(60) $$`,
    );
    await db.sql(
      `create or replace function pgq.maint_operations(out func_name text, out func_arg text) returns setof record language sql as
       $$ values ('public.slow', 'q') $$`,
    );
    start();
    await eventually(
      async () =>
        (
          await db.sql(
            `select from pg_stat_activity where query like '%slow%' and state = 'active' and wait_event = 'PgSleep'`,
          )
        ).length === 1,
    );
    const from = performance.now();
    stop.abort();
    await running;
    expect(performance.now() - from).toBeLessThan(4000);
    await eventually(
      async () =>
        (
          await db.sql(
            `select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`,
          )
        ).length === 0,
    );
  });
});
