/** Lanes are added while they help, and no piece is lost whatever happens to them. */
import { describe, expect, it } from 'vitest';
import { runGrowingLanes } from '../../../src/copy/growing-lanes.ts';
import type { Clock } from '../../../src/runtime/clock.ts';

/** Time passes only by sleeping: in steps, so that everybody who waits wakes in order. */
function steppingClock(): Clock {
  let nowMs = 0;
  const sleepers: { untilMs: number; wake: () => void }[] = [];
  const step = (): void => {
    sleepers.sort((a, b) => a.untilMs - b.untilMs);
    const next = sleepers.shift();
    if (!next) return;
    nowMs = Math.max(nowMs, next.untilMs);
    next.wake();
  };
  return {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const sleeper = { untilMs: nowMs + ms, wake: resolve };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', () => {
          const at = sleepers.indexOf(sleeper);
          if (at >= 0) sleepers.splice(at, 1);
          resolve();
        });
        setImmediate(step);
      }),
  };
}

/** Pieces of 100 ms of work; `speed` says how fast a lane is when so many run. */
async function run(options: {
  readonly most: number;
  readonly pieces: number;
  readonly speed: (lanes: number) => number;
  readonly failAt?: number;
}): Promise<{ done: number; widest: number; late: number }> {
  const clock = steppingClock();
  let left = options.pieces;
  let done = 0;
  let active = 0;
  let widest = 0;
  let late = 0;
  await runGrowingLanes(
    {
      most: options.most,
      done: () => done,
      lane: async (_, goesOn) => {
        active++;
        widest = Math.max(widest, active);
        let more = true;
        while (more && left > 0) {
          if (left === options.failAt) throw new Error('piece refused');
          left--;
          await clock.sleep(100 / options.speed(active));
          done++;
          if (left === 5) late = active;
          more = goesOn();
        }
        active--;
      },
    },
    clock,
  );
  return { done, widest, late };
}

describe('growing lanes', () => {
  it('adds lanes up to the limit while each makes the whole faster', async () => {
    expect(await run({ most: 3, pieces: 400, speed: () => 1 })).toMatchObject({
      done: 400,
      widest: 3,
      late: 3,
    });
  });

  it('goes back to one lane where two are no faster together, and does not try a third', async () => {
    expect(await run({ most: 4, pieces: 400, speed: (lanes) => 1 / lanes })).toEqual({
      done: 400,
      widest: 2,
      late: 1,
    });
  });

  it('does not begin a second lane for little work', async () => {
    expect(await run({ most: 4, pieces: 6, speed: () => 1 })).toEqual({ done: 6, widest: 1, late: 1 });
  });

  it('ends with the failure of a lane', async () => {
    await expect(run({ most: 2, pieces: 100, speed: () => 1, failAt: 50 })).rejects.toThrow('piece refused');
  });
});
