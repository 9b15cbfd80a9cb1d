/** What the commands about nodes print, and one line for everything that can be wrong. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster } from '../support/cluster.ts';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { type KajaRun, nodeSet, QUEUE } from '../support/node-set.ts';

const set = nodeSet();
const { kaja } = set;
let root: TestDatabase;
let leaf: TestDatabase;
let rootIni: string;
let leafIni: string;

/** The command failed with this code and one line on stderr. */
function expectOneLine(run: KajaRun, code: number, text: RegExp): void {
  const errors = run.err.split('\n').filter((line) => /ERROR|^kaja:/.test(line));
  expect(errors, run.err).toHaveLength(1);
  expect(errors[0]).toMatch(text);
  expect(run.code, run.err).toBe(code);
  expect(run.out).toBe('');
}

const missing = async (db: TestDatabase): Promise<boolean> =>
  (await db.sql(`select to_regclass('pgq.queue') is null as gone`))[0].gone;

beforeAll(async () => {
  root = await set.database();
  leaf = await set.database(-1);
  rootIni = set.ini(root, 'root_job', ['node_name = r', `public_node_location = ${root.url}`]);
  leafIni = set.ini(leaf, 'leaf_job', [`initial_provider_location = ${root.url}`]);
});
afterAll(() => set.end());

describe('create', () => {
  it('creates root and leaf, telling what it does, and does nothing the second time', async () => {
    const made = await kaja(rootIni, 'create-root');
    expect(made.err).toMatch(/Installing migration 0001_pgq/);
    expect(made.err).toMatch(/INFO Done\n$/);
    expect(made.code).toBe(0);
    const again = await kaja(rootIni, 'create-root');
    expect(again.err).toMatch(/^\S+ \S+ \d+ INFO Node is already initialized as root\n$/);
    expect(again.code).toBe(0);
    expect((await kaja(leafIni, 'create-leaf', 'l', leaf.url)).code).toBe(0);
    expect((await kaja(leafIni, 'create-leaf', 'l', leaf.url)).err).toContain(
      'Node is already initialized as leaf',
    );
    expect(await leaf.sql('select consumer_name, provider_node from pgq_node.local_state')).toEqual([
      { consumer_name: 'leaf_job', provider_node: 'r' },
    ]);
  });

  it('says what is missing on the command line', async () => {
    const ini = set.ini(leaf, 'bare');
    expectOneLine(
      await kaja(ini, 'create-leaf'),
      2,
      /Node name must be given either in command line or config/,
    );
    expectOneLine(await kaja(ini, 'create-leaf', 'x'), 2, /Node public location must be given/);
    expectOneLine(await kaja(ini, 'create-leaf', 'x', leaf.url), 2, /Please specify --provider/);
    expectOneLine(await kaja(ini, 'create-root', 'a', 'b', 'c'), 2, /too many arguments/);
    expectOneLine(await kaja(ini, 'drop-node'), 2, /missing required argument 'node'/);
    expectOneLine(
      await kaja(ini, 'pause', '--timeout', 'soon'),
      2,
      /--timeout soon is not a number of seconds/,
    );
  });

  it('refuses what this version does not do', async () => {
    const db = await set.database();
    const ini = set.ini(db, 'later');
    const branch = await kaja(ini, 'create-branch', 'b', db.url, `--provider=${root.url}`);
    expectOneLine(branch, 5, /create-branch is not in this version yet; nothing was changed/);
    const merge = await kaja(ini, 'create-leaf', 'b', db.url, '--merge=q');
    expectOneLine(merge, 5, /create-leaf --merge is not in this version yet; nothing was changed/);
    expect(await missing(db)).toBe(true);
  });

  it('answers a wrong provider, name or database with one line and leaves nothing behind', async () => {
    const db = await set.database();
    const ini = set.ini(db, 'wrong');
    const create = (name: string, provider: string, ...more: string[]) =>
      kaja(ini, 'create-leaf', name, db.url, `--provider=${provider}`, ...more);
    expectOneLine(
      await create('x', 'host=127.0.0.1 port=1 dbname=x'),
      4,
      /cannot connect to x at 127\.0\.0\.1:1/,
    );
    expectOneLine(await create('x', 'host=127.0.0.1 prot=1'), 3, /unknown keyword "prot".*did you mean port/);
    expectOneLine(
      await create('x', root.url.replace(root.name, 'no_such_db')),
      4,
      /database "no_such_db" does not exist/,
    );
    expectOneLine(await create('x', db.url), 5, /kaja is not installed in .*; create the root there first/);
    expectOneLine(await create('x', leaf.url), 5, /Cannot subscribe to leaf node l .*; its provider is r/);
    expectOneLine(await create('l', root.url), 5, /Node 'l' already exists; choose another name/);
    expectOneLine(
      await create('x', root.url, '--set', 'job_name=leaf_job'),
      5,
      /consumer name 'leaf_job' is already in use by node l/,
    );
    expectOneLine(await create('x', root.url, '--set', 'queue_name=other'), 5, /is no node of queue other/);
    const elsewhere = await kaja(ini, 'create-root', 'x', root.url);
    expectOneLine(elsewhere, 5, /Public connect string points to different database .*\(fail=\d\)/);
    expect(await missing(db)).toBe(true);
    expect(await root.sql('select from pgq_node.node_location')).toHaveLength(2);
  });

  it('says so when the provider refuses the password', async () => {
    const cluster = await startCluster(18);
    const admin = new pg.Client({ connectionString: cluster.url('postgres') });
    try {
      await admin.connect();
      await admin.query(`create role visitor login password 'right'`);
      const file = join(cluster.dir, 'data', 'pg_hba.conf');
      writeFileSync(file, `host all visitor 127.0.0.1/32 scram-sha-256\n${readFileSync(file, 'utf8')}`);
      await admin.query('select pg_reload_conf()');
      const ini = set.ini(await set.database(), 'refused');
      const provider = `host=127.0.0.1 port=${cluster.port} dbname=postgres user=visitor`;
      const create = (extra: string) =>
        kaja(ini, 'create-leaf', 'x', root.url, '--nocheck', `--provider=${provider}${extra}`);
      await eventually(async () => /password/.test((await create(' password=hunter2')).err));
      const wrong = await create(' password=hunter2');
      expectOneLine(
        wrong,
        4,
        /password authentication failed for user "visitor"; check user, password and pg_hba.conf/,
      );
      expect(wrong.err).not.toContain('hunter2');
      expectOneLine(await create(''), 4, /the server asks for a password and none is given/);
      const passfile = join(cluster.dir, 'open.pgpass');
      writeFileSync(passfile, '*:*:*:*:right\n', { mode: 0o644 });
      expectOneLine(await create(` passfile=${passfile}`), 4, /none is given; password file .*mode to 0600/);
      // With the right one it is only no node.
      expectOneLine(await create(' password=right'), 5, /kaja is not installed in postgres/);
    } finally {
      await admin.end();
      await cluster.destroy();
    }
  });
});

describe('read', () => {
  beforeAll(async () => {
    await root.sql(`update pgq_node.local_state set uptodate = true`);
    await leaf.sql(`update pgq_node.local_state set uptodate = true`);
  });

  it('prints members, with passwords hidden', async () => {
    await root.sql(
      `update pgq_node.node_location set node_location = 'host=h password=hunter2 dbname=d' where node_name = 'l'`,
    );
    const { out, code } = await kaja(rootIni, 'members');
    expect(code).toBe(0);
    const lines = out.split('\n');
    expect(lines[0]).toBe(`Member info on r@${QUEUE}:`);
    expect(lines[1]).toMatch(/^node_name +dead +node_location$/);
    expect(lines[3]).toMatch(/^l +False +host=h password=\*\*\* dbname=d$/);
    expect(lines[4]).toMatch(/^r +False +postgres:\/\//);
    expect(JSON.parse((await kaja(rootIni, 'members', '--json')).out)).toMatchObject([
      { node_name: 'l', dead: false, node_location: 'host=h password=*** dbname=d' },
      { node_name: 'r' },
    ]);
    await root.sql('update pgq_node.node_location set node_location = $1 where node_name = $2', [
      leaf.url,
      'l',
    ]);
  });

  it("prints status in Londiste's shape", async () => {
    const { out, code } = await kaja(rootIni, 'status');
    expect(code).toBe(0);
    expect(out.replace(/\d+s, Tick: \d+/g, 'Ns, Tick: N')).toBe(
      [
        `Queue: ${QUEUE}   Local node: r`,
        '',
        'r (root)',
        '  |                           Tables: 0/0/0',
        '  |                           Lag: Ns, Tick: N',
        '  +--: l (leaf)',
        '                              Tables: 0/0/0',
        '                              Lag: Ns, Tick: N',
        '',
      ].join('\n'),
    );
    const compact = (await kaja(rootIni, 'status', '--compact')).out.split('\n');
    expect(compact[2]).toMatch(/^r \(root\) {52}Tables: 0\/0\/0 {17}Lag: \d+s, Tick: \d+$/);
    expect(compact[3]).toMatch(/^ {3}l \(leaf\) {49}Tables: 0\/0\/0 {17}Lag: \d+s, Tick: \d+$/);
  });

  it('prints status as JSON with numbers', async () => {
    const status = JSON.parse((await kaja(leafIni, 'status', '--json')).out);
    expect(status).toMatchObject({ queue: QUEUE, local_node: 'l' });
    expect(status.nodes).toMatchObject([
      {
        name: 'l',
        type: 'leaf',
        provider: 'r',
        reachable: true,
        dead: false,
        lag_seconds: expect.any(Number),
        tick: expect.any(Number),
        paused: false,
        uptodate: true,
      },
      {
        name: 'r',
        type: 'root',
        provider: null,
        worker: 'root_job',
        subscribers: ['l'],
        errors: [],
        tables_not_in_order: [],
      },
    ]);
    expect(JSON.parse((await kaja(leafIni, 'node-status', '--json')).out)).toMatchObject({
      name: 'l',
      lag_seconds: expect.any(Number),
    });
  });

  it('prints node-info and node-status', async () => {
    expect((await kaja(rootIni, 'node-info')).out).toBe(
      [
        `Node: r  Type: root  Queue: ${QUEUE}`,
        'Status: OK',
        'Provider: --',
        'Connect strings:',
        `  Local   : ${root.url}`,
        `  Public  : ${root.url}`,
        '',
      ].join('\n'),
    );
    expect((await kaja(leafIni, 'node-info')).out).toContain(
      `Provider: r\nConnect strings:\n  Local   : ${leaf.url}`,
    );
    expect(JSON.parse((await kaja(leafIni, 'node-info', '--json')).out)).toMatchObject({
      node: 'l',
      provider: 'r',
      status: [],
      locations: { provider: root.url },
    });
    const status = await kaja(rootIni, 'node-status');
    expect(status.out.replace(/\d+s, Tick: \d+/, 'Ns, Tick: N')).toBe(
      [
        'r (root)',
        '    Provider: --',
        '    Subscribers: l',
        '    Tables: 0/0/0',
        '    Lag: Ns, Tick: N',
        '',
      ].join('\n'),
    );
  });

  it('answers with one line on a database without node or without kaja', async () => {
    const bare = set.ini(await set.database(), 'nobody');
    for (const command of [
      'status',
      'members',
      'node-info',
      'node-status',
      'pause',
      'wait-root',
      'worker',
      'tables',
      'seqs',
      'compare',
      'missing',
    ]) {
      expectOneLine(await kaja(bare, command), 5, /kaja is not installed in .*; create the node first/);
    }
    const other = ['--set', 'queue_name=other'];
    for (const command of ['status', 'node-info', 'resume', 'wait-provider']) {
      expectOneLine(
        await kaja(rootIni, command, ...other),
        5,
        /is no node of queue other; create the node first/,
      );
    }
    const gone = set.ini('host=127.0.0.1 port=1 dbname=x', 'gone');
    expectOneLine(await kaja(gone, 'status'), 4, /cannot connect to x at 127\.0\.0\.1:1/);
  });
});

describe('change', () => {
  it('reports what happens on stderr', async () => {
    const late = await kaja(leafIni, 'pause', '--timeout', '0.2');
    expect(late.code).toBe(1);
    expect(late.err).toMatch(
      /Consumer leaf_job tagged as paused[\s\S]*Waiting for worker to accept[\s\S]*did not answer within 0\.2 s/,
    );
    expect((await kaja(leafIni, 'node-info')).out).toContain('Status: PAUSED, NON-UP-TO-DATE\n');
    expect((await kaja(leafIni, 'resume', '--timeout', '0')).code).toBe(0);
    expect((await kaja(rootIni, 'wait-root')).err).toContain('Current node is root, no need to wait');
    expectOneLine(await kaja(rootIni, 'tag-dead', 'nobody'), 5, /Unknown node: nobody; members are l, r/);
    expect((await kaja(rootIni, 'tag-dead', 'l')).err).toContain('Node l tagged as dead');
    expect((await kaja(rootIni, 'status')).out).toContain('l (dead)');
    expect((await kaja(rootIni, 'tag-alive', 'l')).err).toContain('Node l tagged as alive');
    expectOneLine(await kaja(leafIni, 'drop-node', 'r'), 5, /node still has subscribers: r provides for l/);
    expect((await kaja(rootIni, 'drop-node', 'l')).err).toContain('Node dropped: l');
    expect((await kaja(rootIni, 'drop-node', 'r')).code).toBe(0);
    expect(await root.sql('select from pgq.queue')).toHaveLength(0);
  });
});
