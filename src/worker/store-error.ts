/** Keeps a worker's failure where `status` shows it. */
import { callRet } from '../db/ret-code.ts';
import { openSession } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import type { Log } from '../log/logger.ts';
import type { WorkerSettings } from './worker-settings.ts';

/** Store it over a session of its own: the worker's may be what failed. Never throws. */
export async function storeError(settings: WorkerSettings, error: unknown, log: Log): Promise<void> {
  const { location, queue, consumer } = settings;
  try {
    const session = await openSession(location, { purpose: 'admin', applicationName: `kaja ${consumer}` });
    await callRet(session, 'pgq_node.set_consumer_error', [queue, consumer, errorLine(error)]).finally(() =>
      session.close(),
    );
  } catch (second) {
    log.debug(`failure could not be stored: ${errorLine(second)}`);
  }
}
