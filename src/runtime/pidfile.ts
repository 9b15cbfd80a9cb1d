/** Pid files with Londiste's rules: a live process refuses a second start, a dead one's file is taken over. */
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { KajaError } from '../errors/kaja-error.ts';

/** A pidfile that belongs to this process. */
export interface Pidfile {
  readonly path: string;
  /** Remove it, if it is still ours; safe to call twice. */
  release(): void;
}

/** What is known about a pidfile. */
export type PidfileState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'stale'; readonly pid: number | undefined }
  | { readonly kind: 'running'; readonly pid: number };

/** Is there a process with this number? One of another user counts. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Look at a pidfile.
 * @throws KajaError `pidfile-corrupt` when it holds something else than a number
 */
export function readPidfile(path: string): PidfileState {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'absent' };
    throw unusable(path, error);
  }
  if (text === '') return { kind: 'stale', pid: undefined };
  const pid = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (pid < 1) throw new KajaError('pidfile-corrupt', `corrupt pidfile: ${path}`);
  // Our own number is a left-over of an earlier life: containers give every start the same pid.
  return pid !== process.pid && isAlive(pid) ? { kind: 'running', pid } : { kind: 'stale', pid };
}

/**
 * Refuse when another process holds the pidfile.
 * @param onStale told when a dead process left its file
 * @throws KajaError `pidfile-taken`
 */
export function checkPidfile(path: string, onStale: (text: string) => void = () => {}): void {
  const state = readPidfile(path);
  if (state.kind === 'running') {
    throw new KajaError(
      'pidfile-taken',
      `Pidfile exists, another process running? (${path}, pid ${state.pid})`,
      {
        hint: 'wait for it, or stop it with -s',
        context: { path, pid: state.pid },
      },
    );
  }
  if (state.kind === 'stale') onStale(`Ignoring stale pidfile ${path}`);
}

/**
 * Take the pidfile for this process: complete content appears at once, and of two processes only one gets it.
 * It is also removed when the process exits without `release`.
 * @throws KajaError `pidfile-taken`, `pidfile-corrupt` or `pidfile-unusable`
 */
export function claimPidfile(path: string, onStale?: (text: string) => void): Pidfile {
  const draft = `${path}.${process.pid}.new`;
  try {
    writeFileSync(draft, `${process.pid}\n`);
  } catch (error) {
    throw unusable(path, error);
  }
  try {
    for (let attempt = 0; ; attempt++) {
      checkPidfile(path, attempt === 0 ? onStale : undefined);
      try {
        linkSync(draft, path); // fails when the name exists, unlike rename
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt >= 5) throw unusable(path, error);
        // Stale a moment ago: remove it only if it still is.
        if (readPidfile(path).kind === 'stale') removeIfThere(path);
      }
    }
  } finally {
    removeIfThere(draft);
  }
  const release = (): void => {
    process.off('exit', release);
    try {
      if (readFileSync(path, 'utf8').trim() === String(process.pid)) unlinkSync(path);
    } catch {
      // already gone
    }
  };
  process.once('exit', release);
  return { path, release };
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // already gone
  }
}

function unusable(path: string, cause: unknown): KajaError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? `there is no directory ${dirname(path)}` : message;
  return new KajaError('pidfile-unusable', `pidfile ${path} cannot be used: ${why}`, { cause });
}

/**
 * Send a signal to the process of a pidfile: -r SIGHUP, -s SIGINT, -k SIGTERM.
 * @param path empty = the ini has no pidfile
 * @returns what happened, in Londiste's words; `sent` is false when there was nobody to send to
 */
export function signalPidfile(path: string, signal: NodeJS.Signals): { sent: boolean; text: string } {
  if (!path) return { sent: false, text: 'No pidfile in config, nothing to do' };
  const state = readPidfile(path);
  if (state.kind === 'absent') return { sent: false, text: 'No pidfile, process not running' };
  if (state.kind === 'stale') return { sent: false, text: 'pidfile exists, but process not running' };
  process.kill(state.pid, signal);
  return { sent: true, text: `${signal} sent to ${state.pid}` };
}
