/** `kaja ticker` as a process: background, signals, one round, what is wrong in an ini. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/runtime/pidfile.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { kaja, killLeftOvers, startKaja } from '../support/kaja-process.ts';

let db: TestDatabase;
let dir: string;
let ini: string;

beforeAll(async () => {
  db = await createDatabase({ prefix: 'tickcli' });
  await db.sql(`select pgq.create_queue('q')`);
});
afterAll(() => db.drop());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kaja-ticker-'));
  ini = join(dir, 'pgqd.ini');
});
afterEach(() => {
  killLeftOvers();
  const pid = existsSync(pidfile()) ? Number(readFileSync(pidfile(), 'utf8')) : 0;
  if (pid > 1 && isAlive(pid)) process.kill(pid, 'SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

const pidfile = (): string => join(dir, 'pgqd.pid');
const log = (): string =>
  existsSync(join(dir, 'pgqd.log')) ? readFileSync(join(dir, 'pgqd.log'), 'utf8') : '';
function writeIni(...lines: string[]): void {
  const base = new URL(db.url);
  base.pathname = '';
  writeFileSync(
    ini,
    [
      '[pgqd]',
      `base_connstr = ${base.href}`,
      `database_list = ${db.name}`,
      `pidfile = ${dir}/pgqd.pid`,
      `logfile = ${dir}/pgqd.log`,
      'syslog = 0',
      ...lines,
      '',
    ].join('\n'),
  );
}
const tickCount = async (): Promise<number> => (await db.sql('select count(*)::int as n from pgq.tick'))[0].n;
async function ticksAfterEvent(): Promise<void> {
  const before = await tickCount();
  await db.sql(`select pgq.insert_event('q', 'type', 'x')`);
  await eventually(tickCount, (n) => n > before);
}

describe('in the background', () => {
  it('-d starts it, -r gives it a changed ini, a wrong one changes nothing, -s ends it', async () => {
    writeIni();
    expect(await kaja('ticker', '-d', ini)).toEqual({ code: 0, out: '', err: '' });
    const pid = Number(readFileSync(pidfile(), 'utf8'));
    await ticksAfterEvent();

    writeIni('stats_period = 0.1');
    expect((await kaja('ticker', '-r', ini)).err).toBe(`SIGHUP sent to ${pid}\n`);
    await eventually(() => /INFO Config reloaded\n.*\{ticks: \d+, maint: \d+, retry: 0\}/s.test(log()));
    await ticksAfterEvent();

    writeIni('stats_period = never');
    process.kill(pid, 'SIGHUP');
    await eventually(() => log().includes('ERROR config not reloaded: '));
    await ticksAfterEvent();
    writeIni();
    expect((await kaja('ticker', '-s', ini)).err).toBe(`SIGINT sent to ${pid}\n`);
    await eventually(() => !isAlive(pid));
    expect(existsSync(pidfile())).toBe(false);
    expect(log()).toContain('INFO ticker stopped');
  });

  it('-k ends it too', async () => {
    writeIni();
    expect((await kaja(ini, 'ticker', '-d')).code).toBe(0);
    const pid = Number(readFileSync(pidfile(), 'utf8'));
    expect((await kaja(ini, 'ticker', '-k')).err).toBe(`SIGTERM sent to ${pid}\n`);
    await eventually(() => !isAlive(pid));
    expect(existsSync(pidfile())).toBe(false);
  });

  it('is refused without a logfile', async () => {
    writeFileSync(ini, `[pgqd]\npidfile = ${pidfile()}\n`);
    const { code, err } = await kaja('ticker', '-d', ini);
    expect(code).toBe(3);
    expect(err).toMatch(/^kaja: Daemon needs logfile; .*\n$/);
  });
});

describe('in the foreground', () => {
  it('goes on while the database cannot be reached, and SIGTERM ends it with 0', async () => {
    writeFileSync(ini, '[pgqd]\ndb = host=127.0.0.1 port=1 dbname=shop user=u password=hunter2\n');
    const child = startKaja(ini, 'ticker');
    await eventually(() => child.err().includes('(attempt 1, next in'));
    expect(child.err()).toMatch(/WARNING \[shop\] ticker: .*127\.0\.0\.1:1/);
    expect(child.err()).not.toContain('hunter2');
    child.signal('SIGTERM');
    const from = performance.now();
    expect((await child.ended()).code).toBe(0);
    expect(performance.now() - from).toBeLessThan(5000);
  });

  it('re-reads the ini on SIGHUP and serves another database', async () => {
    const other = await createDatabase({ prefix: 'tickcli' });
    try {
      await other.sql(`select pgq.create_queue('q')`);
      writeIni();
      const child = startKaja(ini, 'ticker');
      await eventually(() => child.err().includes(`[${db.name}] pgq version ok`));
      writeFileSync(ini, readFileSync(ini, 'utf8').replace(`= ${db.name}`, `= ${db.name}, ${other.name}`));
      child.signal('SIGHUP');
      await eventually(() => child.err().includes(`[${other.name}] pgq version ok`));
      await ticksAfterEvent();
      child.signal('SIGINT');
      expect((await child.ended()).code).toBe(0);
    } finally {
      await other.drop();
    }
  });
});

describe('--once', () => {
  it('ticks and maintains, says what it did, and ends with 0', async () => {
    writeIni();
    await db.sql(`select pgq.insert_event('q', 'type', 'x')`);
    const before = await tickCount();
    const { code, out } = await kaja('ticker', ini, '--once', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ databases: 1, ticks: 1, maint: 1, retry: 0, failures: 0 });
    expect(await tickCount()).toBe(before + 1);
  });

  it('ends with the code of the failure when a database fails', async () => {
    writeIni();
    const text = readFileSync(ini, 'utf8');
    writeFileSync(ini, text.replace(`= ${db.name}`, `= missing_database, ${db.name}`));
    const { code, err } = await kaja('ticker', ini, '--once');
    expect(code).toBe(4);
    expect(err).toMatch(/ERROR \[missing_database\] .*does not exist/);
    expect(err).toMatch(/INFO \{ticks: \d, maint: 1, retry: 0\}/);
  });

  it('ends with 4 when the list of databases cannot be read', async () => {
    writeFileSync(ini, '[pgqd]\nbase_connstr = host=127.0.0.1 port=1 user=u\n');
    const { code, err } = await kaja('ticker', ini, '--once');
    expect(code).toBe(4);
    expect(err).toMatch(/ERROR .*127\.0\.0\.1:1/);
  });
});

describe('a wrong ini', () => {
  const refused = async (body: string): Promise<string> => {
    writeFileSync(ini, `[pgqd]\n${body}\n`);
    const { code, err } = await kaja('ticker', ini);
    expect(code).toBe(3);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    return err;
  };

  it('is refused in one line', async () => {
    expect(await refused('ticker_perod = 1')).toMatch(
      /pgqd\.ini:2: unknown key .*did you mean ticker_period\?/,
    );
    expect(await refused('db = dbname=a\ndatabase_list = b')).toContain(
      'db beside base_connstr or database_list',
    );
    expect(await refused('ticker_min_period = 2')).toContain(
      'ticker_min_period is longer than ticker_max_period',
    );
    expect(await refused('ticker_schedule = * * *')).toContain('must be five cron fields');
    expect(await refused('ticker_schedule = * * * * *\njob_timezone = Mars/Olympus')).toContain(
      'job_timezone must be the name of a time zone, such as Europe/Tallinn, not "Mars/Olympus"',
    );
  });

  it('is a node’s ini', async () => {
    writeFileSync(ini, '[londiste]\ndb = dbname=a\nqueue_name = q\n');
    const { code, err } = await kaja('ticker', ini);
    expect(code).toBe(3);
    expect(err).toContain('has no section [pgqd]');
  });
});
