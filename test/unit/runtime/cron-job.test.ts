import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/log/logger.ts';
import { checkSchedule, createCronJob } from '../../../src/runtime/cron-job.ts';
import { sleep } from '../../../src/runtime/sleep.ts';

const log = silentLog();

describe('createCronJob', () => {
  it('runs every second, never twice at a time, and awaits the run in hand when stopped', async () => {
    const stop = new AbortController();
    let now = 0;
    let most = 0;
    let runs = 0;
    const job = createCronJob({
      name: 'job',
      schedule: '* * * * * *',
      log,
      run: async (signal) => {
        most = Math.max(most, ++now);
        if (++runs === 2) setTimeout(() => stop.abort(), 50);
        await sleep(runs === 1 ? 1500 : 3_600_000, runs === 1 ? undefined : signal);
        now--;
      },
    });
    await job.run(stop.signal);
    expect({ now, most, runs }).toEqual({ now: 0, most: 1, runs: 2 });
  });

  it('goes on after a failure, or ends with it when told so', async () => {
    const stop = new AbortController();
    let runs = 0;
    const run = async (): Promise<void> => {
      if (++runs === 2) stop.abort();
      throw new Error(`failure ${runs}`);
    };
    await createCronJob({ name: 'job', schedule: '* * * * * *', log, run }).run(stop.signal);
    expect(runs).toBe(2);
    const failing = createCronJob({
      name: 'job',
      schedule: '* * * * * *',
      log,
      run: () => Promise.reject(new Error('bad')),
      onFailure: 'stop',
    });
    await expect(failing.run(new AbortController().signal)).rejects.toThrow('bad');
  });

  it('does nothing when stopped before', async () => {
    await createCronJob({
      name: 'job',
      schedule: '* * * * * *',
      log,
      run: () => Promise.reject(new Error('ran')),
    }).run(AbortSignal.abort());
  });

  it('refuses wrong schedules and time zones', () => {
    expect(() => checkSchedule('now and then')).toThrow('schedule "now and then" is not understood');
    expect(() => checkSchedule('* * * * *', 'Mars/Olympus')).toThrow('time zone "Mars/Olympus" is not known');
    checkSchedule('*/5 * * * * *', 'Europe/Tallinn');
  });
});
