/** Runs the built program as child processes, in the folder with the demo's ini files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAIN } from './fresh-build.ts';
import { say, showCommand } from './screen.ts';

const STOP_GRACE_MS = 8000;

/** A program that runs until `stop`. */
export interface Background {
  /** Throws when the program has ended by itself. */
  check(): void;
  /** SIGTERM, and SIGKILL if that does not help; returns the exit code. */
  stop(): Promise<number | null>;
}

/** How the demo calls the program. */
export interface KajaProgram {
  /**
   * Print the command, run it, let its output through.
   * @param expected exit code that is right here
   * @throws Error for any other exit code
   */
  run(expected: number, ...words: string[]): Promise<void>;
  /** Print the command and start it; its log goes to a file of the folder. */
  start(...words: string[]): Background;
}

/* PGHOST, PGOPTIONS and friends of the caller are about other servers. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));

/**
 * Make the caller.
 * @param dir folder with the ini files, the working folder of the commands
 * @param signal aborts the running command
 */
export function kajaProgram(dir: string, signal: AbortSignal): KajaProgram {
  const launch = (words: readonly string[], output: 'inherit' | number): ChildProcess => {
    signal.throwIfAborted();
    showCommand(words);
    return spawn(process.execPath, [MAIN, ...words], {
      cwd: dir,
      env: environment(),
      stdio: ['ignore', output, output],
    });
  };
  return {
    run: async (expected, ...words) => {
      const child = launch(words, 'inherit');
      const abort = (): void => void child.kill('SIGTERM');
      signal.addEventListener('abort', abort);
      const [code] = (await once(child, 'close')) as [number | null];
      signal.removeEventListener('abort', abort);
      signal.throwIfAborted();
      if (code !== expected)
        throw new Error(`exit code ${code}, should be ${expected}: kaja ${words.join(' ')}`);
      if (expected !== 0) say(`(exit code ${code}, as it should be)`);
    },
    start: (...words) => background(launch([...words], openSync(join(dir, 'kaja.log'), 'a')), dir),
  };
}

function background(child: ChildProcess, dir: string): Background {
  const closed = once(child, 'close') as Promise<[number | null]>;
  closed.catch(() => {});
  return {
    check: () => {
      if (child.exitCode === null && child.signalCode === null) return;
      throw new Error(`kaja run has ended:\n${readFileSync(join(dir, 'kaja.log'), 'utf8').slice(-3000)}`);
    },
    stop: async () => {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      const [code] = await closed;
      clearTimeout(force);
      return code;
    },
  };
}
