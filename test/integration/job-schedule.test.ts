/** Which runs of a job are started when, by a clock that the test moves; what is known of them is in a real database. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { takeRunLock } from '../../src/compare/run-lock.ts';
import { openSession } from '../../src/db/session.ts';
import type { RunningJob } from '../../src/jobs/job-process.ts';
import { beginRun, endDeadRuns, finishRun, noFacts, recordTime } from '../../src/jobs/job-record.ts';
import type { JobSettings } from '../../src/jobs/job-settings.ts';
import { JobScheduler } from '../../src/jobs/scheduler.ts';
import { eventually } from '../support/eventually.ts';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { logLines } from '../support/log-lines.ts';
import { createPair, type NodePair } from '../support/node-pair.ts';

let pair: NodePair;
let clock: FakeClock;
let settings: JobSettings;
/** Runs that were started: when, and for which time. */
let started: string[];
let finish: (() => void)[];
const stops: (() => Promise<void>)[] = [];

const NIGHT = '0 3 * * *';
const iso = (ms: number): string => new Date(ms).toISOString().slice(5, 16);

beforeAll(async () => {
  pair = await createPair();
});
afterAll(() => pair?.drop());
beforeEach(() => {
  clock = fakeClock('2026-11-26T12:00:00Z');
  started = [];
  finish = [];
  settings = {
    location: pair.leaf.url,
    queue: pair.queue,
    consumer: 'leaf_job',
    configFile: pair.leafIni,
    overrides: [],
    schedule: NIGHT,
    timezone: 'UTC',
    missed: 'run',
    onFailure: '',
    exceptionSleepMs: 1000,
  };
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await pair.leaf.sql('delete from kaja.job_run; delete from kaja.job');
});

/** Start a scheduler whose runs do nothing; each ends when the test says so, or at once. */
async function schedule(
  own: Partial<JobSettings> = {},
  ends: 'at once' | 'when told' = 'at once',
): Promise<{
  jobs: JobScheduler;
  lines: readonly string[];
  skipped: () => number;
  stop: () => Promise<void>;
}> {
  const { log, lines } = logLines();
  let skips = 0;
  const jobs = new JobScheduler({ ...settings, ...own }, log, {
    clock,
    start: ({ dueMs }): RunningJob => {
      started.push(`${iso(clock.now())} for ${iso(dueMs)}`);
      const ended = new Promise<undefined>((resolve) => {
        if (ends === 'at once') resolve(undefined);
        else finish.push(() => resolve(undefined));
      });
      return { ended, skipped: () => void skips++ };
    },
  });
  const stop = new AbortController();
  const done = jobs.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    for (const one of finish) one();
    await done;
  };
  stops.push(end);
  await ready(lines, 1);
  return { jobs, lines, skipped: () => skips, stop: end };
}

const ready = (lines: readonly string[], times: number): Promise<unknown> =>
  eventually(() => lines.filter((line) => / is scheduled|no effect/.test(line)).length === times);

/** Store a run as its process does. */
async function keepRun(due: string, result: 'equal' | 'interrupted'): Promise<void> {
  await using session = await openSession(pair.leaf.url, { purpose: 'admin' });
  const time = { queue: pair.queue, job: 'compare', startedBy: 'schedule' as const, dueMs: Date.parse(due) };
  const run = await beginRun(session, time, 'here');
  await finishRun(session, run?.id ?? 0n, noFacts(result, null));
}

describe('the schedule of a job', () => {
  it('starts runs at its times in its zone, and never for times before it was known', async () => {
    const { lines } = await schedule({ timezone: 'Europe/Tallinn' });
    expect(lines).toEqual([
      'INFO job compare is scheduled: 0 3 * * *, Europe/Tallinn, next at 2026-11-27 03:00:00',
    ]);
    await clock.advanceTo('2026-11-28T12:00:00Z');
    expect(started).toEqual(['11-27T01:00 for 11-27T01:00', '11-28T01:00 for 11-28T01:00']);
  });

  it('runs missed times once at the next start', async () => {
    await (await schedule()).stop();
    clock.jumpTo('2026-11-29T12:00:00Z');
    const { lines } = await schedule();
    await eventually(() => started.length === 1);
    expect(started).toEqual(['11-29T12:00 for 11-29T03:00']);
    expect(lines.at(-1)).toBe(
      'WARNING job compare of 2026-11-29 03:00:00 was missed or cut short, it runs now',
    );
  });

  it('skips missed times when told so, and says so', async () => {
    await (await schedule({ missed: 'skip' })).stop();
    clock.jumpTo('2026-11-29T12:00:00Z');
    const { lines, stop } = await schedule({ missed: 'skip' });
    const rows = await eventually(
      () => pair.leaf.sql('select result, reason, started_at from kaja.job_run'),
      (found) => found.length === 1,
    );
    expect(rows).toEqual([{ result: 'missed', reason: 'no worker was there to start it', started_at: null }]);
    expect(lines.at(-1)).toBe(
      'WARNING job compare of 2026-11-29 03:00:00 was missed: no worker was there to start it',
    );
    expect((await pair.onLeaf('jobs', '--last', '9')).out).toContain('missed at 2026-11-29 03:00:00');
    await stop();
    // That is done.
    await schedule();
    await clock.advanceTo('2026-11-29T13:00:00Z');
    expect(started).toEqual([]);
  });

  it('does a run that was cut short again, three times at most, and none that ended', async () => {
    await (await schedule()).stop();
    for (const attempts of [1, 2, 3]) {
      await keepRun('2026-11-27T03:00:00Z', 'interrupted');
      clock.jumpTo(`2026-11-27T0${3 + attempts}:00:00Z`);
      const { stop } = await schedule();
      if (attempts < 3) await eventually(() => started.length === attempts);
      else await clock.advanceTo('2026-11-27T12:00:00Z');
      await stop();
    }
    expect(started).toEqual(['11-27T04:00 for 11-27T03:00', '11-27T05:00 for 11-27T03:00']);
    await keepRun('2026-11-28T03:00:00Z', 'equal');
    clock.jumpTo('2026-11-28T12:00:00Z');
    await schedule();
    await clock.advanceTo('2026-11-28T13:00:00Z');
    expect(started).toHaveLength(2);
  });

  it('is run once where several workers have it, and runs whose process died are known by their lock', async () => {
    await using session = await openSession(pair.leaf.url, { purpose: 'admin' });
    const dueMs = clock.now();
    const time = { queue: pair.queue, job: 'compare', startedBy: 'schedule' as const, dueMs };
    // The other was faster with the lock, but not with its row.
    expect(await recordTime(session, time, 'skipped', 'another one runs')).toBe(true);
    expect(await recordTime(session, time, 'skipped', 'another one runs')).toBe(false);
    expect(await beginRun(session, time, 'here')).toMatchObject({ attempts: 1 });
    expect(await beginRun(session, time, 'there')).toBeUndefined();
    const result = async (): Promise<unknown> => {
      const { out } = await pair.onLeaf('jobs', '--json');
      return JSON.parse(out)[0].last_run.result;
    };
    expect(await takeRunLock(session, pair.queue)).toBe(true);
    {
      await using other = await openSession(pair.leaf.url, { purpose: 'admin' });
      expect(await takeRunLock(other, pair.queue)).toBe(false);
      await endDeadRuns(other, pair.queue, false);
    }
    expect(await result()).toBe('running');
    await session.execute('select pg_advisory_unlock_all()');
    expect(await result()).toBe('interrupted');
    await endDeadRuns(session, pair.queue, false);
    expect(await beginRun(session, time, 'there')).toMatchObject({ attempts: 2 });
  });

  it('is one at a time', async () => {
    const { lines, skipped } = await schedule({ schedule: '*/10 * * * *' }, 'when told');
    await clock.advanceTo('2026-11-26T12:35:00Z');
    expect(started).toEqual(['11-26T12:10 for 11-26T12:10']);
    expect(skipped()).toBe(2);
    expect(lines.at(-1)).toBe(
      'WARNING job compare of 2026-11-26 12:30:00 is skipped: the run before is still going on',
    );
    for (const one of finish) one();
    await clock.advanceTo('2026-11-26T12:45:00Z');
    expect(started).toEqual(['11-26T12:10 for 11-26T12:10', '11-26T12:40 for 11-26T12:40']);
  });

  it('takes a new schedule after a reload, while a run goes on', async () => {
    const { jobs, lines, skipped } = await schedule({}, 'when told');
    await clock.advanceTo('2026-11-27T03:00:00Z');
    jobs.reload({ ...settings, schedule: '0 12 * * *' });
    await ready(lines, 2);
    // The time before was not missed: the schedule is new.
    await clock.advanceTo('2026-11-27T11:59:00Z');
    expect(started).toHaveLength(1);
    for (const one of finish) one();
    await clock.advanceTo('2026-11-27T12:00:00Z');
    expect(started).toEqual(['11-27T03:00 for 11-27T03:00', '11-27T12:00 for 11-27T12:00']);
    expect(skipped()).toBe(0);
    jobs.reload({ ...settings, schedule: '' });
    await eventually(async () => (await pair.leaf.sql('select from kaja.job')).length === 0);
    await clock.advanceTo('2026-11-29T12:00:00Z');
    jobs.reload({ ...settings, schedule: '0 12 * * *' });
    await ready(lines, 3);
    await clock.advanceTo('2026-11-30T11:00:00Z');
    expect(started).toHaveLength(2);
  });

  it('has no effect on the root', async () => {
    const { lines } = await schedule({ location: pair.root.url });
    expect(lines).toEqual([
      'WARNING compare_schedule has no effect: this node is the root, subscribers compare with it',
    ]);
    await clock.advanceTo('2026-11-29T12:00:00Z');
    expect(started).toEqual([]);
  });
});
