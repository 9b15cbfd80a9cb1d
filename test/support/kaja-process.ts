/** The program as a process of its own, from its sources. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A process that runs. */
export interface KajaProcess {
  readonly pid: number;
  /** Everything on stdout so far. */
  out(): string;
  /** Everything on stderr so far. */
  err(): string;
  signal(name: NodeJS.Signals): void;
  /** Wait for its end. */
  ended(): Promise<Ended>;
}

const running = new Set<ChildProcess>();

/** Start `kaja <words>`. */
export function startKaja(...words: string[]): KajaProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const closed = once(child, 'close').then(([code]) => {
    running.delete(child);
    return { code, out, err };
  });
  return {
    pid: child.pid ?? 0,
    out: () => out,
    err: () => err,
    signal: (name) => void child.kill(name),
    ended: () => closed,
  };
}

/** Run `kaja <words>` to its end. */
export const kaja = (...words: string[]): Promise<Ended> => startKaja(...words).ended();

/** Kill what a failed test left behind; for afterEach. */
export function killLeftOvers(): void {
  for (const child of running) child.kill('SIGKILL');
}
