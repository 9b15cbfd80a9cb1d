/** The doctor as an ordinary role that lacks rights, from PostgreSQL 14 to 18. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type DoctorServers, startDoctorServers } from '../support/doctor-servers.ts';
import { expectFinding, textsOf } from '../support/expect-finding.ts';

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
const somebody = (db: TestDatabase): string => servers.as(db, servers.stranger);

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
    await young.sql(`grant create, temporary on database "${young.name}" to ${servers.stranger}`);
    await young.sql(`grant set on parameter session_replication_role to ${servers.stranger}`);
    const findings = await look(nodeIni(somebody(young)), { provider: somebody(old) });
    const mine = findings.filter((one) => one.where.includes(young.name) && one.check === 'rights');
    expect(textsOf(mine, 'error')).toEqual([]);
    expectFinding(mine, { severity: 'ok', check: 'rights', what: /can be set \(itself\)/, remedy: /^$/ });
  });

  it('may use the function of kaja instead, where it was given it', async () => {
    const as14 = await createDatabase({ server: 0, prefix: 'viafn' });
    try {
      await as14.sql(
        `grant execute on function londiste.set_session_replication_role(text, boolean) to ${servers.stranger}`,
      );
      const findings = await look(nodeIni(somebody(as14)), { provider: old.url });
      expectFinding(findings, {
        severity: 'ok',
        check: 'rights',
        what: /can be set \(by function\)/,
        remedy: /^$/,
      });
    } finally {
      await as14.sql(`drop owned by ${servers.stranger}`);
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
    await own.sql(`grant all on public.guarded to ${servers.stranger}`);
    await empty.sql(`grant all on public.guarded to ${servers.stranger}`);
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
      await empty.sql(`drop owned by ${servers.stranger}`);
    }
  });

  it('sees that it has too few connections', async () => {
    await own.sql(`alter role ${servers.stranger} connection limit 4`);
    try {
      const findings = await look(nodeIni(somebody(own), 'parallel_copies = 9'));
      expectFinding(findings, {
        severity: 'warning',
        check: 'server',
        what: /3 of 200 connections are free, replication takes up to 42/,
        remedy: /parallel_copies/,
      });
    } finally {
      await own.sql(`alter role ${servers.stranger} connection limit -1`);
    }
  });
});
