/** From a parsed location to what node-postgres wants. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions, SecureVersion } from 'node:tls';
import type pg from 'pg';
import { locationError } from './connection-keys.ts';
import type { ConnectionSpec, HostSpec } from './connection-spec.ts';
import { lookupPgpass } from './pgpass.ts';

/**
 * Settings for every attempt, in the order to try: one per host, two for sslmode `prefer` (encrypted, then plain) and `allow` (the other way round).
 * Every field that node-postgres would otherwise take from the environment is set here.
 * @param spec parsed location
 * @param onWarning told why a password file was not used
 * @throws ConfigError when a certificate file is missing or unreadable
 */
export function toClientConfigs(
  spec: ConnectionSpec,
  onWarning: (text: string) => void = () => {},
): pg.ClientConfig[] {
  const hosts = spec.shuffleHosts ? shuffled(spec.hosts) : spec.hosts;
  return hosts.flatMap((server) => {
    const password = spec.password ?? passwordFromFile(spec, server, onWarning);
    const idleSeconds = Number(spec.params.get('keepalives_idle') ?? 0);
    const base: pg.ClientConfig = {
      host: server.address ?? server.host,
      port: server.port,
      user: spec.user,
      database: spec.database,
      keepAlive: spec.params.get('keepalives') !== '0',
      ...(idleSeconds > 0 ? { keepAliveInitialDelayMillis: idleSeconds * 1000 } : {}),
      ...(password === undefined ? {} : { password }),
      ...(spec.options === undefined ? {} : { options: spec.options }),
      ...(spec.applicationName === undefined ? {} : { application_name: spec.applicationName }),
      ...(spec.connectTimeoutSeconds > 0
        ? { connectionTimeoutMillis: spec.connectTimeoutSeconds * 1000 }
        : {}),
    };
    // Always set, or node-postgres asks the environment.
    const direct = spec.params.get('sslnegotiation') === 'direct';
    return sslAttempts(spec, server).map((ssl) => ({
      ...base,
      ssl,
      sslnegotiation: ssl && direct ? 'direct' : 'postgres',
    }));
  });
}

function shuffled(hosts: readonly HostSpec[]): HostSpec[] {
  return hosts
    .map((host) => ({ host, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ host }) => host);
}

function passwordFromFile(
  spec: ConnectionSpec,
  server: HostSpec,
  onWarning: (text: string) => void,
): string | undefined {
  const { password, warning } = lookupPgpass(spec, server);
  if (warning) onWarning(warning);
  return password;
}

function sslAttempts(spec: ConnectionSpec, server: HostSpec): (false | ConnectionOptions)[] {
  // libpq ignores sslmode on Unix sockets.
  if (spec.sslMode === 'disable' || server.host.startsWith('/')) return [false];
  const tls = tlsOptions(spec, server);
  if (spec.sslMode === 'allow') return [false, tls];
  if (spec.sslMode === 'prefer') return [tls, false];
  return [tls];
}

function tlsOptions(spec: ConnectionSpec, server: HostSpec): ConnectionOptions {
  const param = (key: string): string | undefined => spec.params.get(key) || undefined;
  const inHome = (name: string): string | undefined => {
    const path = join(spec.home, '.postgresql', name);
    return existsSync(path) ? path : undefined;
  };
  const expand = (path: string): string => (path.startsWith('~/') ? join(spec.home, path.slice(2)) : path);
  const read = (path: string, key: string): Buffer => {
    try {
      return readFileSync(expand(path));
    } catch {
      throw locationError(`${key} file ${path} cannot be read`);
    }
  };
  const root = param('sslrootcert') ?? inHome('root.crt');
  const cert = param('sslcert') ?? inHome('postgresql.crt');
  const key = cert === undefined ? undefined : (param('sslkey') ?? inHome('postgresql.key'));
  const strict = spec.sslMode === 'verify-ca' || spec.sslMode === 'verify-full';
  if (strict && root === undefined) {
    throw locationError(
      `sslmode=${spec.sslMode} needs a root certificate`,
      'give sslrootcert=FILE, or sslrootcert=system for the well-known authorities',
    );
  }
  // As libpq: `require` with a root certificate checks the chain too.
  const checkChain = strict || (spec.sslMode === 'require' && param('sslrootcert') !== undefined);
  const options: ConnectionOptions = { rejectUnauthorized: checkChain };
  if (root !== undefined && root !== 'system' && checkChain) options.ca = read(root, 'sslrootcert');
  if (checkChain && spec.sslMode !== 'verify-full' && root !== 'system')
    options.checkServerIdentity = () => undefined;
  if (cert !== undefined) options.cert = read(cert, 'sslcert');
  if (key !== undefined) options.key = read(key, 'sslkey');
  if (param('sslpassword') !== undefined) options.passphrase = param('sslpassword');
  if (param('sslcrl') !== undefined) options.crl = read(param('sslcrl') ?? '', 'sslcrl');
  const minimum = param('ssl_min_protocol_version') ?? 'TLSv1.2';
  options.minVersion = minimum as SecureVersion;
  const maximum = param('ssl_max_protocol_version');
  if (maximum !== undefined) options.maxVersion = maximum as SecureVersion;
  // With hostaddr the certificate is still that of the name.
  if (server.address !== undefined && server.host !== server.address) options.servername = server.host;
  return options;
}
