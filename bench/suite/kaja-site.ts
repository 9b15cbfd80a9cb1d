/** kaja as contender: the real program, as processes of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAIN } from '../demo/fresh-build.ts';
import { query } from './query.ts';
import { createDatabase, dropDatabase, type Servers, type Site } from './site.ts';

/** A site of kaja, with its command line. */
export interface KajaSite extends Site {
  readonly subscriber: string;
  /**
   * Run a command on the leaf's ini.
   * @param expected exit codes that are right here
   * @returns what it printed
   */
  onLeaf(expected: readonly number[], ...words: string[]): Promise<string>;
}

/** Create databases, nodes and processes; `prefix` names the databases. */
export async function kajaSite(servers: Servers, prefix: string, schema: string): Promise<KajaSite> {
  const dir = mkdtempSync(join(tmpdir(), 'kaja-bench-'));
  const provider = await createDatabase(servers.provider, `${prefix}_src`);
  const subscriber = await createDatabase(servers.subscriber, `${prefix}_dst`);
  for (const url of [provider, subscriber]) await query(url, schema);
  const ini = (name: string, lines: readonly string[]): void =>
    writeFileSync(join(dir, `${name}.ini`), `${lines.join('\n')}\n`);
  const node = (name: string, db: string): string[] => [
    '[londiste]',
    `job_name = ${prefix}_${name}`,
    `db = ${db}`,
    'queue_name = bench',
    `node_name = ${name}`,
    `public_node_location = ${db}`,
  ];
  ini('root', node('root', provider));
  ini('leaf', [...node('leaf', subscriber), `initial_provider_location = ${provider}`]);
  ini('ticker', ['[pgqd]', `db = ${provider}`]);

  const log = openSync(join(dir, 'kaja.log'), 'a');
  const launch = (words: readonly string[], output: 'pipe' | number): ChildProcess =>
    spawn(process.execPath, [MAIN, ...words], { cwd: dir, stdio: ['ignore', output, log] });
  const run = async (expected: readonly number[], ...words: string[]): Promise<string> => {
    const child = launch(words, 'pipe');
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== null && expected.includes(code)) return out;
    throw new Error(
      `kaja ${words.join(' ')}: exit code ${code}\n${out}${readFileSync(join(dir, 'kaja.log'), 'utf8').slice(-2000)}`,
    );
  };
  await run([0], 'root.ini', 'create-root');
  await run([0], 'leaf.ini', 'create-leaf');
  const ticker = launch(['run', 'root.ini', 'ticker.ini'], log);
  let worker: ChildProcess | undefined = launch(['leaf.ini', 'worker'], log);
  return {
    name: 'kaja',
    provider,
    subscriber,
    onLeaf: (expected, ...words) => run(expected, 'leaf.ini', ...words),
    publish: async (tables) => void (await run([0], 'root.ini', 'add-table', ...tables)),
    subscribe: async (tables) => {
      await run([0], 'leaf.ini', 'add-table', ...tables, '--wait-sync');
    },
    pause: async () => {
      await end(worker);
      worker = undefined;
    },
    resume: async () => {
      worker ??= launch(['leaf.ini', 'worker'], log);
    },
    processes: () => ({ 'root worker and ticker': ticker.pid ?? 0, 'leaf worker': worker?.pid ?? 0 }),
    close: async () => {
      await Promise.all([end(worker), end(ticker)]);
      await dropDatabase(servers.subscriber, `${prefix}_dst`);
      await dropDatabase(servers.provider, `${prefix}_src`);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
