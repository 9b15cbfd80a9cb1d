/** A replicating pair whose leaf has an ini, for tests of compare and repair through the command line. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../../src/cli/run-program.ts';
import { listedCommands } from '../../src/commands/command.ts';
import { compare } from '../../src/commands/compare.ts';
import { compareHistory } from '../../src/commands/compare-history.ts';
import { repair } from '../../src/commands/repair.ts';
import type { WorkerSettings } from '../../src/worker/worker-settings.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { type Replication, replicate } from './replication.ts';

/** What a command said and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** See the members. */
export interface ComparePair {
  readonly root: TestDatabase;
  readonly leaf: TestDatabase;
  readonly pair: Replication;
  readonly ini: string;
  /** Working directory of the fix files. */
  readonly dir: string;
  /** Run `kaja INI words` in this process. */
  kaja(...words: string[]): Promise<CommandResult>;
  /** What commands have written to stderr so far. */
  heard(): string;
  /** Write on the leaf as nobody should: without the worker. */
  tamper(sql: string): Promise<void>;
  drop(): Promise<void>;
}

/**
 * Root on the oldest server, leaf on the newest, worker running.
 * @param rootDatabase another root, dropped with the pair
 */
export async function comparePair(
  overrides: Partial<WorkerSettings> = {},
  iniLines: readonly string[] = [],
  rootDatabase?: TestDatabase,
): Promise<ComparePair> {
  const root = rootDatabase ?? (await createDatabase({ server: 0, prefix: 'croot' }));
  const leaf = await createDatabase({ server: -1, prefix: 'cleaf' });
  const pair = await replicate(root, leaf, overrides);
  pair.startWorker();
  const dir = mkdtempSync(join(tmpdir(), 'kaja-compare-'));
  const ini = join(dir, 'leaf.ini');
  writeFileSync(
    ini,
    ['[londiste]', `db = ${leaf.url}`, `queue_name = ${pair.queue}`, 'job_name = leaf', ...iniLines, ''].join(
      '\n',
    ),
  );
  let heard = '';
  return {
    root,
    leaf,
    pair,
    ini,
    dir,
    heard: () => heard,
    kaja: async (...words) => {
      let out = '';
      let err = '';
      // Fix files go to the current directory.
      process.chdir(dir);
      const code = await runProgram([ini, ...words], listedCommands([compare, compareHistory, repair]), {
        stdout: { write: (text) => (out += text) },
        stderr: {
          write: (text) => {
            err += text;
            heard += text;
          },
        },
        env: {},
        onKill: () => {},
      });
      return { code, out, err };
    },
    tamper: async (sql) => {
      await leaf.sql(`set session_replication_role = replica; ${sql}; reset session_replication_role`);
    },
    drop: async () => {
      await pair.stop();
      process.chdir(import.meta.dirname);
      rmSync(dir, { recursive: true, force: true });
      await root.drop();
      await leaf.drop();
    },
  };
}
