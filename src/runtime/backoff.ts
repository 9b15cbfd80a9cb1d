/** Growing pauses between attempts that fail. */

/** Settings in milliseconds. */
export interface BackoffOptions {
  /** First pause. */
  readonly minMs: number;
  /** Longest pause: exception_sleep. */
  readonly maxMs: number;
  /** Part of the pause that is random, 0…1; spreads workers that fail together. */
  readonly jitter?: number | undefined;
  /** Source of randomness in [0, 1). */
  readonly random?: (() => number) | undefined;
}

/** A series of pauses. */
export interface Backoff {
  /** Failures since the last success. */
  readonly failures: number;
  /** Count a failure and tell how long to wait, milliseconds. */
  next(): number;
  /** Count a success: the next pause is the first again. */
  reset(): void;
}

/** Start a series of pauses that double from `minMs` to `maxMs`. */
export function createBackoff(options: BackoffOptions): Backoff {
  const { minMs, maxMs, jitter = 0.25, random = Math.random } = options;
  let failures = 0;
  return {
    get failures() {
      return failures;
    },
    next() {
      const full = Math.min(maxMs, minMs * 2 ** Math.min(failures, 30));
      failures++;
      return Math.round(full * (1 - jitter * random()));
    },
    reset() {
      failures = 0;
    },
  };
}
