/** A run of a job as a process of its own: its memory and its crashes are not the worker's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { redactText } from '../errors/redact.ts';
import type { Log } from '../log/logger.ts';
import { COMPARE_JOB } from './run-job.ts';

/** Names the time of the schedule that a run is for, in milliseconds; set by the worker that starts it. */
const DUE = 'KAJA_JOB_DUE';
/** After a request to stop, the run has this long to store how it ended. */
const STOP_GRACE_MS = 4_000;

type FromChild = { readonly kaja: 'job-ended' };
type ToChild = { readonly kaja: 'job-skipped' };

/** What to start. */
export interface JobStart {
  readonly configFile: string;
  /** `--set` pairs of the worker. */
  readonly overrides: readonly (readonly [string, string])[];
  readonly dueMs: number;
  /** Lines of the run go here. */
  readonly log: Log;
  /** Ends the run. */
  readonly signal: AbortSignal;
}

/** A run that is going on. */
export interface RunningJob {
  /** Tell it that a time of the schedule came meanwhile. */
  skipped(): void;
  /** Resolves when it is over: undefined when it stored how it ended or was told to stop, else what happened to its process. */
  readonly ended: Promise<string | undefined>;
}

/** What a run finds out about who started it. */
export interface JobParent {
  readonly dueMs: number;
  /** Aborts when the worker that started it is gone. */
  readonly gone: AbortSignal;
  /** Call `skip` for each time of the schedule that comes meanwhile. */
  onSkipped(skip: () => void): void;
  /** How the run ended is stored. Resolves when that is said. */
  ended(): Promise<void>;
}

/** Lines about the process belong to the worker's log; the run writes no file of its own. */
const LOG_KEYS = new Set(['logfile', 'log_format', 'pidfile']);

/** Start a run of the compare job. Never throws. */
export function startJobProcess(start: JobStart): RunningJob {
  const { log, signal } = start;
  const sets = [
    ['logfile', ''],
    ['log_format', 'json'],
    ...start.overrides.filter(([key]) => !LOG_KEYS.has(key)),
  ].flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const words = [
    ...process.execArgv.filter((word) => !word.startsWith('--inspect')),
    programPath(),
    start.configFile,
    'run-job',
    COMPARE_JOB,
    ...sets,
    ...(log.isLevelEnabled('debug') ? ['-v'] : []),
  ];
  const child = spawn(process.execPath, words, {
    detached: true, // ^C at the terminal is for the worker, which ends the run itself
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, [DUE]: String(start.dueMs) },
  });
  const said = forwardLines(child, log);
  let stored = false;
  child.on('message', (message: FromChild) => {
    stored ||= message.kaja === 'job-ended';
  });
  let hard: NodeJS.Timeout | undefined;
  // No signal: a service manager sends its own to both, and a second one means that nothing shall be stored any more.
  const stop = (): void => {
    if (child.connected) child.disconnect();
    hard = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  const ended = new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(`its process did not start: ${error.message}`));
    // Not `close`, which does not come after `disconnect`.
    child.on('exit', async (code, name) => {
      await said.all;
      if (stored || signal.aborted) return resolve(undefined);
      const how = name ? `was ended by ${name}` : `ended with exit code ${code}`;
      resolve(`its process ${how}${said.last === '' ? '' : `: ${said.last}`}`);
    });
  }).finally(() => {
    signal.removeEventListener('abort', stop);
    clearTimeout(hard);
  });
  return {
    ended,
    skipped: () => {
      const message: ToChild = { kaja: 'job-skipped' };
      if (child.connected) child.send(message, () => {});
    },
  };
}

/** The run's side: undefined when a person or system cron started it. Answers once. */
export function jobParent(): JobParent | undefined {
  const due = process.env[DUE];
  delete process.env[DUE];
  if (due === undefined || !/^\d{1,15}$/.test(due)) return undefined;
  const gone = new AbortController();
  const skips: (() => void)[] = [];
  if (!process.connected) gone.abort(new Error('the worker that started this run is gone'));
  process.once('disconnect', () => gone.abort(new Error('the worker that started this run is gone')));
  process.on('message', (message: ToChild) => {
    if (message.kaja === 'job-skipped') for (const skip of skips) skip();
  });
  return {
    dueMs: Number(due),
    gone: gone.signal,
    onSkipped: (skip) => void skips.push(skip),
    ended: () =>
      new Promise((resolve) => {
        const message: FromChild = { kaja: 'job-ended' };
        if (process.connected && process.send) process.send(message, () => resolve());
        else resolve();
      }),
  };
}

/** The program itself, from source or built. */
const programPath = (): string =>
  new URL(import.meta.filename.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url).pathname;

/** Records of the run's log become lines of the worker's; `last` is its last error, or the last text from before it had a log; `all`: no more come. */
function forwardLines(child: ChildProcess, log: Log): { last: string; readonly all: Promise<unknown> } {
  if (!child.stderr) return { last: '', all: Promise.resolve() };
  const lines = createInterface({ input: child.stderr });
  const said = { last: '', all: once(lines, 'close') };
  lines.on('line', (line) => {
    const record = recordOf(line);
    if (record) {
      log[record.level](record.msg);
      if (record.level === 'error') said.last = record.msg;
    } else if (line.trim() !== '') {
      said.last = redactText(line.replace(/^kaja: /, ''));
      log.debug(`job ${COMPARE_JOB}: ${said.last}`);
    }
  });
  return said;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

function recordOf(line: string): { level: (typeof LEVELS)[number]; msg: string } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { level, msg } = JSON.parse(line) as Record<string, unknown>;
    const known = LEVELS.find((one) => one === level);
    return known && typeof msg === 'string' ? { level: known, msg } : undefined;
  } catch {
    return undefined;
  }
}
