/** The only sleep of the program. */

/* setTimeout takes 31 bits of milliseconds; longer waits are cut and the caller's loop simply comes round. */
const LONGEST_MS = 2_147_483_647;

/**
 * Wait.
 * @param ms milliseconds; 0 or less lets other work run once
 * @param signal ends the wait early
 * @returns after the time or at once when the signal aborts; never throws
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(Math.max(0, ms), LONGEST_MS));
    signal?.addEventListener('abort', done, { once: true });
  });
}
