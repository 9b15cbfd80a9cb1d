/** A clock that stands until a test moves it. */
import type { Clock } from '../../src/runtime/clock.ts';

/** The clock, and the hand that moves it. */
export interface FakeClock extends Clock {
  /** Let time pass: sleeps end in their order, and what waited for them goes on before the next one ends. */
  advanceTo(time: string | number): Promise<void>;
  /** Set the wall clock without letting time pass, as an operator or a sleeping machine does. */
  jumpTo(time: string | number): void;
}

/** @param start for example `2026-03-28T12:00:00Z` */
export function fakeClock(start: string): FakeClock {
  let now = Date.parse(start);
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) await new Promise((resolve) => setImmediate(resolve));
  };
  const ms = (time: string | number): number => (typeof time === 'number' ? time : Date.parse(time));
  return {
    now: () => now,
    monotonicMs: () => now,
    sleep: (duration, signal) =>
      new Promise((resolve) => {
        const wake = (): void => {
          signal?.removeEventListener('abort', wake);
          sleepers.delete(sleeper);
          resolve();
        };
        const sleeper = { at: now + Math.max(duration, 0), wake };
        if (signal?.aborted) return resolve();
        sleepers.add(sleeper);
        signal?.addEventListener('abort', wake, { once: true });
      }),
    advanceTo: async (time) => {
      const end = ms(time);
      await settle();
      for (;;) {
        const [first] = [...sleepers].sort((a, b) => a.at - b.at);
        if (!first || first.at > end) break;
        now = Math.max(now, first.at);
        first.wake();
        await settle();
      }
      now = end;
    },
    jumpTo: (time) => {
      now = ms(time);
    },
  };
}
