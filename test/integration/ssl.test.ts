/** sslmode against a server that has a certificate: what each mode accepts and refuses. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parseConnectionString, toClientConfigs } from '../../src/config/connection-string.ts';
import { openSession } from '../../src/db/session.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { openProxy } from '../support/proxy.ts';

let dir: string;
let cluster: Cluster;

/** An authority and a certificate for `localhost` signed by it. */
function makeCertificates(): void {
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  writeFileSync(join(dir, 'ext'), 'subjectAltName=DNS:localhost\n');
  for (const name of ['ca', 'other']) {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=test ${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    );
  }
  openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=localhost',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
  );
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'ext',
    '-out',
    'server.crt',
  );
  chmodSync(dir, 0o755);
  chmodSync(join(dir, 'server.key'), 0o600);
  if (process.getuid?.() === 0) chownSync(join(dir, 'server.key'), 65534, 65534);
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kaja-ssl-'));
  makeCertificates();
  cluster = await startCluster(18, {
    ssl: 'on',
    ssl_cert_file: join(dir, 'server.crt'),
    ssl_key_file: join(dir, 'server.key'),
  });
});
afterAll(async () => {
  await cluster?.destroy();
  rmSync(dir, { recursive: true, force: true });
});

/** Try the configurations in order; is the first that works encrypted? */
async function encrypted(location: string): Promise<boolean> {
  let failure: unknown;
  for (const config of toClientConfigs(parseConnectionString(location, { HOME: dir }))) {
    const client = new pg.Client(config);
    client.on('error', () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ ssl: boolean }>(
        'select ssl from pg_catalog.pg_stat_ssl where pid = pg_catalog.pg_backend_pid()',
      );
      return rows[0]?.ssl === true;
    } catch (error) {
      failure = error;
    } finally {
      await client.end().catch(() => {});
    }
  }
  throw failure;
}
const at = (host: string, rest: string): string =>
  `host=${host} port=${cluster.port} user=postgres dbname=postgres ${rest}`;
const root = (name: string): string => `sslrootcert=${join(dir, `${name}.crt`)}`;

describe('sslmode', () => {
  it('disable and allow connect plainly, prefer and require encrypted', async () => {
    expect(await encrypted(at('127.0.0.1', 'sslmode=disable'))).toBe(false);
    expect(await encrypted(at('127.0.0.1', 'sslmode=allow'))).toBe(false);
    expect(await encrypted(at('127.0.0.1', ''))).toBe(true);
    expect(await encrypted(at('127.0.0.1', 'sslmode=require'))).toBe(true);
    expect(await encrypted(at('localhost', 'sslmode=require sslnegotiation=direct'))).toBe(true);
  });

  it('verify-ca checks the authority, not the name', async () => {
    expect(await encrypted(at('127.0.0.1', `sslmode=verify-ca ${root('ca')}`))).toBe(true);
    await expect(encrypted(at('127.0.0.1', `sslmode=verify-ca ${root('other')}`))).rejects.toThrow(
      /certificate/,
    );
    await expect(encrypted(at('127.0.0.1', `sslmode=require ${root('other')}`))).rejects.toThrow(
      /certificate/,
    );
  });

  it('verify-full checks both, and hostaddr does not change the name', async () => {
    expect(await encrypted(at('localhost', `sslmode=verify-full ${root('ca')}`))).toBe(true);
    await expect(encrypted(at('127.0.0.1', `sslmode=verify-full ${root('ca')}`))).rejects.toThrow(
      /IP: 127\.0\.0\.1 is not in the cert/,
    );
    expect(await encrypted(at('localhost', `hostaddr=127.0.0.1 sslmode=verify-full ${root('ca')}`))).toBe(
      true,
    );
    await expect(
      encrypted(at('elsewhere', `hostaddr=127.0.0.1 sslmode=verify-full ${root('ca')}`)),
    ).rejects.toThrow(/Hostname\/IP does not match/);
  });

  it('prefer falls back to plain where the server has no certificate, require does not', async () => {
    const plain = new URL(inject('servers')[0] ?? '');
    expect(await encrypted(plain.href)).toBe(false);
    plain.searchParams.set('sslmode', 'require');
    await expect(encrypted(plain.href)).rejects.toThrow(/does not support SSL/);
  });

  it('prefer needs one connection, whether the server has a certificate or not', async () => {
    for (const [server, expected] of [
      [`postgres://postgres@127.0.0.1:${cluster.port}/postgres`, true],
      [inject('servers')[0] ?? '', false],
    ] as const) {
      const proxy = await openProxy(server);
      const url = new URL(proxy.url);
      url.pathname = 'postgres';
      await using session = await openSession(url.href, { purpose: 'admin' });
      expect(await session.value('select ssl from pg_stat_ssl where pid = pg_backend_pid()')).toBe(expected);
      expect(proxy.accepted()).toBe(1);
      // A cancel request comes on a connection of its own, in the same way.
      const cancelled = expect(session.query('select pg_sleep(60)')).rejects.toThrow(/cancel/);
      expect(await session.cancel()).toBe(true);
      await cancelled;
      expect(proxy.accepted()).toBe(2);
      await session.close();
      await proxy.close();
    }
  });
});
