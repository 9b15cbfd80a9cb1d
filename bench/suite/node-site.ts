/** What kaja and Londiste have in common: a root and leaves with a command line, and daemons of their own. */
import type { ChildProcess } from 'node:child_process';
import { CountedLinks, type Moved } from './counted-links.ts';
import { end, type Identity, Programs } from './programs.ts';
import { type ContenderName, createPlaces, dropPlaces, type Servers, type Site } from './site.ts';

const QUEUE = 'bench';

/** A site with a command line. */
export interface NodeSite extends Site {
  readonly subscriber: string;
  /**
   * Run a command on the first leaf's ini.
   * @param expected exit codes that are right here
   * @returns what it printed
   */
  onLeaf(expected: readonly number[], ...words: string[]): Promise<string>;
  /** As `onLeaf`, through counted connections. */
  countOnLeaf(expected: readonly number[], ...words: string[]): Promise<Moved>;
  /** As `resume`, with options of the worker's command line. */
  resumeWith(...options: string[]): void;
}

/** How a program's nodes are made. */
export interface Kit {
  readonly name: ContenderName;
  readonly identity: Identity;
  /** Program and first words of every command. */
  readonly command: readonly [string, ...string[]];
  /** How it writes a connection. */
  locationOf(url: string): string;
  /** Further lines of a node's ini. */
  nodeLines(dir: string): readonly string[];
  /** Start what belongs to the root; its ini is `root.ini`. */
  startRoot(programs: Programs, provider: string): readonly ChildProcess[];
}

/** Create databases, nodes and processes; `prefix` names the databases. */
export async function nodeSite(
  kit: Kit,
  servers: Servers,
  prefix: string,
  schema: string,
  leaves = 1,
): Promise<NodeSite> {
  const programs = new Programs(kit.identity);
  const [program, ...first] = kit.command;
  const run = (expected: readonly number[], ...words: string[]): Promise<string> =>
    programs.run(expected, program, [...first, ...words]);

  const { provider, subscribers } = await createPlaces(servers, prefix, schema, leaves);
  const node = (name: string, url: string): string[] => [
    '[londiste]',
    `job_name = ${prefix}_${name}`,
    `db = ${kit.locationOf(url)}`,
    `queue_name = ${QUEUE}`,
    `node_name = ${name}`,
    `public_node_location = ${kit.locationOf(url)}`,
    `initial_provider_location = ${kit.locationOf(provider)}`,
    ...kit.nodeLines(programs.dir),
  ];
  programs.ini('root', node('root', provider));
  await run([0], 'root.ini', 'create-root');
  const inis = subscribers.map((_, at) => `leaf${at + 1}.ini`);
  for (const [at, url] of subscribers.entries()) {
    programs.ini(`leaf${at + 1}`, node(`leaf${at + 1}`, url));
    await run([0], `leaf${at + 1}.ini`, 'create-leaf');
  }
  const root = kit.startRoot(programs, provider);
  const startWorkers = (options: readonly string[]): ChildProcess[] =>
    inis.map((ini) => programs.start(program, [...first, ini, 'worker', ...options]));
  let workers = startWorkers([]);
  const resumeWith = (...options: string[]): void => {
    if (workers.length === 0) workers = startWorkers(options);
  };

  const leaf = inis[0] ?? '';
  const subscriber = subscribers[0] ?? '';
  const links = new CountedLinks({ provider, subscriber, queue: QUEUE, locationOf: kit.locationOf });
  const pidsOf = (children: readonly ChildProcess[]): number[] => children.map(({ pid }) => pid ?? 0);
  return {
    name: kit.name,
    provider,
    subscriber,
    subscribers,
    onLeaf: (expected, ...words) => run(expected, leaf, ...words),
    countOnLeaf: (expected, ...words) =>
      links.count((db) => run(expected, leaf, '--set', `db=${db}`, ...words)),
    publish: async (tables) => void (await run([0], 'root.ini', 'add-table', ...tables)),
    subscribe: async (tables, rowsAreThere = false) => {
      const how = rowsAreThere ? '--expect-sync' : '--wait-sync';
      for (const ini of inis) await run([0], ini, 'add-table', ...tables, how);
    },
    pause: async () => {
      await Promise.all(workers.map(end));
      workers = [];
    },
    resume: async () => resumeWith(),
    resumeWith,
    freeze: async () => void workers.every((worker) => worker.kill('SIGSTOP')),
    thaw: async () => void workers.every((worker) => worker.kill('SIGCONT')),
    processes: () => ({ 'root worker and ticker': pidsOf(root), 'leaf worker': pidsOf(workers) }),
    close: async () => {
      await Promise.all([...workers, ...root].map(end));
      await links.close();
      await dropPlaces(servers, prefix, leaves);
      programs.close();
    },
  };
}
