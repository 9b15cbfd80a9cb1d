/** Sessions on the databases of a set. */
import { describeLocation, extendConnectionString } from '../config/connection-string.ts';
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { NodeSettings } from './node-settings.ts';

/** A node that does not answer within this time counts as unreachable. */
export const CONNECT_TIMEOUT_MS = 3_000;

/** How to open another node. */
export interface OpenOptions {
  /** Longest wait for the connection, in milliseconds. Default `CONNECT_TIMEOUT_MS`. */
  readonly timeoutMs?: number | undefined;
  /** Longest time of one statement, in milliseconds. Default: no limit. */
  readonly statementTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Open the local node. */
export const openHere = (settings: NodeSettings, signal?: AbortSignal): Promise<Session> =>
  openSession(settings.location, { purpose: 'admin', applicationName: 'kaja admin', signal });

/**
 * Open a node by its public location, with `remote_extra_connstr` added.
 * @throws KajaError connect-failed, also when nobody answers in time; auth-failed, database-missing
 */
export async function openThere(
  location: string,
  settings: Pick<NodeSettings, 'remoteExtra'>,
  options: OpenOptions = {},
): Promise<Session> {
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  try {
    return await openSession(
      settings.remoteExtra.trim() === '' ? location : extendConnectionString(location, settings.remoteExtra),
      {
        purpose: 'admin',
        applicationName: 'kaja admin',
        statementTimeoutMs: options.statementTimeoutMs,
        signal: options.signal ? AbortSignal.any([options.signal, late.signal]) : late.signal,
      },
    );
  } catch (error) {
    if (!late.signal.aborted || options.signal?.aborted) throw error;
    throw new KajaError(
      'connect-failed',
      `cannot connect to ${describeLocation(location)}: no answer within ${timeoutMs / 1000} s`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}
