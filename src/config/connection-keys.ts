/** The keywords libpq knows in connection strings, their environment variables, and the lexing of both string forms. */
import { ConfigError } from '../errors/kaja-error.ts';
import { nearestWord } from '../errors/nearest.ts';

/** Keyword → environment variable ('' = none), as in libpq 18. */
export const CONNECTION_KEYS: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  dbname: 'PGDATABASE',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  service: 'PGSERVICE',
  servicefile: 'PGSERVICEFILE',
  require_auth: 'PGREQUIREAUTH',
  channel_binding: 'PGCHANNELBINDING',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  client_encoding: 'PGCLIENTENCODING',
  options: 'PGOPTIONS',
  application_name: 'PGAPPNAME',
  fallback_application_name: '',
  keepalives: '',
  keepalives_idle: '',
  keepalives_interval: '',
  keepalives_count: '',
  tcp_user_timeout: '',
  replication: '',
  gssencmode: 'PGGSSENCMODE',
  krbsrvname: 'PGKRBSRVNAME',
  gsslib: 'PGGSSLIB',
  gssdelegation: 'PGGSSDELEGATION',
  sslmode: 'PGSSLMODE',
  requiressl: 'PGREQUIRESSL',
  sslnegotiation: 'PGSSLNEGOTIATION',
  sslcompression: 'PGSSLCOMPRESSION',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslkeylogfile: '',
  sslpassword: '',
  sslcertmode: 'PGSSLCERTMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcrl: 'PGSSLCRL',
  sslcrldir: 'PGSSLCRLDIR',
  sslsni: 'PGSSLSNI',
  requirepeer: 'PGREQUIREPEER',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
  min_protocol_version: 'PGMINPROTOCOLVERSION',
  max_protocol_version: 'PGMAXPROTOCOLVERSION',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
  load_balance_hosts: 'PGLOADBALANCEHOSTS',
  scram_client_key: '',
  scram_server_key: '',
  oauth_issuer: '',
  oauth_client_id: '',
  oauth_client_secret: '',
  oauth_scope: '',
};

/** The error every malformed connection string leads to; never quotes values, they may be passwords. */
export const locationError = (message: string, hint?: string): ConfigError =>
  new ConfigError(message, { code: 'location-invalid', hint });

/** Refuse a keyword libpq does not know. */
export function checkConnectionKey(key: string, where: string): void {
  if (Object.hasOwn(CONNECTION_KEYS, key)) return;
  const near = nearestWord(key, Object.keys(CONNECTION_KEYS));
  throw locationError(`unknown keyword "${key}" in ${where}`, near && `did you mean ${near}?`);
}

/** Is the text in URI form? */
export const isConnectionUri = (text: string): boolean => /^\s*postgres(ql)?:\/\//i.test(text);

/**
 * Lex the keyword form `host=/tmp dbname='a b'`: values end at blanks or are quoted, a backslash takes the next character as it is.
 * @returns keywords in the order written; a repeated keyword keeps its last value, as in libpq
 * @throws ConfigError for a keyword without `=`, an open quote or an unknown keyword
 */
export function parseKeywordForm(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let at = 0;
  const skipBlanks = (): void => {
    while (at < text.length && /\s/.test(text.charAt(at))) at++;
  };
  for (skipBlanks(); at < text.length; skipBlanks()) {
    const start = at;
    while (at < text.length && !/[\s=]/.test(text.charAt(at))) at++;
    const key = text.slice(start, at);
    skipBlanks();
    if (text.charAt(at) !== '=' || key === '') {
      throw locationError(
        found.size === 0
          ? 'connection string has no keyword=value pair at its start'
          : `connection string: "=" is missing after pair ${found.size}`,
        "write host=… dbname=… (values with blanks in '…') or postgres://…",
      );
    }
    at++;
    skipBlanks();
    const { value, end } = text.charAt(at) === "'" ? readQuoted(text, at, key) : readBare(text, at);
    at = end;
    checkConnectionKey(key, 'connection string');
    found.set(key, value);
  }
  return found;
}

function readQuoted(text: string, start: number, key: string): { value: string; end: number } {
  let value = '';
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === "'") return { value, end: at + 1 };
    if (char === '\\') value += text.charAt(++at);
    else value += char;
  }
  throw locationError(`connection string: the quoted value of keyword ${key} has no end`);
}

function readBare(text: string, start: number): { value: string; end: number } {
  let value = '';
  let at = start;
  for (; at < text.length && !/\s/.test(text.charAt(at)); at++) {
    if (text.charAt(at) === '\\') value += text.charAt(++at);
    else value += text.charAt(at);
  }
  return { value, end: at };
}

/**
 * Quote one value for the keyword form.
 * @returns the value itself when it needs no quotes
 */
export function quoteConnectionValue(value: string): string {
  return value !== '' && !/[\s'\\]/.test(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`;
}

/**
 * Lex the URI form: `postgresql://user:password@host1:5432,host2/db?sslmode=require`, percent-decoding every part.
 * @throws ConfigError for bad percent codes, an open IPv6 bracket or an unknown parameter
 */
export function parseUriForm(text: string): Map<string, string> {
  const found = new Map<string, string>();
  const set = (key: string, value: string): void => {
    if (value !== '') found.set(key, value);
  };
  const rest = text.trim().replace(/^postgres(ql)?:\/\//i, '');
  const cut = rest.search(/[/?]/);
  // libpq looks for @ before the first slash only; a question mark may stand in a password.
  const slash = rest.indexOf('/');
  const credentialsEnd = rest.slice(0, slash < 0 ? rest.length : slash).lastIndexOf('@');
  let authority = rest;
  if (credentialsEnd >= 0) {
    const credentials = rest.slice(0, credentialsEnd);
    const colon = credentials.indexOf(':');
    set('user', decode(colon < 0 ? credentials : credentials.slice(0, colon)));
    if (colon >= 0) set('password', decode(credentials.slice(colon + 1)));
    authority = rest.slice(credentialsEnd + 1);
  } else if (cut >= 0 && rest.includes('@', cut) && /^[^/?]*:[^/?]*[^\d/?]/.test(rest)) {
    throw locationError(
      'connection URI: a "/" before "@" must be written %2F',
      'percent-encode the password',
    );
  }
  const hostsEnd = authority.search(/[/?]/);
  parseHosts(hostsEnd < 0 ? authority : authority.slice(0, hostsEnd), set);
  const tail = hostsEnd < 0 ? '' : authority.slice(hostsEnd);
  const question = tail.indexOf('?');
  if (tail.startsWith('/')) set('dbname', decode(tail.slice(1, question < 0 ? undefined : question)));
  if (question >= 0) parseParameters(tail.slice(question + 1), found);
  return found;
}

function parseHosts(text: string, set: (key: string, value: string) => void): void {
  const hosts: string[] = [];
  const ports: string[] = [];
  for (const one of text.split(',')) {
    const match = one.startsWith('[')
      ? /^\[([^\]]+)\](?::(.*))?$/.exec(one)
      : /^([^:]*)(?::(.*))?$/.exec(one);
    if (!match)
      throw locationError('connection URI: host and port are not understood', 'IPv6 addresses stand in [ ]');
    hosts.push(decode(match[1] ?? ''));
    ports.push(decode(match[2] ?? ''));
  }
  if (hosts.some((host) => host !== '')) set('host', hosts.join(','));
  if (ports.some((port) => port !== '')) set('port', ports.join(','));
}

function parseParameters(text: string, found: Map<string, string>): void {
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 0) throw locationError(`connection URI: parameter ${found.size + 1} has no "="`);
    const key = decode(pair.slice(0, equals));
    const value = decode(pair.slice(equals + 1));
    if (key === 'ssl' && value === 'true') {
      found.set('sslmode', 'require'); // JDBC's spelling, which libpq also takes
      continue;
    }
    checkConnectionKey(key, 'connection URI');
    found.set(key, value);
  }
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw locationError(
      'connection URI: "%" must be followed by two hexadecimal digits',
      'write a percent sign as %25',
    );
  }
  if (decoded.includes('\0')) throw locationError('connection URI: %00 is not allowed');
  return decoded;
}
