/**
 * The times of a cron schedule. node-cron reads the fields and says which days they mean; hours and minutes are put on the clock here,
 * because node-cron leaves out a run whose hour is missing on the day that clocks go forward.
 */
import { createRequire } from 'node:module';
import type nodeCron from 'node-cron';

/** Times in milliseconds since 1970. */
export interface Calendar {
  /** The first time after this one; undefined: there is none. */
  next(afterMs: number): number | undefined;
  /** The last time that is not after this one; undefined: there is none. */
  previous(atMs: number): number | undefined;
}

/* Loaded at the first schedule: most ini files have none. */
const load = createRequire(import.meta.url);
const DAY = 86_400_000;
/** A 29th of February on a given day of the week comes again within this time. */
const FAR_DAYS = 366 * 41;
/** A search looks at neighbouring days; schedules of every second ask again and again. */
const KNOWN_DAYS = 4;

/**
 * Make the calendar of a schedule, which must be valid.
 *
 * Days are those of crontab(5): where day of month and day of week are both given, one of them is enough. When clocks go forward,
 * times in the missing hour come at its end; when they go back, a time in the repeated hour comes once, the first time. Only schedules of every
 * hour take no notice: they go on at their pace.
 * @param timezone IANA name; empty: the zone of this machine
 */
export function createCalendar(schedule: string, timezone = ''): Calendar {
  const cron = load('node-cron') as typeof nodeCron;
  const { second, minute, hour } = cron.parse(schedule);
  const times = ascending(hour).flatMap((h) =>
    ascending(minute).flatMap((m) => ascending(second).map((s) => ((h * 60 + m) * 60 + s) * 1000)),
  );
  const everyHour = hour.length === 24;
  const isDay = dayMatcher(cron, schedule);
  const offsetAt = offsets(timezone);
  const dayOf = (ms: number): number => Math.floor((ms + offsetAt(ms)) / DAY);
  const known = new Map<number, readonly number[]>();
  const instantsOf = (day: number): readonly number[] => {
    const instants = known.get(day) ?? placeOn(day * DAY, times, offsetAt, everyHour);
    if (!known.has(day) && known.size >= KNOWN_DAYS) known.clear();
    known.set(day, instants);
    return instants;
  };
  const search = (ms: number, step: 1 | -1, fits: (instant: number) => boolean): number | undefined => {
    // Where clocks change at midnight a time may fall upon the neighbouring day.
    for (let day = dayOf(ms) - step, left = FAR_DAYS; left > 0; day += step, left--) {
      if (!isDay(day)) continue;
      const instants = instantsOf(day);
      const found = step > 0 ? instants.find(fits) : instants.findLast(fits);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    next: (afterMs) => search(afterMs, 1, (instant) => instant > afterMs),
    previous: (atMs) => search(atMs, -1, (instant) => instant <= atMs),
  };
}

const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

/** Does a schedule mean this day, counted from 1970? */
function dayMatcher(cron: typeof nodeCron, schedule: string): (day: number) => boolean {
  const { dayOfMonth, month, dayOfWeek } = cron.parse(schedule);
  const matcher = (days: string, weekdays: string): ((day: number) => boolean) => {
    const task = cron.createTask(`0 0 0 ${days} ${month.join(',')} ${weekdays}`, () => {}, {
      timezone: 'UTC',
    });
    void task.destroy();
    return (day) => task.match(new Date(day * DAY));
  };
  const words = schedule.trim().split(/\s+/);
  const [days = '*', , weekdays = '*'] = words.length < 5 ? [] : words.slice(-3);
  if (/^[*?]/.test(days) || /^[*?]/.test(weekdays)) return matcher(dayOfMonth.join(','), dayOfWeek.join(','));
  const byDay = matcher(dayOfMonth.join(','), '*');
  const byWeekday = matcher('*', dayOfWeek.join(','));
  return (day) => byDay(day) || byWeekday(day);
}

/** How far local time is ahead of UTC at an instant, in milliseconds. */
function offsets(timezone: string): (ms: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    ...(timezone ? { timeZone: timezone } : {}),
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (ms) => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    const local = Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour'),
      part('minute'),
      part('second'),
    );
    return local - Math.floor(ms / 1000) * 1000;
  };
}

/** The instants at which a local day shows these times, ascending. */
function placeOn(
  midnight: number,
  times: readonly number[],
  offsetAt: (ms: number) => number,
  everyHour: boolean,
): readonly number[] {
  const before = offsetAt(midnight - DAY);
  const after = offsetAt(midnight + 2 * DAY);
  if (before === after) return times.map((time) => midnight + time - before);
  const change = changeBetween(midnight - DAY, midnight + 2 * DAY, before, offsetAt);
  const instants = times.flatMap((time) => {
    const old = midnight + time - before;
    const fresh = midnight + time - after;
    const shown = [...(old < change ? [old] : []), ...(fresh >= change ? [fresh] : [])];
    if (shown.length === 0 && !everyHour) return [change];
    return everyHour ? shown : shown.slice(0, 1);
  });
  return [...new Set(ascending(instants))];
}

/** The instant at which the offset changes. */
function changeBetween(from: number, to: number, before: number, offsetAt: (ms: number) => number): number {
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}
