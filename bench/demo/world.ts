/** The demo's world: two servers, three databases, a folder with ini files; and how it goes away. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, startCluster } from '../../test/support/cluster.ts';
import { connect } from './connect.ts';

/** Everything the story happens in. */
export interface World {
  readonly dir: string;
  readonly rootUrl: string;
  readonly leaf1Url: string;
  readonly leaf2Url: string;
  /** Run a statement on its own connection; rows as objects. */
  query(url: string, text: string): Promise<Record<string, unknown>[]>;
}

/** Collects what has to be undone, and undoes it the newest first. */
export class CleanUp {
  readonly #steps: (() => unknown)[] = [];

  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** Undo everything; a failing step does not keep the others from running. */
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        process.stderr.write(`demo: while cleaning up: ${String(error)}\n`);
      }
    }
  }
}

const SERVER_SETTINGS = { max_connections: '60' };

/** Start the servers, create empty databases, write the ini files. */
export async function createWorld(cleanUp: CleanUp): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'kaja-demo-'));
  cleanUp.add(() => rmSync(dir, { recursive: true, force: true }));
  const starting = [startCluster(15, SERVER_SETTINGS), startCluster(18, SERVER_SETTINGS)] as const;
  // Also one that is still starting when the demo is interrupted has to go.
  for (const server of starting) {
    cleanUp.add(async () => (await server.catch(() => undefined))?.destroy());
  }
  const [provider, subscriber] = await Promise.all(starting);
  await query(provider.url('postgres'), 'create database game');
  await query(subscriber.url('postgres'), 'create database game_copy');
  await query(subscriber.url('postgres'), 'create database members');
  const locations = {
    root: location(provider, 'game'),
    leaf1: location(subscriber, 'game_copy'),
    leaf2: location(subscriber, 'members'),
  };
  writeIni(dir, 'root.ini', nodeIni('root', locations.root));
  writeIni(dir, 'leaf1.ini', nodeIni('leaf1', locations.leaf1, locations.root));
  writeIni(dir, 'leaf2.ini', nodeIni('leaf2', locations.leaf2, locations.root));
  writeIni(dir, 'ticker.ini', ['[pgqd]', `db = ${locations.root}`]);
  return {
    dir,
    rootUrl: provider.url('game'),
    leaf1Url: subscriber.url('game_copy'),
    leaf2Url: subscriber.url('members'),
    query,
  };
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = await connect(url);
  try {
    // Several statements give several results; the caller wants the last.
    const results = await client.query(text);
    return (Array.isArray(results) ? (results.at(-1)?.rows ?? []) : results.rows) as Record<
      string,
      unknown
    >[];
  } finally {
    await client.end();
  }
}

const location = (server: Cluster, database: string): string =>
  `host=127.0.0.1 port=${server.port} dbname=${database} user=postgres`;

const nodeIni = (name: string, db: string, provider?: string): string[] => [
  '[londiste]',
  `job_name = ${name}`,
  `queue_name = game_queue`,
  `db = ${db}`,
  `node_name = ${name}`,
  `public_node_location = ${db}`,
  ...(provider ? [`initial_provider_location = ${provider}`, 'parallel_copies = 2'] : []),
];

const writeIni = (dir: string, name: string, lines: readonly string[]): void =>
  writeFileSync(join(dir, name), `${lines.join('\n')}\n`);
