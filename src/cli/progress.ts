/** Shows how far something is: a bar that repaints itself on a terminal, a line every ten seconds elsewhere. */
import type { Progress } from '../commands/command.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';

/** The part of stderr that is needed. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

const BAR_WIDTH = 24;
const PAINT_EVERY_MS = 100;
const LINE_EVERY_MS = 10_000;
const ERASE_LINE = '\r\u001b[2K';

/**
 * Create a progress display.
 * @param enabled false with -q and in daemons: shows nothing
 */
export function createProgress(stream: ProgressStream, enabled = true, clock: Clock = systemClock): Progress {
  const tty = stream.isTTY === true;
  let painted = false;
  let last: { label: string; atMs: number } | undefined;
  const due = (label: string, everyMs: number): boolean => {
    const now = clock.monotonicMs();
    if (last?.label === label && now - last.atMs < everyMs) return false;
    last = { label, atMs: now };
    return true;
  };
  let first: { label: string; atMs: number; done: number } | undefined;
  const pace = (label: string, done: number, total: number | undefined, unit: string): string => {
    const now = clock.monotonicMs();
    if (first?.label !== label || done < first.done) first = { label, atMs: now, done: 0 };
    const perSecond = (done - first.done) / Math.max(0.001, (now - first.atMs) / 1000);
    if (now === first.atMs || perSecond <= 0) return '';
    const left = total === undefined ? '' : `, ${remaining((total - done) / perSecond)} left`;
    return `, ${Math.round(perSecond)} ${unit}/s${left}`;
  };
  return {
    update(label, done, total, unit) {
      if (!enabled) return;
      const speed = unit === undefined ? '' : pace(label, done, total, unit);
      const finished = total !== undefined && done >= total;
      if (!due(label, tty ? PAINT_EVERY_MS : LINE_EVERY_MS) && !finished) return;
      if (tty) {
        stream.write(
          `${ERASE_LINE}${`${barLine(label, done, total)}${speed}`.slice(0, (stream.columns ?? 80) - 1)}`,
        );
        painted = true;
      } else stream.write(`${plainLine(label, done, total)}${speed}\n`);
    },
    clear() {
      if (painted) stream.write(ERASE_LINE);
      painted = false;
    },
  };
}

/** Seconds as `42 s`, `3 min` or `1 h 5 min`. */
function remaining(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.max(0, Math.ceil(seconds))} s`;
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const share = (done: number, total: number): number =>
  total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));

function barLine(label: string, done: number, total: number | undefined): string {
  if (total === undefined) return `${label}: ${done}`;
  const filled = Math.round(share(done, total) * BAR_WIDTH);
  return `${label} [${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${Math.floor(share(done, total) * 100)}% ${done}/${total}`;
}

function plainLine(label: string, done: number, total: number | undefined): string {
  return total === undefined
    ? `${label}: ${done}`
    : `${label}: ${Math.floor(share(done, total) * 100)}% (${done}/${total})`;
}
