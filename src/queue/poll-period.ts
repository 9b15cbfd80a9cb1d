/** How long a ticker waits between two looks. */

/** After the last tick it keeps looking quickly for so long. */
export const QUICK_FOR_MS = 2_000;

/** Each further wait is longer by this factor, so that a pause of work does not cost a whole slow period at once. */
const STRETCH = 1.5;

/**
 * Next wait between two polls.
 * @param beforeMs wait before this poll; 0 for the first
 * @param sinceTickMs time since a poll last found something
 * @param minMs ticker_min_period
 * @param maxMs ticker_max_period
 * @returns milliseconds
 */
export function pollPeriod(beforeMs: number, sinceTickMs: number, minMs: number, maxMs: number): number {
  if (sinceTickMs < QUICK_FOR_MS) return minMs;
  return Math.min(maxMs, Math.max(minMs, beforeMs * STRETCH));
}
