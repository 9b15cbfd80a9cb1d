import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorLine } from '../../../src/errors/error-line.ts';
import { claimPidfile, readPidfile, signalPidfile } from '../../../src/runtime/pidfile.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kaja-pid-'));
  path = join(dir, 'x.pid');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Number of a process that has just ended. */
const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

describe('claimPidfile', () => {
  it('writes our number, leaves nothing else behind, removes it on release', () => {
    const pidfile = claimPidfile(path);
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
    expect(readdirSync(dir)).toEqual(['x.pid']);
    pidfile.release();
    pidfile.release();
    expect(existsSync(path)).toBe(false);
  });

  it('refuses while another process lives, in one line with an advice', () => {
    writeFileSync(path, `${process.ppid}\n`);
    let line = '';
    try {
      claimPidfile(path);
    } catch (error) {
      line = errorLine(error);
    }
    expect(line).toBe(
      `Pidfile exists, another process running? (${path}, pid ${process.ppid}); wait for it, or stop it with -s`,
    );
    expect(readdirSync(dir)).toEqual(['x.pid']);
  });

  it('takes over from the dead, from an empty file and from an earlier life with our number', () => {
    for (const content of [`${deadPid()}\n`, '', `${process.pid}\n`]) {
      writeFileSync(path, content);
      const told: string[] = [];
      const pidfile = claimPidfile(path, (text) => told.push(text));
      expect(told).toEqual([`Ignoring stale pidfile ${path}`]);
      expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
      pidfile.release();
    }
  });

  it('refuses what holds no number', () => {
    for (const content of ['hello', '-1', '0', '1 2']) {
      writeFileSync(path, content);
      expect(() => claimPidfile(path)).toThrow(`corrupt pidfile: ${path}`);
    }
  });

  it('explains a folder that is not there', () => {
    expect(() => claimPidfile(join(dir, 'no', 'x.pid'))).toThrow(
      /cannot be used: there is no directory .*\/no$/,
    );
  });

  it('does not remove a file that somebody else took over', () => {
    const pidfile = claimPidfile(path);
    writeFileSync(path, '1\n');
    pidfile.release();
    expect(readPidfile(path)).toEqual({ kind: 'running', pid: 1 });
  });
});

describe('signalPidfile', () => {
  it('says why there is nobody to send to', () => {
    expect(signalPidfile('', 'SIGINT').text).toBe('No pidfile in config, nothing to do');
    expect(signalPidfile(path, 'SIGINT').text).toBe('No pidfile, process not running');
    writeFileSync(path, `${deadPid()}`);
    expect(signalPidfile(path, 'SIGINT')).toEqual({
      sent: false,
      text: 'pidfile exists, but process not running',
    });
  });
});
