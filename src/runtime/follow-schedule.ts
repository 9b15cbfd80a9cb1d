/** Waits for the times of a schedule, one after the other, by the wall clock: also when that jumps or the machine sleeps. */
import type { Calendar } from '../config/cron-calendar.ts';
import type { Clock } from './clock.ts';

/** A time that has come. */
export interface DueTime {
  /** The time of the schedule, milliseconds since 1970; the latest where several have passed. */
  readonly dueMs: number;
  /** The first one that nothing was done about; the same as `dueMs` unless several have passed. */
  readonly firstMs: number;
  /** It passed while nobody looked: before the start, or while the machine slept. */
  readonly late: boolean;
}

/** What to follow. */
export interface FollowOptions {
  readonly calendar: Calendar;
  /** Times up to this one are done. */
  readonly sinceMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called at each time; what takes long must not be awaited in it. */
  readonly onDue: (due: DueTime) => Promise<void> | void;
}

/** A timer is off by what the wall clock is set by in the meantime, so none runs longer than this. */
const LONGEST_SLEEP_MS = 30_000;
/** A time that is over for longer was missed. */
const LATE_MS = 60_000;

/** Follow a schedule until the signal aborts. Times that passed together are one. */
export async function followSchedule(options: FollowOptions): Promise<void> {
  const { calendar, clock, signal, onDue } = options;
  let done = options.sinceMs;
  while (!signal.aborted) {
    const next = calendar.next(done);
    const now = clock.now();
    if (next === undefined || next > now) {
      await clock.sleep(Math.min((next ?? Number.POSITIVE_INFINITY) - now, LONGEST_SLEEP_MS), signal);
      continue;
    }
    const latest = Math.max(calendar.previous(now) ?? next, next);
    done = latest;
    await onDue({ dueMs: latest, firstMs: next, late: now - latest > LATE_MS });
  }
}
