/**
 * The originals beside kaja, where Debian's packages are installed (elsewhere these tests are skipped and say what they need):
 * pgqd drives a database of ours, kaja ticker one of theirs, Python programs produce and consume.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { killLeftOvers, startKaja } from '../support/kaja-process.ts';

const run = promisify(execFile);
/* Other people's daemons sleep between their rounds. */
const SLOW = { timeoutMs: 60_000 };
const PYTHON = '/usr/bin/python3';
const works = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0;
const hasPgqd = works('pgqd', '-V');
const DEBIAN_BIN = '/usr/lib/postgresql/15/bin';
const hasExtension =
  existsSync(join(DEBIAN_BIN, 'postgres')) && existsSync('/usr/share/postgresql/15/extension/pgq.control');
const hasPython = works(PYTHON, '-c', 'import pgq, psycopg2');

const PROGRAM = `
import sys, skytools, pgq
kind, ini = sys.argv[1:3]

def note(curs, ev):
    curs.execute("insert into public.got values (%s, %s, %s, %s)", [kind, ev.ev_type, ev.ev_data, ev.ev_extra1])

class Plain(pgq.Consumer):
    def process_event(self, db, ev):
        if ev.ev_data == 'later' and not ev.retry:
            ev.tag_retry(0)
            return
        note(db.cursor(), ev)
        ev.tag_done()

class Coop(pgq.CoopConsumer):
    def process_event(self, db, ev):
        note(db.cursor(), ev)
        ev.tag_done()

class Remote(pgq.RemoteConsumer):
    def process_remote_batch(self, db, batch_id, evs, dst_db):
        for ev in evs:
            note(dst_db.cursor(), ev)
            ev.tag_done()

class Serial(pgq.SerialConsumer):
    def process_remote_batch(self, db, batch_id, evs, dst_db):
        for ev in evs:
            note(dst_db.cursor(), ev)
            ev.tag_done()

if kind == 'produce':
    db = skytools.connect_database(ini)
    curs = db.cursor()
    print(pgq.insert_event(curs, 'q', 'single', 'one', 'x'))
    rows = [('2020-01-01', 'bulk', 'later'), ('2020-01-01', 'bulk', 't\\tab\\\\')]
    pgq.bulk_insert_events(curs, rows, ['time', 'type', 'data'], 'q')
    db.commit()
elif kind in ('remote', 'serial'):
    {'remote': Remote, 'serial': Serial}[kind]('job', 'db', 'dst', sys.argv[2:]).start()
else:
    {'plain': Plain, 'coop': Coop}[kind]('job', 'db', sys.argv[2:]).start()
`;

let dir: string;
const children: ChildProcess[] = [];
const databases: TestDatabase[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kaja-interop-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  for (const db of databases.splice(0)) await db.drop();
  rmSync(dir, { recursive: true, force: true });
});

/** libpq's words for a database; psycopg and pgqd append to them. */
function connstr(url: string, withDatabase = true): string {
  const { hostname, port, username, pathname } = new URL(url);
  return `host=${hostname} port=${port} user=${username || 'postgres'}${withDatabase ? ` dbname=${pathname.slice(1)}` : ''}`;
}
const write = (name: string, ...lines: string[]): string => {
  const path = join(dir, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
};
const tickerIni = (url: string): string =>
  write(
    'pgqd.ini',
    '[pgqd]',
    `base_connstr = ${connstr(url, false)}`,
    `database_list = ${new URL(url).pathname.slice(1)}`,
    `logfile = ${dir}/pgqd.log`,
    `pidfile = ${dir}/pgqd.pid`,
    'syslog = 0',
    'ticker_period = 0.2',
    'retry_period = 0.5',
    'maint_period = 0.5',
  );

/** Expect ticks, retried events and rotation in a queue `q` with consumer `c`, which somebody else drives. */
async function expectDriven(sql: (text: string) => Promise<Record<string, unknown>[]>): Promise<void> {
  await sql(`select pgq.create_queue('q')`);
  await sql(
    `update pgq.queue set queue_ticker_max_lag = '0.1 s', queue_ticker_idle_period = '0.3 s', queue_rotation_period = '0.5 s'`,
  );
  await sql(`select pgq.register_consumer('q', 'c')`);
  await sql(`select pgq.insert_event('q', 't', 'first')`);
  const seen: string[] = [];
  const consume = async (): Promise<string[]> => {
    const [row] = await sql(`select pgq.next_batch('q', 'c') as id`);
    if (row?.id) {
      const events = await sql(
        `select ev_id, ev_data || coalesce(ev_retry::text, '') as data from pgq.get_batch_events(${row.id})`,
      );
      for (const event of events) {
        seen.push(String(event.data));
        if (event.data === 'first') await sql(`select pgq.event_retry(${row.id}, ${event.ev_id}, 0)`);
      }
      await sql(`select pgq.finish_batch(${row.id})`);
    }
    return seen;
  };
  await eventually(consume, (got) => got.includes('first1'), SLOW);
  const table = async () =>
    (await consume()) && (await sql('select queue_cur_table as n from pgq.queue'))[0]?.n;
  for (const next of [1, 2, 0]) await eventually(table, (n) => n === next, SLOW);
  expect(seen).toEqual(['first', 'first1']);
}

describe.skipIf(!hasPgqd).each([
  ['oldest', 0],
  ['newest', -1],
])("Debian's pgqd (skipped where it is not installed), %s server", (_label, server) => {
  it('ticks, retries and rotates a database of ours', async () => {
    const db = await createDatabase({ server, prefix: 'pgqd' });
    databases.push(db);
    children.push(spawn('pgqd', ['-v', tickerIni(db.url)], { stdio: 'ignore' }));
    await expectDriven((text) => db.sql(text));
    const log = readFileSync(join(dir, 'pgqd.log'), 'utf8');
    expect(log).toContain('pgq version ok: 3.5');
    expect(log).not.toMatch(/ (?:ERROR|WARNING|FATAL) /);
    for (const [flag, signal] of [
      ['-r', 'SIGHUP'],
      ['-s', 'SIGINT'],
    ] as const) {
      await run('pgqd', [flag, join(dir, 'pgqd.ini')]);
      await eventually(
        async () => readFileSync(join(dir, 'pgqd.log'), 'utf8'),
        (text) => text.includes(signal),
      );
    }
  });
});

describe.skipIf(!hasExtension)("Debian's extension pgq (skipped where it is not installed)", () => {
  it('is driven by kaja ticker', async () => {
    const cluster = await startCluster(15, {}, DEBIAN_BIN);
    const client = new pg.Client({ connectionString: cluster.url('postgres') });
    try {
      await client.connect();
      await client.query('create extension pgq');
      const ticker = startKaja('ticker', tickerIni(cluster.url('postgres')));
      await expectDriven(async (text) => (await client.query(text)).rows);
      const log = readFileSync(join(dir, 'pgqd.log'), 'utf8');
      expect(log).toContain('pgq version ok: 3.5');
      expect(log).not.toMatch(/ (?:ERROR|WARNING|FATAL) /);
      ticker.signal('SIGTERM');
      expect((await ticker.ended()).code).toBe(0);
    } finally {
      killLeftOvers();
      await client.end();
      await cluster.destroy();
    }
  });
});

describe.skipIf(!hasPython)('programs with Debian’s python3-pgq (skipped where it is not installed)', () => {
  it.each(['plain', 'coop', 'remote', 'serial'])('produce and consume: %s consumer', async (kind) => {
    const db = await createDatabase({ server: -1, prefix: 'py' });
    databases.push(db);
    await db.sql(`create table public.got (kind text, type text, data text, extra1 text)`);
    await db.sql(`select pgq.create_queue('q')`);
    await db.sql(`update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0'`);
    const program = write('program.py', PROGRAM);
    const ini = write(
      'job.ini',
      '[job]',
      'job_name = job',
      `db = ${connstr(db.url)}`,
      `dst = ${connstr(db.url)}`,
      'queue_name = q',
      'consumer_name = c',
      'subconsumer_name = s1',
      'loop_delay = 0.1',
      `pidfile = ${dir}/job.pid`,
    );
    await run(PYTHON, [program, kind, ini, '--register']);
    expect((await run(PYTHON, [program, 'produce', connstr(db.url)])).stdout.trim()).toBe('1');
    const consumer = spawn(PYTHON, [program, kind, ini], { stdio: 'ignore' });
    children.push(consumer);
    const got = async () => {
      await db.sql('select pgq.maint_retry_events()');
      await db.sql('select pgq.ticker()');
      return db.sql('select type, data, extra1 from public.got order by 1, 2');
    };
    expect(await eventually(got, (rows) => rows.length >= 3, SLOW)).toEqual([
      { type: 'bulk', data: 'later', extra1: null },
      { type: 'bulk', data: 't\tab\\', extra1: null },
      { type: 'single', data: 'one', extra1: 'x' },
    ]);
    if (kind === 'serial')
      expect(await db.sql(`select pgq_ext.get_last_tick('c') > 1 as ok`)).toEqual([{ ok: true }]);
    if (kind === 'remote')
      expect(await db.sql('select consumer_id from pgq_ext.completed_batch')).toEqual([{ consumer_id: 'c' }]);
    consumer.kill('SIGINT');
    await once(consumer, 'exit');
  });
});
