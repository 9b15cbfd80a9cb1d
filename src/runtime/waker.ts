/** Cuts a wait short: a notification came. It never carries truth, only haste. */
import { type Clock, systemClock } from './clock.ts';

/** One sleeper, many callers. */
export interface Waker {
  /** End the present wait, or the next one when nobody waits. */
  wake(): void;
  /** Resolves at the next `wake`, or when the signal aborts; forgets a wake that came before. */
  wait(signal: AbortSignal): Promise<void>;
}

/** Create a waker. */
export function createWaker(): Waker {
  let pending = false;
  let notify: (() => void) | undefined;
  return {
    wake() {
      pending = true;
      notify?.();
    },
    wait(signal) {
      if (pending || signal.aborted) {
        pending = false;
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        const done = (): void => {
          pending = false;
          notify = undefined;
          signal.removeEventListener('abort', done);
          resolve();
        };
        notify = done;
        signal.addEventListener('abort', done, { once: true });
      });
    },
  };
}

/** Wait for a time, until the waker is woken, or until the signal aborts, whatever comes first. Never throws. */
export async function sleepUntilWoken(
  ms: number,
  waker: Waker,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  await Promise.race([clock.sleep(ms, either), waker.wait(either)]);
  over.abort();
}
