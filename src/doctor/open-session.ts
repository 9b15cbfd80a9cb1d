/** The doctor's connections. */
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';

/** A patient that does not answer within these times is unwell. */
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const LOCK_TIMEOUT_MS = 2_000;

/**
 * Connect with short limits.
 * @throws KajaError connect-failed, also when there is no answer in time; auth-failed, database-missing, location-invalid
 */
export async function openDoctorSession(location: string, signal?: AbortSignal): Promise<Session> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), CONNECT_TIMEOUT_MS);
  try {
    return await openSession(location, {
      purpose: 'read',
      applicationName: 'kaja doctor',
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
      signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
    });
  } catch (error) {
    if (!late.signal.aborted || signal?.aborted) throw error;
    throw new KajaError('connect-failed', `no answer within ${CONNECT_TIMEOUT_MS / 1000} s`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}
