/** Databases that become nodes through kaja's own commands: requests, ini files, running workers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { type CreateLeafRequest, createLeaf } from '../../src/cascade/create-leaf.ts';
import type { CreateRequest } from '../../src/cascade/create-node.ts';
import { createRoot } from '../../src/cascade/create-root.ts';
import type { NodeSettings } from '../../src/cascade/node-settings.ts';
import { runProgram } from '../../src/cli/run-program.ts';
import { commands } from '../../src/commands/registry.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { KajaError } from '../../src/errors/kaja-error.ts';
import type { Log } from '../../src/log/logger.ts';
import { createWorker } from '../../src/worker/run-worker.ts';
import { workerSettings } from '../../src/worker/worker-settings.ts';
import { createDatabase, type TestDatabase } from './database.ts';

/** Queue of all sets in tests. */
export const QUEUE = 'set_q';

/** What a command printed and how it ended. */
export interface KajaRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Databases and files of one test file. */
export interface NodeSet {
  /** Messages that functions logged, without levels. */
  readonly messages: string[];
  readonly log: Log;
  /** A database without kaja's schemas. */
  database(server?: number): Promise<TestDatabase>;
  /** Drop one of them now. */
  discard(db: TestDatabase): Promise<void>;
  settings(db: TestDatabase, consumer: string): NodeSettings;
  request(db: TestDatabase, name: string, overrides?: Partial<CreateRequest>): CreateRequest;
  /** Make a root of it. */
  root(db: TestDatabase, name: string): Promise<void>;
  leafRequest(
    db: TestDatabase,
    name: string,
    provider: TestDatabase,
    overrides?: Partial<CreateLeafRequest>,
  ): CreateLeafRequest;
  /** Make a leaf of it. */
  leaf(db: TestDatabase, name: string, provider: TestDatabase): Promise<void>;
  /** Write `<job>.ini`; returns its path. */
  ini(db: TestDatabase | string, job: string, lines?: readonly string[]): string;
  /** Run `kaja <words>` in this process. */
  kaja(...words: string[]): Promise<KajaRun>;
  /** Run the worker of an ini; stopped by the returned function or by `end`. */
  startWorker(ini: string): () => Promise<void>;
  end(): Promise<void>;
}

/** Start a set. */
export function nodeSet(): NodeSet {
  const dir = mkdtempSync(join(tmpdir(), 'kaja-nodes-'));
  const databases: TestDatabase[] = [];
  const stops: (() => Promise<void>)[] = [];
  const messages: string[] = [];
  const log = pino(
    { level: 'debug' },
    { write: (line: string) => void messages.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const set: NodeSet = {
    messages,
    log,
    database: async (server = 0) => {
      const db = await createDatabase({ server, install: false, prefix: 'node' });
      databases.push(db);
      return db;
    },
    discard: async (db) => {
      databases.splice(databases.indexOf(db), 1);
      await db.drop();
    },
    settings: (db, consumer) => ({ location: db.url, queue: QUEUE, consumer, remoteExtra: '' }),
    request: (db, name, overrides = {}) => ({
      settings: set.settings(db, `${name}_w`),
      name,
      publicLocation: db.url,
      check: true,
      log,
      ...overrides,
    }),
    root: async (db, name) => {
      await createRoot(set.request(db, name));
    },
    leafRequest: (db, name, provider, overrides = {}) => ({
      ...set.request(db, name),
      providerLocation: provider.url,
      filters: { onlyTables: [], skipTables: [], onlySeqs: [], skipSeqs: [] },
      ...overrides,
    }),
    leaf: async (db, name, provider) => {
      await createLeaf(set.leafRequest(db, name, provider));
    },
    ini: (db, job, lines = []) => {
      const path = join(dir, `${job}.ini`);
      const url = typeof db === 'string' ? db : db.url;
      const all = ['[londiste]', `job_name = ${job}`, `db = ${url}`, `queue_name = ${QUEUE}`, ...lines];
      writeFileSync(path, `${all.join('\n')}\n`);
      return path;
    },
    kaja: async (...words) => {
      let out = '';
      let err = '';
      const code = await runProgram(words, commands, {
        stdout: { write: (text) => (out += text) },
        stderr: { write: (text) => (err += text) },
        env: {},
        onKill: () => {},
      });
      return { code, out, err };
    },
    startWorker: (ini) => {
      const stop = new AbortController();
      const config = loadConfig({ path: ini, kind: 'londiste' });
      const done = createWorker(workerSettings(config), log).run(stop.signal);
      const end = async (): Promise<void> => {
        stop.abort();
        await done;
      };
      stops.push(end);
      return end;
    },
    end: async () => {
      await Promise.all(stops.map((stop) => stop()));
      await Promise.all(databases.map((db) => db.drop()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return set;
}

/** The KajaError that a promise fails with. */
export async function failureOf(work: Promise<unknown>): Promise<KajaError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof KajaError) return error;
    throw error;
  }
  throw new Error('expected a failure');
}
