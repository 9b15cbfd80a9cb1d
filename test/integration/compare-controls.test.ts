/** compare under control: pace, lock, resume, report, history. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ComparePair, comparePair } from '../support/compare-fixture.ts';
import { eventually } from '../support/eventually.ts';

let db: ComparePair;

beforeAll(async () => {
  db = await comparePair();
  const { root, leaf, pair } = db;
  for (const name of ['one', 'two', 'three']) {
    await root.sql(`create table ${name} (id int primary key, t text);
      insert into ${name} select g, 'row <b>' || g from generate_series(1, 100) g`);
    await leaf.sql(`create table ${name} (id int primary key, t text)`);
    await pair.addTable(name);
  }
  await pair.settled();
  await db.tamper(`update two set t = null where id = 5`);
});
afterAll(async () => {
  await db?.drop();
});

const main = join(import.meta.dirname, '../../src/main.ts');

describe('results', () => {
  it('are stored and shown by compare-history', async () => {
    const { code, out } = await db.kaja('compare', '--json');
    expect(code).toBe(1);
    const { run_id: runId } = JSON.parse(out);
    const runs = JSON.parse((await db.kaja('compare-history', '--json', '--last', '1')).out);
    expect(runs).toMatchObject([
      {
        run_id: runId,
        kind: 'compare',
        source_node: 'root',
        result: 'different',
        tables: 3,
        different_tables: 1,
        exact: true,
      },
    ]);
    expect(runs[0].stood_ms).toBeGreaterThanOrEqual(0);
    const run = JSON.parse((await db.kaja('compare-history', '--json', String(runId))).out);
    expect(run.tables).toMatchObject([
      { table_name: 'public.one', result: 'equal', source_rows: 100, dest_rows: 100, missing: null },
      { table_name: 'public.three', result: 'equal' },
      { table_name: 'public.two', result: 'different', missing: 0, extra: 0, different: 1 },
    ]);
    const text = await db.kaja('compare-history', String(runId));
    expect(text.out).toMatch(/public\.two +different +100 +100 +0 +0 +1/);
    expect(await db.kaja('compare-history', '99999')).toMatchObject({ code: 5 });
    expect((await db.kaja('compare-history', 'x')).err).toContain(`'x' is not the number of a run`);
  });

  it('go to one HTML page that only its owner can read', async () => {
    const file = join(db.dir, 'report.html');
    const { code } = await db.kaja('compare', 'two', 'one', '--report', file);
    expect(code).toBe(1);
    const page = readFileSync(file, 'utf8');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(page).toContain('<code>row &#60;b&#62;5</code>');
    expect(page).toContain('<span class="null">NULL</span>');
    expect(page).not.toMatch(/<script|<link|src=|href=|row <b>/);
    const wrong = await db.kaja('compare', 'one', '--report', join(db.dir, 'no', 'such.html'));
    expect(wrong.code).toBe(5);
    expect(wrong.err).toContain('cannot write');
  });

  it('name what could not be compared, and exit with 2 unless something differs', async () => {
    const { code, out } = await db.kaja('compare', 'one', 'nowhere', '--json');
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      result: 'not comparable',
      not_comparable: [{ table_name: 'public.nowhere', reason: 'Table not subscribed: public.nowhere' }],
    });
    expect((await db.kaja('compare', 'two', 'nowhere')).code).toBe(1);
  });
});

describe('--resume', () => {
  it('goes on where a killed run stopped', async () => {
    const child = spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), main, db.ini, 'compare', 'one', 'two', 'three'],
      { env: { ...process.env, KAJA_FAILPOINT: 'table-compared:2' }, stdio: 'ignore' },
    );
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    await db.leaf.sql('delete from kaja.hold');
    const [killed] = await db.leaf.sql(
      'select run_id, finished_at from kaja.compare_run order by run_id desc limit 1',
    );
    expect(killed.finished_at).toBeNull();
    // Another question is another run.
    const other = JSON.parse((await db.kaja('compare', 'three', '--resume', '--json')).out);
    expect(other.run_id).not.toBe(Number(killed.run_id));
    const { code, out, err } = await db.kaja('compare', 'one', 'two', 'three', '--resume', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ run_id: Number(killed.run_id), result: 'different' });
    expect(JSON.parse(out).tables).toHaveLength(3);
    expect(err.match(/Counting/g)).toHaveLength(1);
    expect(err).toContain('public.two: compared before this run was stopped');
    // A finished run is not gone on with.
    expect((await db.kaja('compare', 'one', 'two', 'three', '--resume')).err.match(/Counting/g)).toHaveLength(
      3,
    );
  }, 180_000);
});

describe('--resume in the middle of a table', () => {
  it('goes on behind the ranges that were equal, and says so', async () => {
    const { root, leaf, pair } = db;
    for (const one of [root, leaf]) await one.sql('create table big (id int primary key, n int)');
    await root.sql('insert into big select g, g from generate_series(1, 300000) g; analyze big');
    await pair.addTable('big');
    await pair.settled();
    await leaf.sql('analyze big');
    // The table that differs in its last range.
    await db.tamper('update big set n = 0 where id = 299999');
    const child = spawn(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), main, db.ini, 'compare', 'big', '--resume', '--jobs', '1'],
      { env: { ...process.env, KAJA_FAILPOINT: 'range-compared:3' }, stdio: 'ignore' },
    );
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    await leaf.sql('delete from kaja.hold');
    const [stored] = await leaf.sql(
      `select min(lo) as lo, max(hi) as hi, sum(rows)::int as rows, sum(checksum)::text as sum, max(tick_id)::int as tick from kaja.compare_range`,
    );
    expect(stored).toMatchObject({ lo: '1', rows: Number(stored.hi) });
    expect(stored.rows).toBeGreaterThan(40_000);
    expect(stored.rows).toBeLessThan(200_000);
    // What comes afterwards in a range that was equal is not looked at: the output says at which tick it was.
    await db.tamper('update big set n = 0 where id = 2');
    const { code, out, err } = await db.kaja('compare', 'big', '--resume', '--json');
    expect(code).toBe(1);
    expect(err).toContain(
      `public.big: ${stored.rows} rows were equal at tick ${stored.tick}, before this run was stopped`,
    );
    expect(JSON.parse(out).tables).toMatchObject([
      {
        source_rows: 300_000,
        dest_rows: 300_000,
        different: 1,
        rows: [{ row: { id: '299999' } }],
        equal_before: { rows: stored.rows, tick: stored.tick },
      },
    ]);
    expect(await leaf.sql('select from kaja.compare_range')).toEqual([]);
    // The whole table again, with the checksum that both parts give together.
    await db.tamper('update big set n = id where id in (2, 299999)');
    const whole = JSON.parse((await db.kaja('compare', 'big', '--json')).out).tables[0];
    expect(whole).toMatchObject({ equal: true, source: JSON.parse(out).tables[0].source });
    expect(whole.equal_before).toBeUndefined();
  });
});

describe('pace', () => {
  it('is limited by pause, other sessions and a statement timeout', async () => {
    const { root } = db;
    expect(
      await db.kaja('compare', 'one', '--pause', '0.05', '--max-load', '50', '--jobs', '1'),
    ).toMatchObject({
      code: 0,
    });
    const busy = await root.connect();
    await busy.query(`set application_name = 'busy'`);
    const sleeping = busy.query('select pg_sleep(2)');
    const started = Date.now();
    const held = await db.kaja('compare', 'one', '--max-load', '0', '-v');
    await sleeping;
    expect(held.code).toBe(0);
    expect(Date.now() - started).toBeGreaterThan(1000);
    const slow = await db.kaja(
      'compare',
      'one',
      '--statement-timeout',
      '0.3',
      '--set',
      'compare_sql=select pg_sleep(3)',
    );
    expect(slow.code).not.toBe(0);
    expect(slow.err).toMatch(/statement timeout/);
    for (const words of [
      ['--jobs', '0'],
      ['--pause', 'x'],
      ['--max-load', '-1'],
    ])
      expect((await db.kaja('compare', ...words)).code).toBe(2);
  });
});

describe('the moment', () => {
  it('comes by a lock where it is asked for, and shows the rows before it', async () => {
    const { root } = db;
    const writer = await root.connect();
    let writing = true;
    const load = (async () => {
      while (writing) await writer.query(`update one set t = md5(t) where id = 1`);
    })();
    const { code, err } = await db.kaja('compare', 'one', 'three', '--lock').finally(() => {
      writing = false;
    });
    await load;
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toMatch(/Locking public\.one$/m);
    expect(err).not.toContain('worker stood');
    expect(
      (
        await root.sql(
          `select count(*)::int as n from pg_locks where mode = 'ShareLock' and relation = 'one'::regclass`,
        )
      )[0].n,
    ).toBe(0);
  });

  it('gives up with a line when a writer keeps the lock from it', async () => {
    const writer = await db.root.connect();
    await writer.query('begin; update one set t = t where id = 2');
    const { code, err } = await db.kaja('compare', 'one', '--lock', '--set', 'lock_timeout=0.3');
    await writer.query('rollback');
    expect(code).not.toBe(0);
    expect(err).toMatch(/lock timeout/);
  });

  it('is refused at once when no worker runs; --wait waits for it', async () => {
    const { pair } = db;
    await pair.stopWorker();
    const started = Date.now();
    const { code, err } = await db.kaja('compare', 'one');
    expect(code).toBe(2);
    expect(err).toContain('worker leaf is not running; start it');
    expect(Date.now() - started).toBeLessThan(8000);
    const waiting = db.kaja('compare', '--wait', 'one');
    await eventually(async () => (await db.leaf.sql('select from kaja.hold')).length === 1);
    pair.startWorker();
    expect(await waiting).toMatchObject({ code: 0 });
  });

  it('is not with a node that nobody knows', async () => {
    const { code, err } = await db.kaja('compare', 'one', '--source', 'other');
    expect(code).toBe(2);
    expect(err).toContain('there is no node other in this set; --source takes a name');
    expect((await db.kaja('compare', 'one', '--source', 'root')).code).toBe(0);
  });
});
