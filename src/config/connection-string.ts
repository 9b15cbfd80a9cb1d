/** Connection strings as libpq takes them: what a location means after service files, environment and defaults. */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { redactText } from '../errors/redact.ts';
import {
  CONNECTION_KEYS,
  isConnectionUri,
  locationError,
  parseKeywordForm,
  parseUriForm,
  quoteConnectionValue,
} from './connection-keys.ts';
import {
  type ConnectionSpec,
  type Environment,
  type HostSpec,
  SESSION_ATTRS,
  SSL_MODES,
} from './connection-spec.ts';
import { readService } from './service-file.ts';

export { toClientConfigs } from './client-config.ts';
export type {
  ConnectionSpec,
  Environment,
  HostSpec,
  SslMode,
  TargetSessionAttrs,
} from './connection-spec.ts';

/* libpq waits for ever by default; a daemon that hangs on a dead address helps nobody. */
const DEFAULT_CONNECT_TIMEOUT_SECONDS = 15;
const SOCKET_DIRECTORIES = ['/var/run/postgresql', '/tmp'];

/**
 * Parse a location in keyword or URI form and complete it: connection string, then service file, then PG* variables, then defaults.
 * @param text connection string; empty = everything from environment and defaults
 * @param env environment variables
 * @throws ConfigError naming what is wrong, never the values
 */
export function parseConnectionString(text: string, env: Environment = process.env): ConnectionSpec {
  const params = isConnectionUri(text) ? parseUriForm(text) : parseKeywordForm(text);
  const home = env.HOME ?? safeUser()?.homedir ?? '/';
  const service = params.get('service') ?? env.PGSERVICE;
  if (service) {
    for (const [key, value] of readService(service, env, home, params.get('servicefile'))) {
      if (!params.has(key)) params.set(key, value);
    }
    params.set('service', service);
  }
  for (const [key, variable] of Object.entries(CONNECTION_KEYS)) {
    const value = variable ? env[variable] : undefined;
    if (value && !params.has(key)) params.set(key, value);
  }
  const user = params.get('user') || (safeUser()?.username ?? env.USER ?? '');
  if (!user) throw locationError('connection string names no user', 'add user=…');
  const legacySsl = params.get('requiressl') === '1' ? 'require' : 'prefer';
  return Object.freeze({
    hosts: hostsOf(params),
    user,
    database: params.get('dbname') || user,
    password: params.get('password') || undefined,
    sslMode: choice(params, 'sslmode', SSL_MODES, legacySsl),
    targetSessionAttrs: choice(params, 'target_session_attrs', SESSION_ATTRS, 'any'),
    shuffleHosts:
      choice(params, 'load_balance_hosts', ['disable', 'random'] as const, 'disable') === 'random',
    connectTimeoutSeconds: connectTimeoutOf(params),
    applicationName: params.get('application_name') ?? params.get('fallback_application_name'),
    options: params.get('options') || undefined,
    service: service || undefined,
    params,
    home,
  });
}

function safeUser(): { username: string; homedir: string } | undefined {
  try {
    return userInfo();
  } catch {
    return undefined; // a uid without an entry in the user database, common in containers
  }
}

function choice<T extends string>(
  params: ReadonlyMap<string, string>,
  key: string,
  allowed: readonly T[],
  fallback: T,
): T {
  const value = params.get(key);
  if (value === undefined || value === '') return fallback;
  const known = allowed.find((one) => one === value);
  if (known === undefined)
    throw locationError(`${key} in connection string must be one of ${allowed.join(', ')}`);
  return known;
}

function connectTimeoutOf(params: ReadonlyMap<string, string>): number {
  const text = params.get('connect_timeout');
  if (text === undefined || text === '') return DEFAULT_CONNECT_TIMEOUT_SECONDS;
  if (!/^\s*-?\d+\s*$/.test(text))
    throw locationError('connect_timeout in connection string must be a number of seconds');
  return Math.max(0, Number(text));
}

function defaultHost(port: number): string {
  return SOCKET_DIRECTORIES.find((dir) => existsSync(`${dir}/.s.PGSQL.${port}`)) ?? 'localhost';
}

function hostsOf(params: ReadonlyMap<string, string>): HostSpec[] {
  const list = (key: string): string[] =>
    params.get(key) ? (params.get(key) ?? '').split(',').map((one) => one.trim()) : [];
  const [names, addresses, ports] = [list('host'), list('hostaddr'), list('port')];
  const count = Math.max(names.length, addresses.length, 1);
  if (names.length > 0 && addresses.length > 0 && names.length !== addresses.length) {
    throw locationError(`connection string has ${names.length} hosts but ${addresses.length} host addresses`);
  }
  if (ports.length > 1 && ports.length !== count) {
    throw locationError(
      `connection string has ${count} hosts but ${ports.length} ports`,
      'give one port, or one per host',
    );
  }
  return Array.from({ length: count }, (_, index) => {
    const port = portNumber((ports.length === 1 ? ports[0] : ports[index]) || '5432');
    const address = addresses[index] || undefined;
    const host = names[index] || (address ?? defaultHost(port));
    return Object.freeze(address === undefined ? { host, port } : { host, address, port });
  });
}

function portNumber(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535)
    throw locationError('port in connection string must be a number from 1 to 65535');
  return port;
}

/**
 * A location for people: host, port, database and user, never a password.
 * @param spec a parsed location, or its text (unparsable text gives a placeholder)
 * @returns for example `shop at db1:5432 as app`
 */
export function describeLocation(spec: ConnectionSpec | string): string {
  if (typeof spec === 'string') {
    try {
      return describeLocation(parseConnectionString(spec));
    } catch {
      return '(connection string not understood)';
    }
  }
  const hosts = spec.hosts.map(({ host, port }) =>
    host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
  );
  return `${spec.database} at ${hosts.join(',')} as ${spec.user}`;
}

/**
 * The same connection string with passwords replaced by `***`.
 * @param text a connection string in either form, or any text that contains some
 */
export function redactLocation(text: string): string {
  return redactText(text);
}

/**
 * Write keywords as a connection string in keyword form.
 * @param params keyword → value
 */
export function formatConnectionString(params: Iterable<readonly [string, string]>): string {
  return [...params].map(([key, value]) => `${key}=${quoteConnectionValue(value)}`).join(' ');
}

/**
 * Add or replace keywords of a location, whichever form it is in; used for `remote_extra_connstr` and pgqd's database list.
 * @param text connection string
 * @param extra keywords that win, as a connection string or as pairs
 * @returns keyword form
 */
export function extendConnectionString(
  text: string,
  extra: string | Readonly<Record<string, string>>,
): string {
  const lex = (one: string): Map<string, string> =>
    isConnectionUri(one) ? parseUriForm(one) : parseKeywordForm(one);
  const merged = lex(text);
  for (const [key, value] of typeof extra === 'string' ? lex(extra) : Object.entries(extra))
    merged.set(key, value);
  return formatConnectionString(merged);
}
