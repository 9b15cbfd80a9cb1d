import { describe, expect, it } from 'vitest';
import { KajaError } from '../../../src/errors/kaja-error.ts';
import { createLog, type Log, silentLog } from '../../../src/log/logger.ts';
import { createBackoff } from '../../../src/runtime/backoff.ts';
import type { Clock } from '../../../src/runtime/clock.ts';
import { type LoopAnswer, runLoop } from '../../../src/runtime/loop.ts';
import { createWaker } from '../../../src/runtime/waker.ts';

/** A clock whose sleeps take no time and are written down. */
function fakeClock(): Clock & { slept: number[] } {
  const slept: number[] = [];
  let now = 0;
  return {
    slept,
    now: () => now,
    monotonicMs: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const timed = (): Error => Object.assign(new Error('gone'), { code: '57P01' });

/** A runOnce that goes through a list of answers and failures, then stops the loop. */
function script(steps: readonly (LoopAnswer | Error)[]): {
  stop: AbortController;
  runOnce: () => Promise<LoopAnswer>;
  calls: () => number;
} {
  const stop = new AbortController();
  let at = 0;
  return {
    stop,
    calls: () => at,
    runOnce: async () => {
      const step = steps[at++];
      if (at >= steps.length) stop.abort();
      if (step instanceof Error) throw step;
      return step ?? 'idle';
    },
  };
}

function loggedLines(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const { log } = createLog({
    consoleSink: { write: (text) => void lines.push(text), colours: false },
    consoleLine: { line: '%(levelname)s %(message)s' },
  });
  return { log, lines };
}

describe('runLoop', () => {
  it('goes on at once after more, rests after idle, waits as told', async () => {
    const clock = fakeClock();
    const { runOnce, stop, calls } = script(['more', 'idle', { waitMs: 77 }, 'more']);
    await runLoop({ name: 'x', runOnce, signal: stop.signal, log: silentLog(), idleMs: 500, clock });
    expect(calls()).toBe(4);
    expect(clock.slept).toEqual([500, 77]);
  });

  it('doubles pauses after failures up to the limit and starts again after a success', async () => {
    const clock = fakeClock();
    const { runOnce, stop } = script([timed(), timed(), timed(), timed(), 'more', timed(), 'more']);
    await runLoop({
      name: 'x',
      runOnce,
      signal: stop.signal,
      log: silentLog(),
      idleMs: 500,
      maxBackoffMs: 3000,
      clock,
      random: () => 0,
    });
    expect(clock.slept).toEqual([1000, 2000, 3000, 3000, 1000]);
  });

  it('warns first, complains when it lasts, and says when it works again', async () => {
    const { log, lines } = loggedLines();
    const { runOnce, stop } = script([timed(), timed(), timed(), 'more', 'more']);
    await runLoop({
      name: 'reader',
      runOnce,
      signal: stop.signal,
      log,
      idleMs: 1,
      clock: fakeClock(),
      random: () => 0,
    });
    expect(lines).toEqual([
      'WARNING reader: gone (attempt 1, next in 1.0s)\n',
      'WARNING reader: gone (attempt 2, next in 2.0s)\n',
      'ERROR reader: gone (attempt 3, next in 4.0s)\n',
      'INFO reader: works again after 3 failed attempts\n',
    ]);
  });

  it('ends with a failure that must never be repeated, and tells onError first', async () => {
    const seen: unknown[] = [];
    const error = new KajaError('schema-too-new', 'too new');
    const { runOnce, stop } = script([error, 'more']);
    await expect(
      runLoop({
        name: 'x',
        runOnce,
        signal: stop.signal,
        log: silentLog(),
        idleMs: 1,
        clock: fakeClock(),
        onError: (one) => void seen.push(one),
      }),
    ).rejects.toBe(error);
    expect(seen).toEqual([error]);
  });

  it('survives an onError that fails itself', async () => {
    const { runOnce, stop, calls } = script([timed(), 'more']);
    await runLoop({
      name: 'x',
      runOnce,
      signal: stop.signal,
      log: silentLog(),
      idleMs: 1,
      clock: fakeClock(),
      onError: () => Promise.reject(new Error('no connection')),
    });
    expect(calls()).toBe(2);
  });

  it('runs once, or until idle, and then throws failures', async () => {
    const once = script(['more', 'more']);
    await runLoop({
      name: 'x',
      runOnce: once.runOnce,
      signal: once.stop.signal,
      log: silentLog(),
      idleMs: 1,
      until: 'once',
    });
    expect(once.calls()).toBe(1);
    const idle = script(['more', 'more', 'idle', 'more']);
    await runLoop({
      name: 'x',
      runOnce: idle.runOnce,
      signal: idle.stop.signal,
      log: silentLog(),
      idleMs: 1,
      until: 'idle',
    });
    expect(idle.calls()).toBe(3);
    const bad = script([timed(), 'more']);
    await expect(
      runLoop({
        name: 'x',
        runOnce: bad.runOnce,
        signal: bad.stop.signal,
        log: silentLog(),
        idleMs: 1,
        until: 'once',
      }),
    ).rejects.toThrow('gone');
  });

  it('stops during a wait, and is quiet about the abort of a stopped pass', async () => {
    const { log, lines } = loggedLines();
    const stop = new AbortController();
    const ended = runLoop({
      name: 'x',
      signal: stop.signal,
      log,
      idleMs: 3_600_000,
      runOnce: async () => {
        setImmediate(() => stop.abort());
        return 'idle';
      },
    });
    await ended;
    const aborted = new AbortController();
    await runLoop({
      name: 'x',
      signal: aborted.signal,
      log,
      idleMs: 1,
      runOnce: async (signal) => {
        aborted.abort();
        signal.throwIfAborted();
        return 'idle';
      },
    });
    expect(lines).toEqual([]);
  });

  it('cuts idle waits short when woken, also by a call that came before the wait', async () => {
    const waker = createWaker();
    const stop = new AbortController();
    let passes = 0;
    waker.wake();
    await runLoop({
      name: 'x',
      signal: stop.signal,
      log: silentLog(),
      idleMs: 3_600_000,
      waker,
      runOnce: async () => {
        passes++;
        if (passes === 2) setImmediate(() => waker.wake());
        if (passes === 3) stop.abort();
        return 'idle';
      },
    });
    expect(passes).toBe(3);
  });
});

describe('createBackoff', () => {
  it('takes a random part off each pause', () => {
    const backoff = createBackoff({ minMs: 1000, maxMs: 60_000, jitter: 0.5, random: () => 0.5 });
    expect([backoff.next(), backoff.next(), backoff.failures]).toEqual([750, 1500, 2]);
    for (let n = 0; n < 100; n++) backoff.next();
    expect(backoff.next()).toBe(45_000);
  });
});
