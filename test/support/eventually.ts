/** Waits for facts instead of sleeping. */
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

/**
 * Read again and again until the value is as expected.
 * @param read may throw; a failing read counts as "not yet"
 * @param check true when the value is as expected
 * @param options.timeoutMs default 15 000 ms
 * @param options.intervalMs pause between reads, default 25 ms
 * @returns the first value that passes
 * @throws Error with the last value or failure when time is up
 */
export async function eventually<T>(
  read: () => Promise<T> | T,
  check: (value: T) => boolean = Boolean,
  options: { timeoutMs?: number; intervalMs?: number; what?: string } = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 15_000;
  const deadline = Date.now() + timeoutMs;
  let last = 'nothing read yet';
  do {
    try {
      const value = await read();
      if (check(value)) return value;
      last = `last value: ${inspect(value, { depth: 6, breakLength: 120 })}`;
    } catch (error) {
      last = `last failure: ${String(error)}`;
    }
    await sleep(options.intervalMs ?? 25);
  } while (Date.now() < deadline);
  throw new Error(`${options.what ?? 'condition'} not met within ${timeoutMs} ms; ${last}`);
}
