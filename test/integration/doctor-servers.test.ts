/** The doctor before anything is installed, with servers that do not answer as they should, and the command around it. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runDoctor } from '../../src/doctor/run-doctor.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type DoctorServers, startDoctorServers } from '../support/doctor-servers.ts';
import { expectFinding, textsOf } from '../support/expect-finding.ts';
import { runKaja } from '../support/node-pair.ts';
import { openTransactionPooler } from '../support/transaction-pooler.ts';

let servers: DoctorServers;
let old: TestDatabase;
let young: TestDatabase;
let own: TestDatabase;
let empty: TestDatabase;
beforeAll(async () => {
  servers = await startDoctorServers();
  ({ old, young, own, empty } = servers);
});
afterAll(() => servers.end());

const nodeIni: DoctorServers['nodeIni'] = (db, ...lines) => servers.nodeIni(db, ...lines);
const look: DoctorServers['look'] = (path, request) => servers.look(path, request);

describe('before anything is installed', () => {
  it('looks at both sides and their tables', async () => {
    await old.sql('create table public.t (id int primary key, word text); create table public.heap (x int)');
    await young.sql('create table public.t (id int primary key)');
    const path = nodeIni(young.url);
    const findings = await look(path, { provider: old.url });
    expectFinding(findings, {
      severity: 'info',
      check: 'schemas',
      what: /not installed here yet/,
      remedy: /create-leaf/,
      where: young.name,
    });
    expectFinding(findings, {
      severity: 'error',
      check: 'schemas',
      what: /not installed/,
      remedy: /create-root/,
      where: old.name,
    });
    expectFinding(findings, {
      severity: 'warning',
      check: 'tables',
      what: /heap has no key/,
      remedy: /--key/,
      where: old.name,
    });
    expectFinding(findings, {
      severity: 'warning',
      check: 'structure',
      what: /t lacks columns .*: word/,
      remedy: /add column word text/,
      where: young.name,
    });
    expectFinding(findings, {
      severity: 'ok',
      check: 'rights',
      what: /session_replication_role can be set/,
      remedy: /^$/,
      where: young.name,
    });
    const same = await look(nodeIni(young.url, `initial_provider_location = ${old.url}`));
    expect(textsOf(same, 'error')).toEqual(textsOf(findings, 'error'));
    const future = await look(nodeIni(old.url));
    expect(textsOf(future, 'error')).toEqual([]);
    expectFinding(future, { severity: 'warning', check: 'tables', what: /heap has no key/, remedy: /--key/ });
  });

  it('finds provider and subscriber to be one database', async () => {
    const findings = await look(nodeIni(young.url), { provider: young.url });
    expectFinding(findings, {
      severity: 'error',
      check: 'server',
      what: /same database/,
      remedy: /check db/,
    });
  });

  it('finds encodings that cannot hold the text', async () => {
    for (const [encoding, wanted] of [
      ['LATIN1', /encoding is UTF8 on the provider and LATIN1 here/],
      ['SQL_ASCII', /encoding is SQL_ASCII/],
    ] as const) {
      const name = `${empty.name}_${encoding.toLowerCase()}`;
      await empty.sql(`create database ${name} template template0 encoding '${encoding}'`);
      try {
        const findings = await look(nodeIni(servers.cluster.url(name)), { provider: old.url });
        expectFinding(findings, { severity: 'warning', check: 'server', what: wanted, remedy: /encoding/ });
      } finally {
        await empty.sql(`drop database ${name} with (force)`);
      }
    }
  });
});

describe('servers', () => {
  it('that do not answer', async () => {
    const path = nodeIni('host=127.0.0.1 port=1 dbname=shop user=u password=s3cret');
    const result = await runKaja('doctor', path);
    expect(result.code).toBe(1);
    expect(result.out).toMatch(
      /^shop at 127\.0\.0\.1:1 as u\n {2}error {4}connection: cannot connect to .* -> {2}check host, port/m,
    );
    expect(result.out).not.toContain('s3cret');
  });

  it('that want another password', async () => {
    const findings = await look(nodeIni(servers.as(own, 'locked', 'wr0ng')));
    expectFinding(findings, {
      severity: 'error',
      check: 'connection',
      what: /password authentication failed/,
      remedy: /user, password and pg_hba/,
    });
    expect(JSON.stringify(findings)).not.toContain('wr0ng');
    const missing = await look(nodeIni(servers.cluster.url('nowhere')));
    expectFinding(missing, {
      severity: 'error',
      check: 'connection',
      what: /"nowhere" does not exist/,
      remedy: /^$/,
    });
  });

  it('behind a pooler that shares connections', async () => {
    const pooler = await openTransactionPooler(empty.url);
    try {
      const findings = await look(nodeIni(pooler.url), { limits: { notifySeconds: 0.3 } });
      expectFinding(findings, {
        severity: 'error',
        check: 'pooler',
        what: /ran in 2 different backends, settings of the session were lost/,
        remedy: /pool_mode = session/,
      });
    } finally {
      await pooler.close();
    }
  });

  it('with prepared transactions', async () => {
    await empty.sql("begin; create table public.half (id int); prepare transaction 'forgotten'");
    try {
      const young = await look(nodeIni(empty.url));
      expectFinding(young, {
        severity: 'info',
        check: 'transactions',
        what: /prepared transaction forgotten/,
        remedy: /^$/,
      });
      const findings = await look(nodeIni(empty.url), { limits: { longTransactionSeconds: 0 } });
      expectFinding(findings, {
        severity: 'warning',
        check: 'transactions',
        what: /prepared transaction forgotten/,
        remedy: /rollback prepared 'forgotten'/,
      });
    } finally {
      await empty.sql(`rollback prepared 'forgotten'`);
    }
  });
});

describe('ini files', () => {
  it('that are broken are findings, and the others are looked at', async () => {
    const broken = servers.ini('[londiste]', 'db = dbname=x', 'queue_name = q', 'paralel_copies = 3');
    const good = nodeIni(empty.url);
    const findings = await runDoctor({ paths: [join(servers.dir, 'nowhere.ini'), broken, good] });
    expectFinding(findings, {
      severity: 'error',
      check: 'config',
      what: /nowhere\.ini/,
      remedy: /./,
      where: 'nowhere.ini',
    });
    expectFinding(findings, {
      severity: 'error',
      check: 'config',
      what: /unknown key "paralel_copies"/,
      remedy: /did you mean parallel_copies/,
    });
    expectFinding(findings, {
      severity: 'ok',
      check: 'server',
      what: /PostgreSQL 15/,
      remedy: /^$/,
      where: empty.name,
    });
    expect((await runKaja('doctor', broken)).code).toBe(1);
    expect((await runKaja('doctor', nodeIni('postgres://u:s3cret@h:x/db'))).out).not.toContain('s3cret');
  });

  it('of tickers lead to all their databases', async () => {
    await own.sql(`select pgq.create_queue('lonely')`);
    await own.sql(`update pgq.queue set queue_ticker_paused = true where queue_name = 'lonely'`);
    const url = new URL(own.url);
    const path = servers.ini(
      '[pgqd]',
      `base_connstr = host=127.0.0.1 port=${url.port} user=postgres`,
      `database_list = ${own.name}, ${empty.name}, missing`,
    );
    const findings = await look(path);
    expectFinding(findings, {
      severity: 'warning',
      check: 'queue',
      what: /ticker of queue lonely is paused/,
      remedy: /set_queue_config/,
      where: own.name,
    });
    expectFinding(findings, {
      severity: 'warning',
      check: 'schemas',
      what: /nothing to tick/,
      remedy: /database_list/,
      where: empty.name,
    });
    expectFinding(findings, {
      severity: 'error',
      check: 'connection',
      what: /"missing" does not exist/,
      remedy: /^$/,
    });
  });
});

describe('the command', () => {
  it('prints what counts, or everything, as text or JSON; exit codes', async () => {
    const path = nodeIni(empty.url);
    const brief = await runKaja('doctor', path);
    expect(brief.code).toBe(0);
    expect(brief.out).not.toContain('PostgreSQL 15');
    expect((await runKaja('doctor', path, '--all')).out).toContain('ok       server: PostgreSQL 15');
    const json = JSON.parse((await runKaja('doctor', path, '--json')).out);
    expect(json).toMatchObject({
      error: 0,
      findings: [
        {
          severity: 'info',
          check: 'schemas',
          what: expect.any(String),
          remedy: expect.any(String),
          where: expect.stringContaining(empty.name),
        },
      ],
    });
    await empty.sql('create table public.heap (x int)');
    expect((await runKaja('doctor', path)).code).toBe(0);
    expect((await runKaja('doctor', path, '--strict')).code).toBe(1);
  });

  it('changes nothing: it says the same where nothing can be changed', async () => {
    const before = await look(nodeIni(own.url, 'apply_role = marker'));
    const dbname = `"${own.name}"`;
    await own.sql(`alter database ${dbname} set default_transaction_read_only = on`);
    try {
      const after = await look(nodeIni(own.url, 'apply_role = marker'));
      expectFinding(after, {
        severity: 'error',
        check: 'server',
        what: /read-only/,
        remedy: /default_transaction_read_only/,
      });
      expect(textsOf(after, 'warning')).toEqual(textsOf(before, 'warning'));
      expect(textsOf(after, 'info')).toEqual(textsOf(before, 'info'));
    } finally {
      await own.sql(`alter database ${dbname} reset default_transaction_read_only`);
    }
  });
});

describe('a set of several levels', () => {
  it('is followed up to the root, and not in circles', async () => {
    const top = await createDatabase({ prefix: 'top' });
    const middle = await createDatabase({ server: -1, prefix: 'middle' });
    const low = await createDatabase({ prefix: 'low' });
    const node = async (
      db: TestDatabase,
      type: string,
      name: string,
      provider: string | null,
    ): Promise<void> => {
      for (const [at, where] of [
        ['top', top],
        ['middle', middle],
        ['low', low],
      ] as const)
        await db.sql(`select pgq_node.register_location('q', $1, $2, false)`, [at, where.url]);
      const [row] = await db.sql(
        `select * from pgq_node.create_node('q', $1, $2, $2 || '_w', $3, $4, null)`,
        [type, name, provider, provider === null ? null : 1],
      );
      expect(row.ret_code).toBe(200);
    };
    try {
      await node(top, 'root', 'top', null);
      await node(middle, 'branch', 'middle', 'top');
      await node(low, 'leaf', 'low', 'middle');
      const path = nodeIni(low.url, 'consumer_name = low_w');
      const what = /worker of node top does not run/;
      const wanted = {
        severity: 'warning',
        check: 'node',
        what,
        remedy: /worker -d/,
        where: top.name,
      } as const;
      expectFinding(await look(path), wanted);
      await middle.sql(`update pgq_node.node_location set node_location = $1 where node_name = 'top'`, [
        middle.url,
      ]);
      expectFinding(await look(path), {
        severity: 'error',
        check: 'node',
        what: /run in a circle: middle -> middle/,
        remedy: /change-provider/,
      });
    } finally {
      for (const db of [top, middle, low]) await db.drop();
    }
  });
});
