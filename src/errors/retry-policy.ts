/** Which failures go away by waiting. The list is short on purpose: everything else needs a human. */
import type { RetryPolicy } from './codes.ts';
import { KajaError } from './kaja-error.ts';

const TIMED_SQLSTATES = new Set([
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '53300', // too_many_connections
]);

const TIMED_NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'EAI_AGAIN',
  'ENOTFOUND',
]);

/* node-postgres reports a broken connection by text only. */
const TIMED_MESSAGES = [
  /^Connection terminated/,
  /^Client has encountered a connection error/,
  /^timeout expired$/,
  /^Connection ended/,
];

/** Does this code (SQLSTATE or network errno) go away by waiting? */
export function isTimedCode(code: string): boolean {
  return TIMED_SQLSTATES.has(code) || TIMED_NETWORK.has(code) || /^08[0-9A-Z]{3}$/.test(code);
}

/**
 * Decide what a loop does with a failure.
 * @param error whatever was thrown; a KajaError decides itself, others by code, then by their cause
 */
export function retryPolicyOf(error: unknown): RetryPolicy {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    if (at instanceof KajaError) return at.retry;
    const code = 'code' in at && typeof at.code === 'string' ? at.code : '';
    if (isTimedCode(code) || TIMED_MESSAGES.some((pattern) => pattern.test(at.message))) return 'timed';
    if (
      at instanceof AggregateError &&
      at.errors.length > 0 &&
      at.errors.every((one) => retryPolicyOf(one) === 'timed')
    ) {
      return 'timed';
    }
  }
  return 'manual';
}

/** Was this thrown because somebody asked to stop? */
export function isAbort(error: unknown): boolean {
  if (error instanceof KajaError) return error.code === 'aborted';
  return (
    error instanceof Error && (error.name === 'AbortError' || ('code' in error && error.code === 'ABORT_ERR'))
  );
}
