/** The only place that turns a failure of the driver or the server into ours. */
import type pg from 'pg';
import { EXIT } from '../errors/codes.ts';
import { KajaError, type KajaErrorOptions } from '../errors/kaja-error.ts';
import { isTimedCode, retryPolicyOf } from '../errors/retry-policy.ts';
import { driver } from './driver.ts';
import { grantHint } from './grant-hint.ts';

/** SQLSTATE classes our own SQL functions raise in: queue, node, replication, kaja. */
const OWN_SQLSTATE = /^(?:PQ|PN|PR|KJ)[0-9A-Z]{3}$/;
const OUR_SCHEMAS =
  /"(?:pgq|pgq_coop|pgq_ext|pgq_node|londiste|kaja)"|\b(?:pgq|pgq_coop|pgq_ext|pgq_node|londiste|kaja)\./;
/* PgQ's C functions report all they refuse as XX000, and so do ours that stand for them. */
const RAISED = /^(?:exec_stmt_raise|pgq_)/;
const SSL_FAILURE = /SSL|TLS|certificate|self.signed|ERR_TLS|ERR_SSL/i;

/* A program that uses the library may have its own copy of node-postgres, whose errors are of another class. */
const isServerError = (error: unknown): error is pg.DatabaseError =>
  error instanceof driver.DatabaseError ||
  (error instanceof Error &&
    'severity' in error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^[0-9A-Z]{5}$/.test(error.code));

/** The five-character SQLSTATE of a server's error, also when it is wrapped in ours. */
export function sqlstateOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    if (isServerError(at)) return at.code;
    if (at instanceof KajaError && typeof at.context.sqlstate === 'string') return at.context.sqlstate;
  }
  return undefined;
}

/**
 * Map a failure while a session is open.
 * @param error whatever the driver threw; ours pass unchanged
 * @param location description of the database without password
 * @param role who works there, for advice about rights; undefined: not known
 */
export function toKajaError(error: unknown, location: string, role?: string): KajaError {
  if (error instanceof KajaError) return error;
  if (isServerError(error)) return serverError(error, location, role);
  const message = textOf(error);
  if (retryPolicyOf(error) === 'timed') {
    return new KajaError('connection-lost', `connection to ${location} was lost: ${message}`, {
      cause: error,
    });
  }
  return new KajaError('internal', `${message} (${location})`, { cause: error });
}

/**
 * Map a failure to connect: host not reachable, wrong password, no such database, no encryption, too many sessions.
 * @param error whatever the driver threw
 * @param location description of the database without password
 */
export function toConnectError(error: unknown, location: string): KajaError {
  if (error instanceof KajaError) return error;
  const base = { exitCode: EXIT.connect, cause: error } satisfies KajaErrorOptions;
  if (error instanceof driver.DatabaseError) {
    const state = error.code ?? '';
    const options = { ...base, context: { sqlstate: state, location } };
    const what = `cannot connect to ${location}: ${error.message}`;
    if (/^28/.test(state)) return new KajaError('auth-failed', what, options);
    if (state === '3D000') return new KajaError('database-missing', what, options);
    return new KajaError('connect-failed', what, {
      ...options,
      retry: isTimedCode(state) ? 'timed' : 'manual',
      hint: error.hint || 'see the server log',
    });
  }
  const message = textOf(error);
  const what = `cannot connect to ${location}: ${message}`;
  if (/password must be a string|SASL|no password/i.test(message)) {
    const needs = /must be a (?:non-empty )?string/.test(message);
    return new KajaError(
      'auth-failed',
      needs ? `cannot connect to ${location}: the server asks for a password and none is given` : what,
      needs ? { ...base, hint: 'add it to .pgpass or to the connection string' } : base,
    );
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!isTimedCode(code) && SSL_FAILURE.test(`${code} ${message}`))
    return new KajaError('ssl-failed', what, base);
  return new KajaError('connect-failed', what, base);
}

function textOf(error: unknown): string {
  // Trying several addresses of a host gives an AggregateError without a text of its own.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return [...new Set(error.errors.map(textOf))].join(', ');
  }
  return error instanceof Error ? error.message || error.name : String(error);
}

function serverError(error: pg.DatabaseError, location: string, role: string | undefined): KajaError {
  const state = error.code ?? 'XX000';
  const own = OWN_SQLSTATE.test(state);
  // Details of data and constraint errors quote row values, which must not reach logs.
  const tellDetail = error.detail && !own && !/^2[23]/.test(state);
  const copyLine = /^COPY [^,]+, line \d+(?:, column [^:]+)?/.exec(error.where ?? '')?.[0];
  const extra = [tellDetail ? error.detail : undefined, copyLine].filter(Boolean).join('; ');
  const message = `${error.message}${extra ? ` (${extra})` : ''} [${state}, ${location}]`;
  const options: KajaErrorOptions = {
    cause: error,
    hint: error.hint || undefined,
    context: {
      sqlstate: state,
      ...(error.schema && error.table ? { table: `${error.schema}.${error.table}` } : {}),
      ...(error.constraint ? { constraint: error.constraint } : {}),
      ...(own && error.detail ? { detail: error.detail } : {}),
    },
  };
  if (own) return new KajaError(state, message, { ...options, exitCode: EXIT.refused });
  if (state === 'P0001' || (state === 'XX000' && RAISED.test(error.routine ?? '')))
    return new KajaError('state-refused', message, options);
  if (state === '42501') {
    const hint = options.hint ?? (role === undefined ? undefined : grantHint(error.message, role));
    return new KajaError('permission-denied', message, { ...options, hint });
  }
  if (state === '55P03') return new KajaError('lock-timeout', message, options);
  if (state === '57014') return new KajaError('timeout', message, options);
  if (/^(?:08|57P)/.test(state)) return new KajaError('connection-lost', message, options);
  if (isTimedCode(state)) return new KajaError('sql-retryable', message, options);
  if (state === '3F000' && OUR_SCHEMAS.test(error.message)) {
    const hint = 'create the node first: create-root or create-leaf; without nodes, run kaja install';
    return new KajaError('not-installed', `kaja is not installed in ${location}`, { ...options, hint });
  }
  if (/^(?:42P01|42883)$/.test(state) && OUR_SCHEMAS.test(error.message)) {
    return new KajaError('not-installed', message, { ...options, hint: undefined });
  }
  return new KajaError('sql-failed', message, options);
}
