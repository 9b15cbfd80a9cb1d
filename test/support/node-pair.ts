/** Two nodes of a set, root and leaf, made with SQL in databases of their own; with ini files, the command line and workers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../../src/cli/run-program.ts';
import { commands } from '../../src/commands/registry.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { silentLog } from '../../src/log/logger.ts';
import { createWorker } from '../../src/worker/run-worker.ts';
import { workerSettings } from '../../src/worker/worker-settings.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { eventually } from './eventually.ts';
import { installInto } from './template.ts';

/** What a command said and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A root and a leaf that subscribes to it. */
export interface NodePair {
  readonly queue: string;
  readonly root: TestDatabase;
  readonly leaf: TestDatabase;
  /** Paths of the ini files; consumers are `root_job` and `leaf_job`, nodes `root` and `leaf`. */
  readonly rootIni: string;
  readonly leafIni: string;
  /** Run `kaja <ini> <words>` in this process. */
  onRoot(...words: string[]): Promise<CommandResult>;
  onLeaf(...words: string[]): Promise<CommandResult>;
  /** Make a tick on the root. @returns its number */
  tick(): Promise<bigint>;
  /** Run the leaf's worker until `stopWorker` or `drop`. */
  startWorker(): void;
  stopWorker(): Promise<void>;
  /** Tick, and wait until the worker has applied it and all local tables of the leaf are in sync. */
  sync(timeoutMs?: number): Promise<void>;
  /** Stop the worker, drop databases and files. */
  drop(): Promise<void>;
}

/** Options of `createPair`: indexes of servers as for `createDatabase`. */
export interface PairOptions {
  readonly rootServer?: number;
  readonly leafServer?: number;
  readonly queue?: string;
  /** Login role that owns the databases and does everything, without being superuser; created when missing. */
  readonly owner?: string;
  /** Further lines for the leaf's ini. */
  readonly leafLines?: readonly string[];
}

/** Run the program in this process and collect what it prints. */
export async function runKaja(...words: string[]): Promise<CommandResult> {
  let out = '';
  let err = '';
  const code = await runProgram(words, commands, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    onKill: () => {},
  });
  return { code, out, err };
}

/** Make both databases, the nodes and the ini files; nothing runs yet. */
export async function createPair(options: PairOptions = {}): Promise<NodePair> {
  const queue = options.queue ?? 'pair_q';
  const root = await makeDatabase('root', options.rootServer ?? 0, options.owner);
  const leaf = await makeDatabase('leaf', options.leafServer ?? -1, options.owner);
  await makeNodes(queue, root, leaf);
  const dir = mkdtempSync(join(tmpdir(), 'kaja-pair-'));
  const ini = (name: string, db: TestDatabase, lines: readonly string[]): string => {
    const path = join(dir, `${name}.ini`);
    const head = ['[londiste]', `db = ${db.url}`, `queue_name = ${queue}`, `job_name = ${name}_job`];
    writeFileSync(path, [...head, 'loop_delay = 0.05', 'lock_timeout = 3', ...lines, ''].join('\n'));
    return path;
  };
  const rootIni = ini('root', root, []);
  const leafIni = ini('leaf', leaf, options.leafLines ?? []);
  let stop: AbortController | undefined;
  let running: Promise<void> | undefined;
  const tick = async (): Promise<bigint> => {
    await root.sql('select pgq.force_tick($1)', [queue]);
    await root.sql('select pgq.ticker($1)', [queue]);
    const [row] = await root.sql(
      `select max(t.tick_id)::text as tick from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue where q.queue_name = $1`,
      [queue],
    );
    return BigInt(row.tick);
  };
  const stopWorker = async (): Promise<void> => {
    stop?.abort();
    await running;
    stop = undefined;
    running = undefined;
  };
  return {
    queue,
    root,
    leaf,
    rootIni,
    leafIni,
    onRoot: (...words) => runKaja(rootIni, ...words),
    onLeaf: (...words) => runKaja(leafIni, ...words),
    tick,
    startWorker: () => {
      stop = new AbortController();
      const settings = workerSettings(loadConfig({ path: leafIni, kind: 'londiste' }));
      running = createWorker(settings, silentLog()).run(stop.signal);
    },
    stopWorker,
    sync: async (timeoutMs = 30_000) => {
      const target = await tick();
      await eventually(
        async () => {
          await tick();
          const [row] = await leaf.sql(
            `select s.last_tick_id::text as tick, s.cur_error as error,
                    (select array_agg(i.table_name || ': ' || coalesce(i.merge_state, 'null') || coalesce(' ' || k.last_error, ''))
                       from londiste.table_info i left join kaja.table_copy k using (queue_name, table_name)
                      where i.queue_name = $1 and i.local and i.merge_state is distinct from 'ok') as waiting
               from pgq_node.local_state s where s.queue_name = $1 and s.consumer_name = 'leaf_job'`,
            [queue],
          );
          return row;
        },
        (row) => BigInt(row.tick) >= target && row.waiting === null,
        { timeoutMs, what: 'leaf in sync' },
      );
    },
    drop: async () => {
      await stopWorker();
      rmSync(dir, { recursive: true, force: true });
      await root.drop();
      await leaf.drop();
    },
  };
}

async function makeDatabase(
  prefix: string,
  server: number,
  owner: string | undefined,
): Promise<TestDatabase> {
  const db = await createDatabase({ server, prefix, install: owner === undefined });
  if (owner === undefined) return db;
  const [role] = await db.sql('select 1 from pg_roles where rolname = $1', [owner]);
  if (!role) await db.sql(`create role "${owner}" login nosuperuser nocreaterole nocreatedb`);
  await db.sql(`alter database "${db.name}" owner to "${owner}"`);
  const url = new URL(db.url);
  url.username = owner;
  await installInto(url.href);
  const client = await db.connect(owner);
  return {
    ...db,
    url: url.href,
    client,
    sql: async (text, values) => (await client.query(text, values)).rows,
  };
}

async function makeNodes(queue: string, root: TestDatabase, leaf: TestDatabase): Promise<void> {
  const call = async (db: TestDatabase, fn: string, ...args: unknown[]): Promise<Record<string, unknown>> => {
    const holes = [queue, ...args].map((_, n) => `$${n + 1}`).join(', ');
    const [row] = await db.sql(`select * from pgq_node.${fn}(${holes})`, [queue, ...args]);
    if (row.ret_code >= 300) throw new Error(`${fn}: ${row.ret_code} ${row.ret_note}`);
    return row;
  };
  await call(root, 'register_location', 'root', root.url, false);
  await call(root, 'create_node', 'root', 'root', 'root_job', null, null, null);
  await call(root, 'register_location', 'leaf', leaf.url, false);
  const { global_watermark: watermark } = await call(root, 'register_subscriber', 'leaf', 'leaf_job', null);
  await call(leaf, 'register_location', 'root', root.url, false);
  await call(leaf, 'register_location', 'leaf', leaf.url, false);
  await call(leaf, 'create_node', 'leaf', 'leaf', 'leaf_job', 'root', watermark, null);
}
