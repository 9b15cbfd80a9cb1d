/** -d: the same command again as a detached process. The parent stays until the child says it is up, so failures are seen where they were caused. */
import { spawn } from 'node:child_process';
import { KajaError } from '../errors/kaja-error.ts';

const MARK = 'KAJA_DAEMON_CHILD';

type ChildMessage =
  | { readonly kaja: 'ready' }
  | { readonly kaja: 'failed'; readonly line: string; readonly exitCode: number };

/** The child's side. */
export interface DaemonChild {
  /** Let the parent go: everything is up. */
  ready(): void;
  /** Let the parent print this line and exit. */
  failed(line: string, exitCode: number): void;
}

/** What became of a started daemon. */
export interface StartedDaemon {
  readonly pid: number;
  /** False: alive, but it had not said that it is up when the time was over. */
  readonly up: boolean;
}

/** Are we the child that `startDaemon` made? Answers once; later calls and grandchildren see undefined. */
export function daemonChild(): DaemonChild | undefined {
  if (process.env[MARK] !== '1') return undefined;
  delete process.env[MARK];
  let done = false;
  const tell = (message: ChildMessage): void => {
    if (done || !process.connected || !process.send) return;
    done = true;
    process.send(message, () => {
      if (process.connected) process.disconnect();
    });
  };
  return {
    ready: () => tell({ kaja: 'ready' }),
    failed: (line, exitCode) => tell({ kaja: 'failed', line, exitCode }),
  };
}

/**
 * Start this program again in the background with the same arguments; its stdio is /dev/null.
 * @param timeoutMs how long to wait for the child's word, milliseconds
 * @throws KajaError `daemon-failed` with the child's own line when it does not come up
 */
export function startDaemon(timeoutMs = 30_000): Promise<StartedDaemon> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, [MARK]: '1' },
  });
  return new Promise((resolve, reject) => {
    const settle = (action: () => void): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      if (child.connected) child.disconnect();
      child.unref();
      action();
    };
    const timer = setTimeout(() => settle(() => resolve({ pid: child.pid ?? 0, up: false })), timeoutMs);
    child.on('message', (message: ChildMessage) => {
      if (message.kaja === 'ready') settle(() => resolve({ pid: child.pid ?? 0, up: true }));
      else
        settle(() =>
          reject(new KajaError('daemon-failed', message.line, { hint: '', exitCode: message.exitCode })),
        );
    });
    child.on('error', (cause) =>
      settle(() =>
        reject(
          new KajaError('daemon-failed', `background process did not start: ${cause.message}`, { cause }),
        ),
      ),
    );
    child.on('exit', (code, signal) => {
      const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
      settle(() => reject(new KajaError('daemon-failed', `background process ${how} before it was up`)));
    });
  });
}
