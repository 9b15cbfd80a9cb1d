/** The two servers of a run, one that is written to and one that is replicated to, with the same settings for every contender. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startCluster } from '../../test/support/cluster.ts';
import { connect } from '../demo/connect.ts';
import { query } from './query.ts';

const SYSTEM_BIN = '/usr/lib/postgresql/15/bin';
const EXTENSIONS = '/usr/share/postgresql/15/extension';
const NOBODY = 65534;
const START_MS = 60_000;

const SETTINGS: Record<string, string> = {
  wal_level: 'logical',
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  max_connections: '200',
  max_replication_slots: '40',
  max_wal_senders: '40',
  max_logical_replication_workers: '40',
  max_worker_processes: '60',
  // Else a subscription that is enabled again may stand for 5 s.
  wal_retrieve_retry_interval: '100ms',
  log_min_messages: 'error',
};

/** What the benchmark needs to know about a server. */
export interface BenchServer {
  /** Connection URI of a database. */
  url(database: string): string;
  /** Stop and delete. */
  destroy(): Promise<void>;
}

/** Whether PgQ's C triggers can be measured here. */
export const hasPgqExtension = (): boolean => hasExtensions('pgq');

/** Whether the system's PostgreSQL 15 has these extensions. */
export const hasExtensions = (...names: string[]): boolean =>
  existsSync(join(SYSTEM_BIN, 'postgres')) &&
  names.every((name) => existsSync(join(EXTENSIONS, `${name}.control`)));

/** Who servers and other people's daemons run as: never root. */
export const unprivileged = (): { readonly uid?: number; readonly gid?: number } =>
  process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};

/** Process number of a server, which runs on this machine. */
export async function postmasterPid(server: BenchServer): Promise<number> {
  const [row] = await query(server.url('postgres'), `select pg_read_file('postmaster.pid') as text`);
  return Number.parseInt(String(row?.text), 10);
}

/** Start one server: the system's PostgreSQL 15 if it has PgQ, else the one among the development packages. */
export const startServer = (): Promise<BenchServer> =>
  hasPgqExtension() ? startSystemServer() : startCluster(15, SETTINGS);

async function startSystemServer(): Promise<BenchServer> {
  const dir = mkdtempSync(join(tmpdir(), 'kaja-bench-pg15-'));
  const data = join(dir, 'data');
  mkdirSync(data);
  const identity = unprivileged();
  if (identity.uid !== undefined) for (const path of [dir, data]) chownSync(path, NOBODY, NOBODY);
  const env = { PATH: process.env.PATH ?? '', HOME: dir, LC_ALL: 'C' };
  execFileSync(
    join(SYSTEM_BIN, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'],
    { ...identity, env, cwd: dir, stdio: 'pipe' },
  );
  const port = await freePort();
  const settings = {
    ...SETTINGS,
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: dir,
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = '${value}'\n`);
  appendFileSync(join(data, 'postgresql.conf'), lines.join(''));
  const child = spawn(join(SYSTEM_BIN, 'postgres'), ['-D', data], {
    ...identity,
    env,
    cwd: dir,
    stdio: 'ignore',
  });
  const url = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  await answers(child, url('postgres'));
  return {
    url,
    destroy: async () => {
      if (child.exitCode === null) {
        child.kill('SIGINT');
        await once(child, 'exit');
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function answers(child: ChildProcess, url: string): Promise<void> {
  for (const deadlineMs = Date.now() + START_MS; ; await pause(50)) {
    if (child.exitCode !== null) throw new Error('the server did not start');
    try {
      await (await connect(url)).end();
      return;
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
