/** job_on_failure: a command of the user's, run when a job failed or found differences. */
import { spawn } from 'node:child_process';
import { redactText } from '../errors/redact.ts';
import type { Log } from '../log/logger.ts';

/** Longest time of the command. */
const LIMIT_MS = 60_000;
/** After the request to end, before it is killed. */
const GRACE_MS = 2_000;
const KEPT_OUTPUT = 2_000;

/** Facts under the names of their variables, without `KAJA_JOB_`; `''`: KAJA_JOB itself. */
export type FailureFacts = Readonly<Record<string, string>>;

/** What to run, and how. */
export interface FailureCommand {
  /** For /bin/sh. */
  readonly command: string;
  readonly facts: FailureFacts;
  readonly log: Log;
  /** Ends the command early. */
  readonly signal: AbortSignal;
  /** Longest time in milliseconds; default one minute. */
  readonly limitMs?: number | undefined;
}

/** Run it and wait for its end. Never throws: its own failure is a line in the log. */
export async function runFailureCommand(request: FailureCommand): Promise<void> {
  const { command, log, signal, limitMs = LIMIT_MS } = request;
  if (command.trim() === '' || signal.aborted) return;
  const child = spawn('/bin/sh', ['-c', command], {
    detached: true, // a group of its own, so that what it starts can be ended with it
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(request.facts),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
    });
  let tooLong = false;
  const timers: NodeJS.Timeout[] = [];
  const end = (): void => {
    killGroup(child.pid, 'SIGTERM');
    timers.push(setTimeout(() => killGroup(child.pid, 'SIGKILL'), GRACE_MS));
  };
  timers.push(
    setTimeout(() => {
      tooLong = true;
      end();
    }, limitMs),
  );
  signal.addEventListener('abort', end, { once: true });
  const how = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`did not start: ${error.message}`));
    // Not `close`: something it left running in the background may keep the pipes open.
    child.on('exit', (code, name) =>
      setImmediate(() => resolve(name ? `was ended by ${name}` : `ended with exit code ${code}`)),
    );
  });
  signal.removeEventListener('abort', end);
  for (const timer of timers) clearTimeout(timer);
  child.stdout.destroy();
  child.stderr.destroy();
  const text = redactText(output.trim().split('\n').at(-1) ?? '');
  const said = text === '' ? '' : `: ${text}`;
  if (tooLong) log.warn(`job_on_failure took longer than ${limitMs / 1000} s and was ended${said}`);
  else if (how === 'ended with exit code 0') log.debug(`job_on_failure is done${said}`);
  else log.warn(`job_on_failure ${how}${said}`);
}

function environment(facts: FailureFacts): NodeJS.ProcessEnv {
  const { PGPASSWORD: _, ...inherited } = process.env;
  const own = Object.entries(facts).map(([name, value]) => [
    name === '' ? 'KAJA_JOB' : `KAJA_JOB_${name}`,
    redactText(value),
  ]);
  return { ...inherited, ...Object.fromEntries(own) };
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // it has ended meanwhile
  }
}
