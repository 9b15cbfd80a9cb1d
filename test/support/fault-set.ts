/** Two private servers with a root and a leaf, driven by real processes that tests kill. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Cluster, startCluster } from './cluster.ts';
import { eventually } from './eventually.ts';
import { runKaja } from './node-pair.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

/** A process of the program; `ended` gives its exit code or signal. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals>;
  output(): string;
}

/** See the file's comment. */
export interface FaultSet {
  readonly root: Cluster;
  readonly leaf: Cluster;
  readonly rootIni: string;
  readonly leafIni: string;
  readonly tickerIni: string;
  /** Start `kaja …` as a process. */
  start(words: readonly string[], env?: Record<string, string>): Running;
  /** Run `kaja …` in this process; throws unless it exits 0. */
  command(...words: string[]): Promise<string>;
  /** One statement on one side, over a connection of its own. */
  // biome-ignore lint/suspicious/noExplicitAny: rows are whatever the statement returns
  sql(side: 'root' | 'leaf', text: string, values?: unknown[]): Promise<any[]>;
  /** Wait until the leaf has everything that is committed on the root and all tables are `ok`. */
  settled(timeoutMs: number): Promise<void>;
  /** Throws unless the rows of the table are the same on both sides, equal rows counted. */
  expectEqual(table: string): Promise<void>;
  /** Kill every process that was started. */
  killAll(): void;
  destroy(): Promise<void>;
}

/** Start servers and create the nodes. */
export async function startFaultSet(): Promise<FaultSet> {
  const [root, leaf] = await Promise.all([startCluster(15), startCluster(18)]);
  const dir = mkdtempSync(join(tmpdir(), 'kaja-fault-'));
  const ini = (name: string, lines: string[]): string => {
    const path = join(dir, `${name}.ini`);
    writeFileSync(path, [...lines, ''].join('\n'));
    return path;
  };
  const node = (name: string, cluster: Cluster): string =>
    ini(name, [
      '[londiste]',
      `job_name = ${name}`,
      `db = ${cluster.url('postgres')}`,
      'queue_name = q',
      'loop_delay = 0.2',
      'exception_sleep = 1',
      'parallel_copies = 2',
      'batch_max_events = 500',
      'local_wm_publish_period = 1',
    ]);
  const rootIni = node('root', root);
  const leafIni = node('leaf', leaf);
  const tickerIni = ini('pgqd', [
    '[pgqd]',
    `db = ${root.url('postgres')}`,
    'maint_period = 1',
    'check_period = 1',
  ]);
  const processes = new Set<ChildProcess>();
  const sql: FaultSet['sql'] = async (side, text, values) => {
    const client = new pg.Client({ connectionString: (side === 'root' ? root : leaf).url('postgres') });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  };
  const command = async (...words: string[]): Promise<string> => {
    const result = await runKaja(...words);
    if (result.code !== 0) throw new Error(`kaja ${words.join(' ')}: exit ${result.code}\n${result.err}`);
    return result.out;
  };
  await command(rootIni, 'create-root', 'root', root.url('postgres'));
  await command(leafIni, 'create-leaf', 'leaf', leaf.url('postgres'), '--provider', root.url('postgres'));
  return {
    root,
    leaf,
    rootIni,
    leafIni,
    tickerIni,
    sql,
    command,
    start: (words, env = {}) => {
      let output = '';
      const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...words], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      processes.add(child);
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => {
          output = (output + chunk.toString()).slice(-20_000);
        });
      const ended = new Promise<number | NodeJS.Signals>((resolve) =>
        child.once('exit', (code, signal) => resolve(signal ?? code ?? 0)),
      );
      return { child, ended, output: () => output };
    },
    settled: async (timeoutMs) => {
      await sql('root', `select pgq.force_tick('q')`);
      const target = BigInt(
        (
          await sql(
            'root',
            `select coalesce(pgq.ticker('q'), (select last_tick_id from pgq.get_queue_info('q'))) as tick`,
          )
        )[0].tick,
      );
      await eventually(
        async () => {
          await sql('root', 'select * from kaja.poll_ticks()');
          const [row] = await sql(
            'leaf',
            `select s.last_tick_id as at, s.cur_error, (select array_agg(table_name || ':' || coalesce(merge_state, 'null')) from londiste.table_info where local and merge_state is distinct from 'ok') as busy,
            (select array_agg(last_error) from kaja.table_copy where last_error is not null) as copy_errors from pgq_node.local_state s where s.consumer_name = 'leaf'`,
          );
          return { ...row, target };
        },
        (row) => BigInt(row.at) >= target && row.busy === null,
        { timeoutMs, intervalMs: 100 },
      );
    },
    expectEqual: async (table) => {
      const read = async (side: 'root' | 'leaf'): Promise<string[]> =>
        (await sql(side, `select t::text as row from ${table} t order by 1`)).map((row) => row.row);
      const [left, right] = await Promise.all([read('root'), read('leaf')]);
      if (JSON.stringify(left) === JSON.stringify(right)) return;
      const count = (rows: string[]): Map<string, number> =>
        rows.reduce((map, row) => map.set(row, (map.get(row) ?? 0) + 1), new Map<string, number>());
      const [a, b] = [count(left), count(right)];
      const wrong = [...new Set([...left, ...right])]
        .filter((row) => a.get(row) !== b.get(row))
        .slice(0, 8)
        .map((row) => `${row}: ${a.get(row) ?? 0} on the root, ${b.get(row) ?? 0} on the leaf`);
      throw new Error(
        `table ${table} differs, ${left.length} rows on the root, ${right.length} on the leaf:\n${wrong.join('\n')}`,
      );
    },
    killAll: () => {
      for (const child of processes) child.kill('SIGKILL');
      processes.clear();
    },
    destroy: async () => {
      for (const child of processes) child.kill('SIGKILL');
      await Promise.all([root.destroy(), leaf.destroy()]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
