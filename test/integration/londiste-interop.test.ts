/** Genuine Londiste as the leaf of a root of ours, where Debian's packages are installed (elsewhere this is skipped and says what it needs). */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { eventually } from '../support/eventually.ts';
import { killLeftOvers, startKaja } from '../support/kaja-process.ts';
import { installInto } from '../support/template.ts';

const run = promisify(execFile);
/* Other people's workers sleep between their rounds. */
const SLOW = { timeoutMs: 100_000 };
const LONDISTE = '/usr/bin/londiste';
const DEBIAN_BIN = '/usr/lib/postgresql/15/bin';
const isThere = [
  LONDISTE,
  join(DEBIAN_BIN, 'postgres'),
  '/usr/share/postgresql/15/extension/londiste.control',
].every((path) => existsSync(path));

describe.skipIf(!isThere)("Debian's Londiste (skipped where it is not installed)", () => {
  let cluster: Cluster;
  let dir: string;
  let root: pg.Client;
  let leaf: pg.Client;
  const workers: ChildProcess[] = [];
  const connstr = (database: string): string =>
    `host=127.0.0.1 port=${cluster.port} user=postgres dbname=${database}`;
  const ini = (name: string, ...lines: string[]): string => {
    const path = join(dir, `${name}.ini`);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  };
  const londiste = async (node: string, ...words: string[]): Promise<string> => {
    const { stdout, stderr } = await run(LONDISTE, [join(dir, `${node}.ini`), ...words]);
    return stdout + stderr;
  };
  const startWorker = (node: string): void => {
    workers.push(spawn(LONDISTE, ['-q', join(dir, `${node}.ini`), 'worker'], { stdio: 'ignore' }));
  };
  const both = async (text: string): Promise<unknown[][]> =>
    Promise.all([root, leaf].map(async (client) => (await client.query(text)).rows));

  beforeAll(async () => {
    cluster = await startCluster(15, {}, DEBIAN_BIN);
    dir = mkdtempSync(join(tmpdir(), 'kaja-londiste-'));
    const admin = new pg.Client({ connectionString: cluster.url('postgres') });
    await admin.connect();
    await admin.query('create database root');
    await admin.query('create database leaf');
    await admin.end();
    await installInto(cluster.url('root'));
    [root, leaf] = [new pg.Client(cluster.url('root')), new pg.Client(cluster.url('leaf'))];
    for (const client of [root, leaf]) {
      await client.connect();
      await client.query(
        `create table items (id int primary key, v text, n numeric, at timestamptz); create sequence counter`,
      );
    }
    for (const node of ['root', 'leaf'])
      ini(
        node,
        '[londiste]',
        `job_name = ${node}`,
        `db = ${connstr(node)}`,
        'queue_name = q',
        `logfile = ${dir}/${node}.log`,
        `pidfile = ${dir}/${node}.pid`,
        'loop_delay = 0.1',
      );
  });
  afterAll(async () => {
    killLeftOvers();
    for (const worker of workers) {
      worker.kill('SIGKILL');
      if (worker.exitCode === null && worker.signalCode === null) await once(worker, 'exit');
    }
    for (const client of [root, leaf]) await client?.end();
    await cluster?.destroy();
    rmSync(dir, { recursive: true, force: true });
  });

  it('replicates from a root of ours: copy, changes, truncate, sequences, execute, compare', async () => {
    await root.query(`insert into items select n, 'v' || n, n, now() from generate_series(1, 50) n`);
    await londiste('root', 'create-root', 'root', connstr('root'));
    await root.query(
      `select pgq.set_queue_config('q', 'ticker_max_lag', '0.2'), pgq.set_queue_config('q', 'ticker_idle_period', '1')`,
    );
    await londiste('leaf', 'create-leaf', 'leaf', connstr('leaf'), `--provider=${connstr('root')}`);
    startKaja(
      'ticker',
      ini(
        'pgqd',
        '[pgqd]',
        `base_connstr = host=127.0.0.1 port=${cluster.port} user=postgres`,
        'database_list = root',
        `logfile = ${dir}/pgqd.log`,
        'syslog = 0',
      ),
    );
    startWorker('root');
    startWorker('leaf');
    await londiste('root', 'add-table', 'items', '--trigger-flags=L');
    await londiste('root', 'add-seq', 'counter');
    await londiste('leaf', 'add-table', 'items');
    await londiste('leaf', 'add-seq', 'counter');
    await eventually(
      async () => (await leaf.query('select merge_state from londiste.table_info')).rows[0].merge_state,
      (state) => state === 'ok',
      SLOW,
    );

    await root.query(
      `insert into items values (100, E'tab\\t"é", \\\\', 1.50, '2024-01-01'), (101, null, null, null); update items set v = v || '!' where id < 10; delete from items where id = 20`,
    );
    await londiste('root', 'execute', ini('change', 'alter table items add column more int default 7;'));
    await root.query(`insert into items (id, more) values (102, 8)`);
    const rows = `select md5(string_agg(i::text, ';' order by id)) as rows, count(*)::int as n from items i`;
    const [want] = (await root.query(rows)).rows;
    expect(want.n).toBe(52);
    await eventually(
      async () =>
        leaf.query(rows).then(
          (result) => result.rows[0].rows,
          () => '',
        ),
      (got) => got === want.rows,
      SLOW,
    );
    expect(await londiste('leaf', 'compare', 'items')).toMatch(/dstdb: 52 rows/);

    await root.query(`truncate items; insert into items values (1); select setval('counter', 500)`);
    await eventually(
      () => both('select id from items'),
      ([a, b]) => JSON.stringify(a) === JSON.stringify(b),
      SLOW,
    );
    await eventually(
      async () => (await leaf.query('select last_value::int as n from counter')).rows[0].n,
      (n) => n >= 500,
      SLOW,
    );
    for (const name of ['root.log', 'leaf.log'])
      expect(readFileSync(join(dir, name), 'utf8')).not.toMatch(/ (?:ERROR|CRITICAL) /);
  });
});
