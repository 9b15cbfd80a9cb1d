/** A node's worker as a service: finds out what the node is and keeps doing it. */
import { callRet } from '../db/ret-code.ts';
import { openSession } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { runLoop } from '../runtime/loop.ts';
import type { Service } from '../runtime/service.ts';
import { sleep } from '../runtime/sleep.ts';
import { createWaker } from '../runtime/waker.ts';
import { LeafWorker } from './leaf-worker.ts';
import { RootWorker } from './root-worker.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** After a request to stop, the batch in hand has this long before it is abandoned. */
const STOP_GRACE_MS = 2_000;

/**
 * Make the service.
 * @param settings from the ini
 * @param options.until 'idle': end when there is nothing left to do (loop_delay = 0); 'once': one pass
 */
export function createWorker(
  settings: WorkerSettings,
  log: Log,
  options: { until?: 'once' | 'idle' | 'stopped' } = {},
): Service {
  return {
    name: settings.consumer,
    run: async (signal) => {
      const kill = new AbortController();
      const stopping = (): void => {
        void sleep(STOP_GRACE_MS, kill.signal).then(() => kill.abort(new Error('batch abandoned')));
      };
      signal.addEventListener('abort', stopping, { once: true });
      const waker = createWaker();
      let worker: LeafWorker | RootWorker | undefined;
      try {
        await runLoop({
          name: settings.consumer,
          signal,
          log,
          idleMs: Math.max(settings.loopDelayMs, 0),
          maxBackoffMs: settings.exceptionSleepMs,
          waker,
          until: options.until ?? 'stopped',
          onError: async (error) => {
            await worker?.reset(error);
            if (worker instanceof RootWorker) worker = undefined;
          },
          runOnce: async () => {
            worker ??=
              (await nodeType(settings)) === 'root'
                ? new RootWorker(settings, log, kill.signal)
                : new LeafWorker(settings, log, kill.signal, waker);
            return worker.runOnce();
          },
        });
      } finally {
        signal.removeEventListener('abort', stopping);
        await worker?.close();
        kill.abort();
      }
    },
  };
}

async function nodeType(settings: WorkerSettings): Promise<string> {
  const session = await openSession(settings.location, {
    purpose: 'admin',
    applicationName: `kaja ${settings.consumer}`,
  });
  try {
    const [row] = await callRet<{ node_type: string }>(session, 'pgq_node.get_node_info', [settings.queue]);
    if (row?.node_type === 'branch') {
      throw new KajaError(
        'state-refused',
        `node is a branch (${session.location}), which this version does not run yet`,
        { retry: 'never' },
      );
    }
    return row?.node_type ?? '';
  } finally {
    await session.close();
  }
}
