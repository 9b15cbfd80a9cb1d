/** Jobs: comparisons by a schedule, with real processes and a real clock. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/runtime/pidfile.ts';
import { eventually } from '../support/eventually.ts';
import { type KajaProcess, killLeftOvers, startKaja } from '../support/kaja-process.ts';
import { type CommandResult, createPair, type NodePair } from '../support/node-pair.ts';

let pair: NodePair;
let ini: string;
let factsFile: string;
const EVERY_SECOND = 'compare_schedule = * * * * * *';

beforeAll(async () => {
  pair = await createPair();
  ini = pair.leafIni;
  factsFile = join(ini, '../facts');
  for (const db of [pair.root, pair.leaf])
    await db.sql(
      'create table public.a (id int primary key, v text); create table public.b (id int primary key)',
    );
  await pair.root.sql("insert into a select g, 'row ' || g from generate_series(1, 100) g");
  expect(await pair.onRoot('add-table', 'public.a', 'public.b')).toMatchObject({ code: 0 });
  expect(await pair.onLeaf('add-table', 'public.a', 'public.b')).toMatchObject({ code: 0 });
  pair.startWorker();
  await pair.sync();
  await pair.stopWorker();
});
afterAll(() => pair?.drop());
afterEach(async () => {
  killLeftOvers();
  await eventually(async () => (await lockHolders()) === 0, Boolean, { what: 'no run is left' });
  await pair.leaf.sql('delete from kaja.job_run; delete from kaja.job; delete from kaja.compare_run');
});

const lockHolders = async (): Promise<number> =>
  (
    await pair.leaf.sql(
      "select 1 from pg_stat_activity where application_name ~ 'job compare' and datname = current_database()",
    )
  ).length;

/** The leaf's ini with further lines. */
function configure(...lines: string[]): void {
  const own = ['db', 'queue_name', 'job_name'].map(
    (key) => new RegExp(`^${key} = .*$`, 'm').exec(readFileSync(ini, 'utf8'))?.[0] ?? '',
  );
  writeFileSync(
    ini,
    ['[londiste]', ...own, 'loop_delay = 0.05', 'lock_timeout = 60', ...lines, ''].join('\n'),
  );
}

const start = (): KajaProcess => startKaja('run', pair.rootIni, ini);
const tamper = (sql: string): Promise<unknown> =>
  pair.leaf.sql(`set session_replication_role = replica; ${sql}; reset session_replication_role`);

interface JobRow {
  result: string;
  due_at: string | null;
  attempts: number;
  skipped: number;
  started_by: string;
  reason: string | null;
  different_rows: string | null;
  repaired_rows: string | null;
  compare_run_id: string | null;
}
/** All runs, oldest first. */
const runs = (): Promise<JobRow[]> =>
  pair.leaf.sql('select * from kaja.job_run order by job_run_id') as Promise<JobRow[]>;
const ended = (result: string): Promise<JobRow> =>
  eventually(
    async () => (await runs()).find((one) => one.result === result) as JobRow,
    (row) => row !== undefined,
    { what: `a run that ended ${result}` },
  );

/** With this query a run waits while `blockRuns` is in effect. */
const WAITS =
  'compare_sql = select count(1) as cnt, 0 as chksum, (select pg_advisory_xact_lock_shared(77))::text from _TABLE_';
/** Runs wait until this session is closed. */
async function blockRuns(): Promise<pg.Client> {
  const client = await pair.root.connect();
  await client.query('select pg_advisory_lock(77)');
  return client;
}
const blocked = (): Promise<unknown> =>
  eventually(
    async () =>
      (
        await pair.root.sql(
          "select 1 from pg_locks where not granted and locktype = 'advisory' and objid = 77",
        )
      ).length > 0,
    Boolean,
    { what: 'a run that waits' },
  );
const listed = async (): Promise<CommandResult & { job: Record<string, unknown> }> => {
  const result = await pair.onLeaf('jobs', '--json');
  return { ...result, job: JSON.parse(result.out)[0] };
};

describe('compare_schedule', () => {
  it('compares, tells the user’s command of differences, and repairs after a reload', async () => {
    configure(
      EVERY_SECOND,
      `job_on_failure = env | grep ^KAJA_JOB | sort > ${factsFile}.new && mv ${factsFile}.new ${factsFile}`,
    );
    const worker = start();
    const equal = await ended('equal');
    expect(equal).toMatchObject({ started_by: 'schedule', reason: null, attempts: 1, different_rows: '0' });
    expect(existsSync(factsFile)).toBe(false);
    expect(worker.err()).toMatch(/INFO \[leaf_job\] job compare is scheduled: \* \* \* \* \* \*, /);
    // The run is recorded before it is logged.
    const startAndEnd =
      /INFO \[leaf_job\] job compare started by schedule\n.*INFO \[leaf_job\] job compare ended: 2 tables equal, /s;
    await eventually(() => startAndEnd.test(worker.err()));
    expect((await pair.onLeaf('compare-history', String(equal.compare_run_id), '--json')).out).toContain(
      '"started_by": "schedule"',
    );

    await tamper("update a set v = 'x' where id <= 2; insert into a values (101, 'extra')");
    expect(await ended('different')).toMatchObject({ different_rows: '3', repaired_rows: '0' });
    const facts = await eventually(() => readFileSync(factsFile, 'utf8'));
    expect(facts).toContain('KAJA_JOB=compare\n');
    expect(facts).toContain(`KAJA_JOB_CONFIG=${ini}\n`);
    expect(facts).toContain('KAJA_JOB_DIFFERENT_ROWS=3\nKAJA_JOB_NODE=leaf\nKAJA_JOB_QUEUE=pair_q\n');
    expect(facts).toContain('KAJA_JOB_RESULT=different\n');
    expect(facts).toContain('KAJA_JOB_SOURCE=root\nKAJA_JOB_STARTED_AT=');
    expect(facts).toContain('KAJA_JOB_TABLES=public.a\n');

    configure(EVERY_SECOND, 'compare_auto_repair = 1', 'compare_delete_extra = 1');
    worker.signal('SIGHUP');
    expect(await ended('repaired')).toMatchObject({ different_rows: '3', repaired_rows: '3' });
    worker.signal('SIGTERM');
    expect((await worker.ended()).code).toBe(0);
  }, 120_000);

  it('runs one at a time, refuses others meanwhile, and ends with its worker', async () => {
    configure(EVERY_SECOND, WAITS, 'job_missed = skip');
    const lock = await blockRuns();
    const worker = start();
    await blocked();
    expect((await listed()).job.last_run).toMatchObject({ result: 'running' });
    expect(await pair.onLeaf('compare', 'public.b')).toMatchObject({ code: 7 });
    const other = await pair.onLeaf('run-job', 'compare');
    expect(other.code).toBe(7);
    expect(other.err).toMatch(
      /^.* WARNING job compare is skipped: another comparison or repair of this node is running: kaja leaf_job job compare, since .*; wait until it has ended\n$/,
    );
    await eventually(
      async () => (await runs())[0]?.skipped ?? 0,
      (skipped) => skipped > 1,
    );
    expect(await runs()).toHaveLength(1);
    expect(worker.err()).toMatch(
      /WARNING \[leaf_job\] job compare of .* is skipped: the run before is still going on/,
    );
    const from = performance.now();
    worker.signal('SIGINT');
    const { code, err } = await worker.ended();
    expect(code).toBe(0);
    expect(performance.now() - from).toBeLessThan(5000);
    expect(err).toContain('WARNING [leaf_job] job compare ended: interrupted');
    expect((await runs()).at(-1)).toMatchObject({ result: 'interrupted', reason: 'stopped on request' });
    expect((await listed()).job.last_run).toMatchObject({ result: 'interrupted' });
    expect((await pair.onLeaf('jobs')).err).toContain(
      'worker leaf_job is not running: nothing starts the jobs',
    );
    await lock.end();
  });

  it('a killed worker takes its run along; the next one does it again', async () => {
    configure('compare_schedule = */30 * * * *', WAITS);
    // As if the worker had been there before the last time of the schedule.
    await pair.leaf.sql(
      "insert into kaja.job values ('pair_q', 'compare', '*/30 * * * *', '', now() - interval '1 hour')",
    );
    const lock = await blockRuns();
    const first = start();
    await blocked();
    expect(first.err()).toMatch(
      /WARNING \[leaf_job\] job compare of .*:[03]0:00 was missed or cut short, it runs now/,
    );
    first.signal('SIGKILL');
    await first.ended();
    await ended('interrupted');
    const second = start();
    await lock.end();
    expect(await ended('equal')).toMatchObject({ attempts: 2 });
    expect(await runs()).toHaveLength(1);
    second.signal('SIGTERM');
    await second.ended();
  });

  it('notices a run whose process was killed', async () => {
    configure(
      EVERY_SECOND,
      WAITS,
      `job_on_failure = echo $KAJA_JOB_RESULT $KAJA_JOB_REASON > ${factsFile}2; sleep 300`,
    );
    const lock = await blockRuns();
    const worker = start();
    await blocked();
    const [child] = await pair.leaf.sql(
      "select pid from pg_stat_activity where application_name = 'kaja leaf_job job compare' limit 1",
    );
    expect(child.pid).toBeGreaterThan(0);
    const pid = Number(
      readFileSync(`/proc/${worker.pid}/task/${worker.pid}/children`, 'utf8').trim().split(' ').at(-1),
    );
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
    expect(await ended('failed')).toMatchObject({ reason: 'its process was ended by SIGKILL' });
    await eventually(
      () => readFileSync(`${factsFile}2`, 'utf8'),
      (text) => text === 'failed its process was ended by SIGKILL\n',
    );
    // The user's command does not keep the worker.
    worker.signal('SIGTERM');
    expect((await worker.ended()).code).toBe(0);
    await lock.end();
  });
});

describe('run-job', () => {
  it('does the same from system cron, and says why it fails', async () => {
    configure('compare_tables = a');
    const without = await pair.onLeaf('run-job', 'compare');
    expect(without.code).toBe(2);
    expect(without.err).toMatch(
      /ERROR job compare failed after .* s: worker leaf_job is not running; start it/,
    );
    expect((await pair.onLeaf('run-job', 'backup')).err).toContain(
      "there is no job 'backup'; the only one is compare",
    );
    const worker = start();
    await tamper("update a set v = 'y' where id = 5");
    await eventually(() => worker.err().includes('running root_job, leaf_job'));
    const found = await eventually(
      () => pair.onLeaf('run-job', 'compare', '--json'),
      (one) => one.code === 1,
    );
    expect(JSON.parse(found.out)).toMatchObject({
      result: 'different',
      different_tables: ['public.a'],
      different_rows: 1,
    });
    const { out } = await pair.onLeaf('jobs');
    expect(out).toMatch(/^compare .* never +20\d\d-.* cron .* different: 1 rows in public\.a +0$/m);
    expect((await pair.onLeaf('jobs', '--last', '5')).out.trim().split('\n').length).toBeGreaterThan(3);
    // Rows that are only here stay unless asked for; a table with more differing rows is left alone.
    await tamper("insert into a values (101, 'extra')");
    const repair = async (...sets: string[]): Promise<unknown> => {
      const words = ['compare_auto_repair=1', ...sets].flatMap((set) => ['--set', set]);
      const { code, out } = await pair.onLeaf(...words, 'run-job', 'compare', '--json');
      return { code, repaired: JSON.parse(out).repaired_rows };
    };
    expect(await repair('compare_max_rows=1')).toEqual({ code: 1, repaired: 0 });
    expect(await repair()).toEqual({ code: 1, repaired: 1 });
    expect(await repair('compare_delete_extra=1')).toEqual({ code: 0, repaired: 1 });
    expect(await pair.onLeaf('compare')).toMatchObject({ code: 0 });
    worker.signal('SIGTERM');
    await worker.ended();
  });
});
