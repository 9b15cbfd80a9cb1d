/** A contender's programs: commands that end and daemons that run, in a folder with their ini files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const STOP_GRACE_MS = 10_000;
const LOG_TAIL = 2000;

/** Who the programs run as; empty: as the benchmark itself. */
export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

const open = new Set<Programs>();

/** Kill the programs of all sites and delete their folders, for a benchmark that is interrupted. */
export function killAllPrograms(): void {
  for (const one of open) one.kill();
}

/** Programs of one site. */
export class Programs {
  /** Working folder of all of them. */
  readonly dir = mkdtempSync(join(tmpdir(), 'kaja-bench-'));
  readonly #logFile = join(this.dir, 'programs.log');
  readonly #log: number;
  readonly #identity: Identity;
  readonly #running = new Set<ChildProcess>();

  /** @param identity who they run as; the folder is theirs */
  constructor(identity: Identity = {}) {
    this.#identity = identity;
    this.#log = openSync(this.#logFile, 'a');
    if (identity.uid !== undefined) chownSync(this.dir, identity.uid, identity.gid ?? identity.uid);
    open.add(this);
  }

  /** Write `<name>.ini` with these lines. */
  ini(name: string, lines: readonly string[]): void {
    writeFileSync(join(this.dir, `${name}.ini`), `${lines.join('\n')}\n`);
  }

  /** Start a program; what it prints goes to the log. */
  start(program: string, words: readonly string[]): ChildProcess {
    return this.#spawn(program, words, this.#log);
  }

  /**
   * Run a command.
   * @param expected exit codes that are right here
   * @returns what it printed
   * @throws Error for any other exit code, with the end of the log
   */
  async run(expected: readonly number[], program: string, words: readonly string[]): Promise<string> {
    const child = this.#spawn(program, words, 'pipe');
    let out = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== null && expected.includes(code)) return out;
    const log = readFileSync(this.#logFile, 'utf8').slice(-LOG_TAIL);
    throw new Error(`${program} ${words.join(' ')}: exit code ${code}\n${out}${log}`);
  }

  /** Delete the folder. */
  close(): void {
    open.delete(this);
    closeSync(this.#log);
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Kill what runs, then `close`. */
  kill(): void {
    for (const child of this.#running) child.kill('SIGKILL');
    this.close();
  }

  #spawn(program: string, words: readonly string[], output: 'pipe' | number): ChildProcess {
    const env = { PATH: process.env.PATH ?? '', HOME: this.dir, LC_ALL: 'C.UTF-8' };
    const child = spawn(program, words, {
      cwd: this.dir,
      env,
      stdio: ['ignore', output, this.#log],
      ...this.#identity,
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    return child;
  }
}

/** End a program: SIGTERM, and SIGKILL if it is still there after 10 s. */
export async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  // One that was frozen hears nothing.
  child.kill('SIGCONT');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
  await once(child, 'exit');
  clearTimeout(force);
}
