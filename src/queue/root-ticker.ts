/** Ticks a database because it holds a root, when nobody configured a ticker. */
import { openSession } from '../db/session.ts';
import type { Log } from '../log/logger.ts';
import { runLoop } from '../runtime/loop.ts';
import type { Service } from '../runtime/service.ts';
import { createTicker } from './ticker-service.ts';
import { defaultTickerSettings } from './ticker-settings.ts';

/**
 * Make a service that ticks a database, with default settings, if it is the root of one of the queues; else it ends.
 * A server that does not answer yet is waited for.
 * @param location connection string
 * @param queues names of the queues that may have their root there
 */
export function createRootTicker(location: string, queues: readonly string[], log: Log): Service {
  return {
    name: 'root ticker',
    run: async (signal) => {
      const known = new AbortController();
      let isRoot = false;
      await runLoop({
        name: 'root ticker',
        signal: AbortSignal.any([signal, known.signal]),
        log,
        idleMs: 0,
        runOnce: async () => {
          isRoot = await holdsRoot(location, queues, signal);
          known.abort();
          return 'more';
        },
      });
      if (!isRoot || signal.aborted) return;
      log.info('no ticker is configured: ticking the database of the root too');
      await createTicker(defaultTickerSettings(location), log).run(signal);
    },
  };
}

async function holdsRoot(location: string, queues: readonly string[], signal: AbortSignal): Promise<boolean> {
  const session = await openSession(location, {
    purpose: 'read',
    applicationName: 'kaja root ticker',
    signal,
  });
  try {
    const found = await session.value<boolean>(
      `select exists (select 1 from pgq_node.node_info n where n.queue_name = any ($1::text[]) and n.node_type = 'root')`,
      [queues],
    );
    return found === true;
  } finally {
    await session.close();
  }
}
