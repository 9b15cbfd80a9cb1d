/** One round over all databases, for a system's own cron. */
import { errorLine } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import type { TickerStats } from './database-ticker.ts';
import { listDatabases, type TickerDatabase } from './list-databases.ts';
import { moveRetryEvents, openMaintenanceSession, runMaintenance } from './maintenance.ts';
import { Ticker } from './ticker.ts';
import type { TickerSettings } from './ticker-settings.ts';

/** What the round did, and what went wrong in it; failures have been logged. */
export interface OnceResult extends Readonly<TickerStats> {
  readonly databases: number;
  readonly failures: readonly unknown[];
}

/** So many databases are worked on at a time. */
const AT_A_TIME = 8;

/**
 * Tick, move retried events, do maintenance, each once per database. A database named in the ini has to be usable;
 * of those that were found only the usable ones count.
 * @param signal ends the round; what is in hand is cancelled
 * @throws KajaError when the list of databases cannot be read
 */
export async function tickOnce(settings: TickerSettings, log: Log, signal: AbortSignal): Promise<OnceResult> {
  const stats: TickerStats = { ticks: 0, maint: 0, retry: 0 };
  const failures: unknown[] = [];
  let databases = 0;
  const waiting = await listDatabases(settings, signal);
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift()) {
      const own = log.child({ job: next.name });
      try {
        if (await serve(next, stats, failures, own, signal)) databases++;
      } catch (error) {
        own.error(errorLine(error));
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return { ...stats, databases, failures };
}

async function serve(
  database: TickerDatabase,
  stats: TickerStats,
  failures: unknown[],
  log: Log,
  signal: AbortSignal,
): Promise<boolean> {
  const ticker = new Ticker(database, log, { signal });
  const result = await ticker.tick().finally(() => ticker.close());
  if (!result.usable) {
    if (database.named) throw new KajaError('not-installed', result.reason.replace(/, ignoring$/, ''));
    return false;
  }
  stats.ticks += result.ticks;
  const session = await openMaintenanceSession(database.location, 'once', signal);
  try {
    stats.retry += await moveRetryEvents(session, signal);
    const round = await runMaintenance(session, log);
    failures.push(...round.failures);
    if (round.failures.length === 0) stats.maint++;
  } finally {
    await session.close();
  }
  return true;
}
