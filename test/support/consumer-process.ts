/** A program that consumes with the library, as a process of its own that tests kill. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const LIBRARY = new URL('../../src/queue/index.ts', import.meta.url).href;

/** A running program. */
export interface Program {
  /** Lines on stdout so far. */
  lines(): string[];
  signal(name: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  err(): string;
}

const running = new Set<ChildProcess>();

/**
 * Run a module with the library's exports as `kaja` and the connection string as `url`.
 * @param body statements; top-level await is fine
 */
export function startProgram(body: string, url: string, env: Record<string, string> = {}): Program {
  const source = `import * as kaja from ${JSON.stringify(LIBRARY)};\nconst url = process.env.KAJA_URL;\nconst say = (line) => process.stdout.write(line + '\\n');\n${body}`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, KAJA_URL: url, ...env },
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
  return {
    lines: () => out.split('\n').filter((line) => line !== ''),
    signal: (name) => void child.kill(name),
    ended: once(child, 'close').then(([code, signal]) => {
      running.delete(child);
      return signal ?? code;
    }),
    err: () => err,
  };
}

/** Kill what a failed test left behind; for afterEach. */
export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL');
}
