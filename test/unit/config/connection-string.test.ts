import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ConnectionSpec,
  describeLocation,
  extendConnectionString,
  parseConnectionString,
  toClientConfigs,
} from '../../../src/config/connection-string.ts';
import { errorLine } from '../../../src/errors/error-line.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'kaja-home-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));
const parse = (text: string, env: Record<string, string> = {}): ConnectionSpec =>
  parseConnectionString(text, { HOME: home, ...env });

describe('keyword form', () => {
  it('reads quotes, escapes, blanks around =', () => {
    expect(parse(`host = /tmp port=5433 dbname='a b' user='it\\'s' password=a\\ b\\\\`)).toMatchObject({
      hosts: [{ host: '/tmp', port: 5433 }],
      database: 'a b',
      user: "it's",
      password: 'a b\\',
    });
  });
  it('reads several hosts', () => {
    expect(parse('host=a,b,c port=1,,3 user=u').hosts).toEqual([
      { host: 'a', port: 1 },
      { host: 'b', port: 5432 },
      { host: 'c', port: 3 },
    ]);
    expect(parse('host=a,b port=6432 user=u').hosts.map((one) => one.port)).toEqual([6432, 6432]);
    expect(parse('host=name hostaddr=10.0.0.1 user=u').hosts).toEqual([
      { host: 'name', address: '10.0.0.1', port: 5432 },
    ]);
  });
  it.each([
    ['host', 'connection string has no keyword=value pair at its start'],
    ['host=a secretvalue', 'connection string: "=" is missing after pair 1'],
    ["host='a", 'the quoted value of keyword host has no end'],
    ['hots=a', 'unknown keyword "hots" in connection string; did you mean host?'],
    ['host=a port=x', 'port in connection string must be a number'],
    ['host=a,b port=1,2,3', 'has 2 hosts but 3 ports'],
    ['host=a sslmode=on', 'sslmode in connection string must be one of'],
  ])('refuses %j', (text, message) => {
    let line = '';
    try {
      parse(text, { PGUSER: 'u' });
    } catch (error) {
      line = errorLine(error);
    }
    expect(line).toContain(message);
    expect(line).not.toContain('secretvalue');
  });
});

describe('URI form', () => {
  it('reads every part, percent-decoded', () => {
    expect(
      parse('postgresql://a%40b:p%2Fw%3A@db:5433/my%20db?application_name=x%26y&sslmode=require'),
    ).toMatchObject({
      hosts: [{ host: 'db', port: 5433 }],
      user: 'a@b',
      password: 'p/w:',
      database: 'my db',
      applicationName: 'x&y',
      sslMode: 'require',
    });
  });
  it('reads several hosts, IPv6, sockets, empty parts', () => {
    expect(parse('postgres://u@a:1,[::1]:2,c/d').hosts).toEqual([
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
      { host: 'c', port: 5432 },
    ]);
    expect(parse('postgres://u@%2Ftmp/d').hosts[0]?.host).toBe('/tmp');
    expect(parse('postgres:///d?host=/tmp&user=u')).toMatchObject({
      database: 'd',
      user: 'u',
      hosts: [{ host: '/tmp' }],
    });
    expect(parse('postgres://', { PGUSER: 'u', PGHOST: 'e' })).toMatchObject({
      user: 'u',
      database: 'u',
      hosts: [{ host: 'e' }],
    });
  });
  it('knows the ssl=true of JDBC', () => expect(parse('postgres://u@h/d?ssl=true').sslMode).toBe('require'));
  it.each([
    'postgres://u:hunter2%zz@h/d',
    'postgres://u:hunter2@h/d?bogus=1',
    'postgres://u:hunter2@h:port/d',
    'postgres://u:hunter2/x@h/d',
  ])('refuses %s without showing the password', (text) => {
    let line = '';
    try {
      parse(text);
    } catch (error) {
      line = errorLine(error);
    }
    expect(line).not.toBe('');
    expect(line).not.toContain('hunter2');
  });
});

describe('environment and files', () => {
  it('prefers the string, then the service, then PG* variables', () => {
    const file = join(home, 'services.conf');
    writeFileSync(file, '# all\n[other]\nhost=no\n[shop]\nhost=svc\ndbname=svcdb\nport=7777\n');
    const env = { PGSERVICEFILE: file, PGHOST: 'env', PGUSER: 'envuser', PGPORT: '1', PGSSLMODE: 'disable' };
    expect(parse('service=shop dbname=mine', env)).toMatchObject({
      hosts: [{ host: 'svc', port: 7777 }],
      database: 'mine',
      user: 'envuser',
      sslMode: 'disable',
      service: 'shop',
    });
    expect(parse('dbname=mine', { ...env, PGSERVICE: 'shop' }).hosts[0]?.host).toBe('svc');
    expect(() => parse('service=none', env)).toThrow('service "none" is defined neither in');
  });
  it('finds services in the home and the system directory', () => {
    const system = join(home, 'sys');
    mkdirSync(system, { recursive: true });
    writeFileSync(join(system, 'pg_service.conf'), '[a]\nhost=from-system\nuser=u\n');
    expect(parse('service=a', { PGSYSCONFDIR: system }).hosts[0]?.host).toBe('from-system');
    writeFileSync(join(home, '.pg_service.conf'), '[a]\nhost=from-home\nuser=u\n');
    expect(parse('service=a', { PGSYSCONFDIR: system }).hosts[0]?.host).toBe('from-home');
    writeFileSync(join(home, '.pg_service.conf'), '[a]\nhots=x\n');
    expect(() => parse('service=a')).toThrow(/pg_service\.conf:2/);
    rmSync(join(home, '.pg_service.conf'));
  });
  it('takes passwords from a password file of mode 0600 only', () => {
    const file = join(home, 'pass');
    writeFileSync(file, '# x\nother:*:*:*:no\nh:*:d:u:a\\:b\\\\c\n*:*:*:*:last\n', { mode: 0o600 });
    const env = { PGPASSFILE: file };
    const password = (text: string): unknown =>
      toClientConfigs(parse(text, env), (warning) => warnings.push(warning))[0]?.password;
    const warnings: string[] = [];
    expect(password('host=h dbname=d user=u sslmode=disable')).toBe('a:b\\c');
    expect(password('host=x dbname=d user=u')).toBe('last');
    expect(password('host=h dbname=d user=u password=own')).toBe('own');
    chmodSync(file, 0o644);
    expect(password('host=h dbname=d user=u')).toBeUndefined();
    expect(warnings.at(-1)).toContain('0600');
  });
});

const nameCheckOf = (config: pg.ClientConfig | undefined): unknown =>
  typeof config?.ssl === 'object' ? config.ssl.checkServerIdentity : undefined;

describe('toClientConfigs', () => {
  const ssl = (text: string): unknown[] =>
    toClientConfigs(parse(`host=h user=u ${text}`)).map((one) => (one.ssl === false ? 'plain' : one.ssl));
  it('lists the attempts of every sslmode', () => {
    expect(ssl('sslmode=disable')).toEqual(['plain']);
    expect(ssl('sslmode=prefer')).toEqual([expect.objectContaining({ rejectUnauthorized: false }), 'plain']);
    expect(ssl('sslmode=allow')).toEqual(['plain', expect.objectContaining({ rejectUnauthorized: false })]);
    expect(ssl('sslmode=require')).toEqual([expect.objectContaining({ rejectUnauthorized: false })]);
    expect(ssl('sslmode=verify-full sslrootcert=system')).toEqual([
      expect.objectContaining({ rejectUnauthorized: true }),
    ]);
    expect(toClientConfigs(parse('host=/tmp user=u sslmode=verify-full')).map((one) => one.ssl)).toEqual([
      false,
    ]);
  });
  it('reads certificates; verify-ca checks the chain but not the name', () => {
    const root = join(home, 'root.pem');
    writeFileSync(root, 'pem');
    const [only] = toClientConfigs(parse(`host=h user=u sslmode=verify-ca sslrootcert=${root}`));
    expect(only?.ssl).toMatchObject({ rejectUnauthorized: true, ca: Buffer.from('pem') });
    expect(nameCheckOf(only)).toBeTypeOf('function');
    const [full] = toClientConfigs(parse(`host=h user=u sslmode=verify-full sslrootcert=${root}`));
    expect(nameCheckOf(full)).toBeUndefined();
    const [required] = toClientConfigs(parse(`host=h user=u sslmode=require sslrootcert=${root}`));
    expect(required?.ssl).toMatchObject({ rejectUnauthorized: true });
    expect(() => toClientConfigs(parse('host=h user=u sslmode=verify-full'))).toThrow(
      'needs a root certificate',
    );
    expect(() => toClientConfigs(parse('host=h user=u sslmode=require sslcert=/no/file'))).toThrow(
      '/no/file cannot be read',
    );
  });
  it('carries time-out, keepalives, options, names', () => {
    const [config] = toClientConfigs(
      parse(
        "host=h user=u sslmode=disable connect_timeout=3 keepalives_idle=7 options='-c a=b' application_name=x",
      ),
    );
    expect(config).toMatchObject({
      connectionTimeoutMillis: 3000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 7000,
      options: '-c a=b',
      application_name: 'x',
    });
    expect(toClientConfigs(parse('host=h user=u connect_timeout=0'))[0]).not.toHaveProperty(
      'connectionTimeoutMillis',
    );
  });
  it('accepts everything libpq accepts', () => {
    expect(
      parse(
        'host=h user=u channel_binding=require gssencmode=disable target_session_attrs=read-write load_balance_hosts=random',
      ),
    ).toMatchObject({
      targetSessionAttrs: 'read-write',
      shuffleHosts: true,
    });
  });
});

describe('describeLocation and extendConnectionString', () => {
  it('describes without password', () => {
    expect(describeLocation(parse('postgres://u:hunter2@h:1/d'))).toBe('d at h:1 as u');
    expect(describeLocation('what is this hunter2')).toBe('(connection string not understood)');
  });
  it('adds keywords to both forms', () => {
    expect(extendConnectionString('host=a user=u', { dbname: "it's" })).toBe("host=a user=u dbname='it\\'s'");
    expect(extendConnectionString('postgres://u@a/d', 'user=v sslmode=require')).toBe(
      'user=v host=a dbname=d sslmode=require',
    );
  });
});
