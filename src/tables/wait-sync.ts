/** wait-sync: waits until every local table is in sync, showing how far the copies are. */
import { KajaError } from '../errors/kaja-error.ts';
import { sleep } from '../runtime/sleep.ts';
import type { TableNode } from './node-tables.ts';
import { readTableReports, remainingText, type TableReport } from './table-report.ts';

/** Looks often at first, for small tables, and seldom later. */
const FIRST_POLL_MS = 50;
const LAST_POLL_MS = 500;
const POLL_GROWTH = 1.02;
/** Rate and remaining time are renewed this often. */
const LABEL_MS = 10_000;

/** The part of a progress display that is used. */
export interface SyncProgress {
  update(label: string, done: number, total?: number): void;
  clear(): void;
}

/**
 * Wait. Failed copies are reported when they fail and when their error changes; the worker tries them again.
 * @param timeoutMs undefined or 0: no limit
 * @throws KajaError timeout naming the tables that are not in sync; aborted
 */
export async function waitSync(node: TableNode, progress: SyncProgress, timeoutMs?: number): Promise<void> {
  const { here, queue, log } = node;
  const deadline = timeoutMs ? Date.now() + timeoutMs : Number.POSITIVE_INFINITY;
  const errors = new Map<string, string>();
  const show = createDisplay(progress);
  let waiting: Set<string> | undefined;
  let pollMs = FIRST_POLL_MS;
  for (;;) {
    const reports = await readTableReports(here, queue);
    const behind = reports.filter((report) => report.mergeState !== 'ok' && report.mergeState !== '?');
    if (waiting === undefined) {
      log.info('Waiting until all tables are in sync');
      log.info(`${behind.length}/${reports.length} table(s) to copy`);
    } else {
      for (const name of waiting) {
        const gone = !reports.some((report) => report.tableName === name);
        if (!behind.some((report) => report.tableName === name)) {
          log.info(
            `${name}: ${gone ? 'removed' : 'finished'} (${reports.length - behind.length}/${reports.length})`,
          );
        }
      }
    }
    waiting = new Set(behind.map((report) => report.tableName));
    for (const report of behind) {
      if (report.lastError !== null && errors.get(report.tableName) !== report.lastError)
        log.error(`${report.tableName}: ${report.lastError}`);
      errors.set(report.tableName, report.lastError ?? '');
    }
    show(behind);
    if (behind.length === 0) {
      progress.clear();
      log.info('All done');
      return;
    }
    if (Date.now() >= deadline) {
      throw new KajaError(
        'timeout',
        `not in sync after ${(timeoutMs ?? 0) / 1000} s: ${behind.map(stateText).join(', ')}`,
        {
          hint: 'is the worker of this node running? see status and its logfile',
        },
      );
    }
    await sleep(Math.min(pollMs, Math.max(1, deadline - Date.now())), node.signal);
    pollMs = Math.min(pollMs * POLL_GROWTH, LAST_POLL_MS);
    if (node.signal.aborted)
      throw new KajaError('aborted', 'stopped on request', { cause: node.signal.reason });
  }
}

const stateText = (report: TableReport): string => `${report.tableName} (${report.mergeState ?? 'waiting'})`;

/** One line for all running copies: a display has room for one. The text changes seldom, so that logs do not fill with it. */
function createDisplay(progress: SyncProgress): (reports: readonly TableReport[]) => void {
  let label = '';
  let names = '';
  let labelAt = 0;
  return (reports) => {
    const copying = reports.filter((report) => report.copying && report.rowsCopied !== null);
    if (copying.length === 0) return;
    const now = copying.map((report) => report.tableName).join(', ');
    if (now !== names || Date.now() - labelAt >= LABEL_MS) {
      names = now;
      label = copying.map(copyLabel).join('; ');
      labelAt = Date.now();
    }
    const sum = (values: readonly (bigint | null)[]): number =>
      values.reduce((total: number, one) => total + Number(one ?? 0n), 0);
    const total = sum(copying.map((report) => report.rowsTotal));
    progress.update(label, sum(copying.map((report) => report.rowsCopied)), total > 0 ? total : undefined);
  };
}

function copyLabel(report: TableReport): string {
  const left = remainingText(report);
  return [
    report.tableName,
    ...(report.rowsPerSecond === null ? [] : [`${report.rowsPerSecond} rows/s`]),
    ...(left === undefined ? [] : [`${left} left`]),
  ].join(', ');
}
