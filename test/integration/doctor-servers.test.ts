/** The doctor before anything is installed, without rights, and with servers that do not answer as they should. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DoctorRequest, runDoctor } from '../../src/doctor/run-doctor.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { createDatabase, createDatabaseAt, type TestDatabase } from '../support/database.ts';
import { expectFinding, textsOf } from '../support/expect-finding.ts';
import { runKaja } from '../support/node-pair.ts';
import { openTransactionPooler } from '../support/transaction-pooler.ts';

let dir: string;
let cluster: Cluster;
/** On the oldest and the newest version, without kaja; on the server of our own, with and without. */
let old: TestDatabase;
let young: TestDatabase;
let own: TestDatabase;
let empty: TestDatabase;
const roles: TestDatabase[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kaja-doctor-'));
  cluster = await startCluster(15, { max_prepared_transactions: '5' });
  const hba = join(cluster.dir, 'data/pg_hba.conf');
  writeFileSync(hba, `host all locked 127.0.0.1/32 scram-sha-256\n${readFileSync(hba, 'utf8')}`);
  old = await createDatabase({ server: 0, install: false, prefix: 'old' });
  young = await createDatabase({ server: -1, install: false, prefix: 'young' });
  own = await createDatabaseAt(cluster.url('postgres'), { prefix: 'own' });
  empty = await createDatabaseAt(cluster.url('postgres'), { install: false, prefix: 'empty' });
  await own.sql(`create role locked login password 'right'`);
  await own.sql('select pg_reload_conf()');
  for (const db of [old, young, own]) {
    await db.sql(`create role doctor_${process.pid} login`);
    roles.push(db);
  }
});
afterAll(async () => {
  for (const db of roles)
    await db.sql(`drop owned by doctor_${process.pid}; drop role doctor_${process.pid}`);
  for (const db of [old, young, own, empty]) await db.drop();
  await cluster.destroy();
  rmSync(dir, { recursive: true, force: true });
});

let number = 0;
const ini = (...lines: string[]): string => {
  const path = join(dir, `${++number}.ini`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
};
const nodeIni = (db: string, ...lines: string[]): string =>
  ini('[londiste]', `db = ${db}`, 'queue_name = q', 'job_name = j', ...lines);
const look = (path: string, request: Partial<DoctorRequest> = {}) => runDoctor({ paths: [path], ...request });
const as = (db: TestDatabase, user: string, password = ''): string => {
  const url = new URL(db.url);
  url.username = user;
  url.password = password;
  return url.href;
};
const somebody = (db: TestDatabase): string => as(db, `doctor_${process.pid}`);

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
        const findings = await look(nodeIni(cluster.url(name)), { provider: old.url });
        expectFinding(findings, { severity: 'warning', check: 'server', what: wanted, remedy: /encoding/ });
      } finally {
        await empty.sql(`drop database ${name} with (force)`);
      }
    }
  });
});

describe('an ordinary role without rights', () => {
  it('is told what it lacks, from version 14 to 18', async () => {
    await old.sql(
      'create table public.secret (id int primary key); revoke create, temporary on database ' +
        `"${old.name}" from public`,
    );
    await young.sql(`revoke temporary on database "${young.name}" from public`);
    const findings = await look(nodeIni(somebody(young)), { provider: somebody(old) });
    const place = { where: young.name, severity: 'error', check: 'rights' } as const;
    expectFinding(findings, {
      ...place,
      what: /may not create schemas/,
      remedy: /grant create on database young_\w+ to doctor_/,
    });
    expectFinding(findings, {
      ...place,
      what: /may not create temporary tables/,
      remedy: /grant temporary on database/,
    });
    expectFinding(findings, {
      ...place,
      severity: 'warning',
      what: /may not set session_replication_role/,
      remedy: /grant set on parameter session_replication_role to doctor_/,
    });
    expectFinding(findings, {
      ...place,
      severity: 'info',
      what: /may not create roles/,
      remedy: /createrole/,
    });
    expectFinding(findings, {
      where: old.name,
      severity: 'warning',
      check: 'tables',
      what: /lacks select on table public\.secret/,
      remedy: /grant select on public\.secret to doctor_/,
    });
    const back = await look(nodeIni(somebody(old), 'apply_role = replica'), { provider: somebody(young) });
    expectFinding(back, {
      where: old.name,
      severity: 'error',
      check: 'rights',
      what: /which apply_role = replica asks for/,
      remedy: /set_session_replication_role\(text, boolean\) owner to/,
    });
    expect(textsOf([...findings, ...back], 'warning').filter((one) => one.includes('not checked'))).toEqual(
      [],
    );
  });

  it('is believed once it has what it needs', async () => {
    await young.sql(`grant create, temporary on database "${young.name}" to doctor_${process.pid}`);
    await young.sql(`grant set on parameter session_replication_role to doctor_${process.pid}`);
    const findings = await look(nodeIni(somebody(young)), { provider: somebody(old) });
    const mine = findings.filter((one) => one.where.includes(young.name) && one.check === 'rights');
    expect(textsOf(mine, 'error')).toEqual([]);
    expectFinding(mine, { severity: 'ok', check: 'rights', what: /can be set \(itself\)/, remedy: /^$/ });
  });

  it('may use the function of kaja instead, where it was given it', async () => {
    const as14 = await createDatabase({ server: 0, prefix: 'viafn' });
    try {
      await as14.sql(
        `grant execute on function londiste.set_session_replication_role(text, boolean) to doctor_${process.pid}`,
      );
      const findings = await look(nodeIni(somebody(as14)), { provider: old.url });
      expectFinding(findings, {
        severity: 'ok',
        check: 'rights',
        what: /can be set \(by function\)/,
        remedy: /^$/,
      });
    } finally {
      await as14.sql(`drop owned by doctor_${process.pid}`);
      await as14.drop();
    }
  });

  it('cannot read a node, and says so', async () => {
    await own.sql(`select * from pgq_node.register_location('q', 'n', 'dbname=x', false)`);
    await own.sql(`select * from pgq_node.create_node('q', 'root', 'n', 'j', null, null, null)`);
    const findings = await look(nodeIni(somebody(own)));
    expectFinding(findings, {
      severity: 'error',
      check: 'node',
      what: /may not read the node of queue q/,
      remedy: /grant pgq_reader/,
    });
    expectFinding(findings, {
      severity: 'error',
      check: 'rights',
      what: /may not call pgq_node\.get_node_info/,
      remedy: /pgq_admin/,
    });
    expectFinding(findings, {
      severity: 'info',
      check: 'schemas',
      what: /not checked: permission denied/,
      remedy: /owns the schemas/,
    });
    expect(textsOf(findings, 'warning').filter((one) => one.includes('not checked'))).toEqual([]);
    const reader = await look(nodeIni(empty.url), { provider: somebody(own) });
    expectFinding(reader, {
      severity: 'error',
      check: 'rights',
      what: /may not call .*kaja\.next_batch/,
      remedy: /grant pgq_reader/,
      where: own.name,
    });
  });

  it('is subject to row security and does not own what it writes to', async () => {
    await own.sql(
      'create table public.guarded (id int primary key); alter table public.guarded enable row level security',
    );
    await empty.sql('create table public.guarded (id int primary key)');
    await own.sql(`grant all on public.guarded to doctor_${process.pid}`);
    await empty.sql(`grant all on public.guarded to doctor_${process.pid}`);
    try {
      const findings = await look(nodeIni(somebody(empty)), { provider: somebody(own) });
      expectFinding(findings, {
        severity: 'warning',
        check: 'tables',
        what: /row security of table public\.guarded/,
        remedy: /bypassrls/,
        where: own.name,
      });
      expectFinding(findings, {
        severity: 'warning',
        check: 'tables',
        what: /does not own table public\.guarded/,
        remedy: /owner to doctor_/,
        where: empty.name,
      });
    } finally {
      await empty.sql(`drop owned by doctor_${process.pid}`);
    }
  });

  it('sees that it has too few connections', async () => {
    await own.sql(`alter role doctor_${process.pid} connection limit 4`);
    try {
      const findings = await look(nodeIni(somebody(own), 'parallel_copies = 9'));
      expectFinding(findings, {
        severity: 'warning',
        check: 'server',
        what: /3 of 200 connections are free, replication takes up to 40/,
        remedy: /parallel_copies/,
      });
    } finally {
      await own.sql(`alter role doctor_${process.pid} connection limit -1`);
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
    const findings = await look(nodeIni(as(own, 'locked', 'wr0ng')));
    expectFinding(findings, {
      severity: 'error',
      check: 'connection',
      what: /password authentication failed/,
      remedy: /user, password and pg_hba/,
    });
    expect(JSON.stringify(findings)).not.toContain('wr0ng');
    const missing = await look(nodeIni(cluster.url('nowhere')));
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
    const broken = ini('[londiste]', 'db = dbname=x', 'queue_name = q', 'paralel_copies = 3');
    const good = nodeIni(empty.url);
    const findings = await runDoctor({ paths: [join(dir, 'nowhere.ini'), broken, good] });
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
    const path = ini(
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
