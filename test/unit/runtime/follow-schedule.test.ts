import { describe, expect, it } from 'vitest';
import { createCalendar } from '../../../src/config/cron-calendar.ts';
import { silentLog } from '../../../src/log/logger.ts';
import { createCronJob } from '../../../src/runtime/cron-job.ts';
import { followSchedule } from '../../../src/runtime/follow-schedule.ts';
import { type FakeClock, fakeClock } from '../../support/fake-clock.ts';

/** Follow a schedule in Tallinn. `seen`: when it came, and which time it was. */
function follow(
  schedule: string,
  clock: FakeClock,
  since?: string,
): { seen: string[]; stop: () => Promise<void> } {
  const stop = new AbortController();
  const seen: string[] = [];
  const iso = (ms: number): string => new Date(ms).toISOString().slice(5, 19);
  const done = followSchedule({
    calendar: createCalendar(schedule, 'Europe/Tallinn'),
    sinceMs: since === undefined ? clock.now() : Date.parse(since),
    clock,
    signal: stop.signal,
    onDue: ({ dueMs, firstMs, late }) => {
      seen.push([iso(clock.now()), iso(dueMs), ...(firstMs === dueMs ? [] : [iso(firstMs)]), late].join(' '));
    },
  });
  return {
    seen,
    stop: async () => {
      stop.abort();
      await done;
    },
  };
}

describe('followSchedule', () => {
  it('comes at its times, also on the days when clocks change', async () => {
    const clock = fakeClock('2026-03-28T12:00:00Z');
    const spring = follow('30 3 * * *', clock);
    await clock.advanceTo('2026-03-30T12:00:00Z');
    await spring.stop();
    expect(spring.seen).toEqual([
      '03-29T01:00:00 03-29T01:00:00 false',
      '03-30T00:30:00 03-30T00:30:00 false',
    ]);
    clock.jumpTo('2026-10-24T12:00:00Z');
    const autumn = follow('30 3 * * *', clock);
    await clock.advanceTo('2026-10-26T12:00:00Z');
    await autumn.stop();
    expect(autumn.seen).toEqual([
      '10-25T00:30:00 10-25T00:30:00 false',
      '10-26T01:30:00 10-26T01:30:00 false',
    ]);
  });

  it('takes times that passed before as one late one, the latest', async () => {
    const clock = fakeClock('2026-07-10T12:00:00Z');
    const { seen, stop } = follow('0 3 * * *', clock, '2026-07-07T01:00:00Z');
    await clock.advanceTo('2026-07-11T00:00:01Z');
    await stop();
    expect(seen).toEqual([
      '07-10T12:00:00 07-10T00:00:00 07-08T00:00:00 true',
      '07-11T00:00:00 07-11T00:00:00 false',
    ]);
  });

  it('notices that the machine slept, and does not run twice when the clock is set back', async () => {
    const clock = fakeClock('2026-07-10T12:00:00Z');
    const { seen, stop } = follow('0 * * * *', clock);
    await clock.advanceTo('2026-07-10T13:00:00Z');
    clock.jumpTo('2026-07-10T12:58:00Z');
    await clock.advanceTo('2026-07-10T13:10:00Z');
    clock.jumpTo('2026-07-10T17:30:00Z');
    await clock.advanceTo('2026-07-10T17:31:00Z');
    await stop();
    expect(seen).toEqual([
      '07-10T13:00:00 07-10T13:00:00 false',
      '07-10T17:30:00 07-10T17:00:00 07-10T14:00:00 true',
    ]);
  });
});

describe('createCronJob', () => {
  it('leaves out what is due while the last run still works', async () => {
    const clock = fakeClock('2026-07-10T12:00:30Z');
    const stop = new AbortController();
    const begun: string[] = [];
    const job = createCronJob({
      name: 'job',
      schedule: '* * * * *',
      clock,
      log: silentLog(),
      run: async () => {
        begun.push(new Date(clock.now()).toISOString().slice(11, 16));
        if (begun.length === 1) await clock.sleep(130_000);
      },
    }).run(stop.signal);
    await clock.advanceTo('2026-07-10T12:05:10Z');
    stop.abort();
    await job;
    expect(begun).toEqual(['12:01', '12:04', '12:05']);
  });
});
