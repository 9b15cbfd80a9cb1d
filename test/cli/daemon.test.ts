/** The program as processes: background, signals, pid files, pipes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/runtime/pidfile.ts';
import { eventually } from '../support/eventually.ts';

const fixture = join(import.meta.dirname, '../support/cli-fixture.ts');
const main = join(import.meta.dirname, '../../src/main.ts');
let dir: string;
let ini: string;
const started: ChildProcess[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kaja-daemon-'));
  ini = join(dir, 'shop.ini');
  writeFileSync(
    ini,
    `[londiste]\ndb = dbname=shop\nqueue_name = q\npidfile = ${dir}/%(job_name)s.pid\nlogfile = ${dir}/%(job_name)s.log\n`,
  );
});
afterEach(() => {
  const left = existsSync(pidPath()) ? daemonPid() : 0;
  if (left > 1 && isAlive(left)) process.kill(left, 'SIGKILL');
  for (const child of started.splice(0)) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});
const pidPath = (): string => join(dir, 'shop.pid');
const daemonPid = (): number => Number(readFileSync(pidPath(), 'utf8'));
const log = (): string => readFileSync(join(dir, 'shop.log'), 'utf8');
const run = (...words: string[]): { code: number | null; out: string; err: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', fixture, ...words], {
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
};
const start = (...words: string[]): ChildProcess => {
  const child = spawn(process.execPath, ['--import', 'tsx', fixture, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  return child;
};
const up = (): Promise<unknown> =>
  eventually(() => existsSync(join(dir, 'shop.log')) && log().includes('worker is up'));

describe('-d', () => {
  it('returns when the daemon is up; -r, a second start and -s find it', async () => {
    expect(run('-d', ini, 'worker')).toEqual({ code: 0, out: '', err: '' });
    const pid = daemonPid();
    expect(isAlive(pid)).toBe(true);
    expect(log()).toContain('worker is up');

    const second = run(ini, 'worker', '-d');
    expect(second.code).toBe(5);
    expect(second.err).toMatch(/^kaja: Pidfile exists, another process running\? .*\n$/);

    writeFileSync(ini, `${readFileSync(ini, 'utf8')}copy_jobs = 9\n`);
    expect(run('-r', ini).err).toBe(`SIGHUP sent to ${pid}\n`);
    await eventually(() => log().includes('reloaded, copy_jobs=9'));

    expect(run('-s', ini).err).toBe(`SIGINT sent to ${pid}\n`);
    await eventually(() => !isAlive(pid));
    expect(existsSync(pidPath())).toBe(false);
    expect(log()).toContain('worker ends');
  });

  it("prints the daemon's own error and passes its exit code", () => {
    const { code, err } = run('-d', ini, 'worker', '--mode=fail');
    expect(code).toBe(4);
    expect(err).toBe(
      'kaja: cannot connect to host=a password=***; check host, port and that the server runs\n',
    );
    expect(existsSync(pidPath())).toBe(false);
  });

  it('notices a daemon that dies on the way, and takes over its pidfile later', () => {
    const { code, err } = run('-d', ini, 'worker', '--mode=die');
    expect(code).toBe(1);
    expect(err).toBe('kaja: background process was ended by SIGKILL before it was up; see the logfile\n');
    expect(existsSync(pidPath())).toBe(true);
    const again = run('-d', ini, 'worker');
    expect(again).toEqual({ code: 0, out: '', err: `kaja: Ignoring stale pidfile ${pidPath()}\n` });
    run('-k', ini);
  });
});

describe('signals in the foreground', () => {
  it('SIGTERM ends in order with exit code 0 and no pidfile left', async () => {
    const child = start(ini, 'worker');
    await up();
    expect(daemonPid()).toBe(child.pid);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(existsSync(pidPath())).toBe(false);
    expect(log()).toContain('worker ends');
  });

  it('a second SIGINT ends a command that does not listen', async () => {
    const child = start(ini, 'worker', '--mode=deaf', '-v');
    await up();
    child.kill('SIGINT');
    await eventually(() => log().includes('got SIGINT, stopping'));
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([130, null]);
    expect(log()).toContain('WARNING got SIGINT again, fast exit');
    expect(existsSync(pidPath())).toBe(false);
  });
});

describe('signals to a command that only waits', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends it with exit code %i and without complaint', async (signal, code) => {
    const child = start(ini, 'wait-sync');
    let err = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    await eventually(() => err.includes('waiting'));
    child.kill(signal);
    expect(await once(child, 'close')).toEqual([code, null]);
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});

describe('main.ts', () => {
  it('answers --version, and one line for an unknown command', () => {
    const kaja = (...words: string[]): { code: number | null; out: string; err: string } => {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', main, ...words], {
        encoding: 'utf8',
      });
      return { code: status, out: stdout, err: stderr };
    };
    expect(kaja('--version')).toMatchObject({ code: 0, out: expect.stringMatching(/^kaja \d/) });
    expect(kaja('frobnicate')).toEqual({
      code: 2,
      out: '',
      err: "kaja: unknown command 'frobnicate'; use --help for help\n",
    });
  });

  it('is quiet when its reader goes away', () => {
    const script = `${JSON.stringify(process.execPath)} --import tsx ${JSON.stringify(main)} --ini 2>${JSON.stringify(join(dir, 'err'))} | true; exit \${PIPESTATUS[0]}`;
    const { status } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(readFileSync(join(dir, 'err'), 'utf8')).toBe('');
    expect(status).toBe(0);
  });
});
