/** One connected client from a list of ways to connect. */
import type pg from 'pg';
import type { TargetSessionAttrs } from '../config/connection-string.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { driver } from './driver.ts';
import { preferTls } from './prefer-tls.ts';
import { PIN_SETTINGS, type SessionLimits, settingsFor } from './session-settings.ts';
import { toConnectError } from './sql-error.ts';
import { typeParsers } from './type-parsers.ts';

/** What the server said about itself after connecting. */
export interface ServerFacts {
  readonly serverVersion: number;
  readonly backendPid: number;
  readonly database: string;
  readonly user: string;
}

interface FactsRow {
  server_version: number;
  backend_pid: number;
  database: string;
  user_name: string;
  in_recovery: boolean;
  read_only: boolean;
}

/** How to connect; `configs` are tried in order. */
export interface ConnectRequest {
  readonly configs: readonly pg.ClientConfig[];
  /** Description without password, for messages. */
  readonly location: string;
  readonly applicationName: string;
  readonly limits: SessionLimits;
  readonly targetSessionAttrs?: TargetSessionAttrs | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A client with pinned settings, and the configuration that worked. */
export interface Connected {
  readonly client: pg.Client;
  readonly config: pg.ClientConfig;
  readonly facts: ServerFacts;
}

/** Drop the connection without saying goodbye. */
export function destroySocket(client: pg.Client): void {
  // node-postgres has no public way to give up a socket.
  const { connection } = client as unknown as { connection?: pg.Connection };
  connection?.stream.destroy();
}

/**
 * Connect to the first server that answers and fits, and pin the session's settings in one round trip.
 * @throws KajaError connect-failed, auth-failed, database-missing, ssl-failed; aborted
 */
export async function connect(request: ConnectRequest): Promise<Connected> {
  const { configs, signal, location } = request;
  // prefer-standby means: a standby if there is one, else anything.
  const wishes: TargetSessionAttrs[] =
    request.targetSessionAttrs === 'prefer-standby'
      ? ['standby', 'any']
      : [request.targetSessionAttrs ?? 'any'];
  let failure: KajaError | undefined;
  let refusedBy: pg.ClientConfig | undefined;
  for (const wish of wishes) {
    for (const config of configs) {
      // A server that answered and said no decides; only its other sslmode is worth another attempt.
      if (refusedBy && !sameServer(refusedBy, config)) break;
      throwIfAborted(signal, location);
      try {
        return await attempt(request, config, wish, plainFollows(configs, config));
      } catch (error) {
        throwIfAborted(signal, location);
        const mapped = toConnectError(error, location);
        failure = moreTelling(failure, mapped);
        if (mapped.code === 'auth-failed' || mapped.code === 'database-missing') refusedBy = config;
      }
    }
  }
  throw failure ?? new KajaError('location-invalid', `no server given for ${location}`);
}

/** The list of sslmode=prefer: encrypted, then plain. */
const plainFollows = (configs: readonly pg.ClientConfig[], config: pg.ClientConfig): boolean => {
  const next = configs[configs.indexOf(config) + 1];
  return Boolean(config.ssl) && next?.ssl === false && sameServer(config, next);
};

const sameServer = (a: pg.ClientConfig, b: pg.ClientConfig): boolean =>
  a.host === b.host && a.port === b.port;

function throwIfAborted(signal: AbortSignal | undefined, location: string): void {
  if (signal?.aborted)
    throw new KajaError('aborted', `stopped while connecting to ${location}`, { cause: signal.reason });
}

/** An answer of a server says more than a closed port, and that more than "no encryption here". */
function moreTelling(before: KajaError | undefined, now: KajaError): KajaError {
  const weight = (error: KajaError): number =>
    error.code === 'ssl-failed'
      ? 0
      : error.context.sqlstate === undefined && error.code === 'connect-failed'
        ? 1
        : 2;
  return before && weight(before) >= weight(now) ? before : now;
}

async function attempt(
  request: ConnectRequest,
  config: pg.ClientConfig,
  wish: TargetSessionAttrs,
  plainWillDo: boolean,
): Promise<Connected> {
  const prefer = plainWillDo && config.sslnegotiation !== 'direct' ? preferTls(config) : undefined;
  const client = new driver.Client({
    keepAlive: true,
    ...config,
    ...(prefer && { connection: prefer.connection }),
    application_name: request.applicationName,
    types: typeParsers,
  });
  // Without a listener a lost connection would end the process; the session adds its own.
  client.on('error', () => {});
  const stop = (): void => destroySocket(client);
  request.signal?.addEventListener('abort', stop, { once: true });
  try {
    await client.connect();
    const { names, values } = settingsFor(request.limits);
    const { rows } = await client.query<FactsRow>(PIN_SETTINGS, [names, values]);
    const row = rows[0];
    if (!row) throw new Error('server gave no answer');
    if (!fits(wish, row)) {
      throw new KajaError(
        'connect-failed',
        `${request.location}: no server is ${wish} as target_session_attrs asks`,
        {
          context: { sqlstate: '' },
        },
      );
    }
    return {
      client,
      config: prefer?.plain() ? { ...config, ssl: false } : config,
      facts: {
        serverVersion: row.server_version,
        backendPid: row.backend_pid,
        database: row.database,
        user: row.user_name,
      },
    };
  } catch (error) {
    stop();
    throw error;
  } finally {
    request.signal?.removeEventListener('abort', stop);
  }
}

function fits(wish: TargetSessionAttrs, row: FactsRow): boolean {
  switch (wish) {
    case 'read-write':
      return !row.read_only;
    case 'read-only':
      return row.read_only;
    case 'primary':
      return !row.in_recovery;
    case 'standby':
      return row.in_recovery;
    default:
      return true;
  }
}
