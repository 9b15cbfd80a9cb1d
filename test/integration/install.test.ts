/** Installing, upgrading, the psql script and removing. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { installSchemas, readInstallStatus } from '../../src/db/migrate/install-schemas.ts';
import { renderInstallScript } from '../../src/db/migrate/render-install-script.ts';
import { type InstallSource, readInstallSource } from '../../src/db/migrate/source.ts';
import { uninstallSchemas } from '../../src/db/migrate/uninstall-schemas.ts';
import { openSession, type Session } from '../../src/db/session.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { createDatabase, createDatabaseAt, serverCount, type TestDatabase } from '../support/database.ts';

/** Everything in the catalog that an installation could leave behind, by name. */
async function fingerprint(db: TestDatabase): Promise<string[]> {
  const rows = await db.sql(`
    select 'class ' || c.oid::regclass || ' ' || c.relkind::text || ' ' || coalesce(c.relacl::text, '') as what from pg_class c where c.oid >= 16384 and c.relkind <> 't' and c.relkind <> 'i'
    union all select 'proc ' || p.oid::regprocedure || ' ' || md5(p.prosrc) || coalesce(p.proacl::text, '') || coalesce(p.proconfig::text, '') || p.prosecdef from pg_proc p where p.oid >= 16384
    union all select 'type ' || t.oid::regtype from pg_type t where t.oid >= 16384 and t.typtype <> 'b' and t.typrelid = 0
    union all select 'namespace ' || n.nspname || coalesce(n.nspacl::text, '') from pg_namespace n where n.oid >= 16384 and n.nspname !~ '^pg_'
    union all select 'trigger ' || t.tgname || ' ' || t.tgrelid::regclass from pg_trigger t where not t.tgisinternal
    union all select 'event trigger ' || e.evtname from pg_event_trigger e
    union all select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint where oid >= 16384
    union all select 'index ' || pg_get_indexdef(indexrelid) from pg_index join pg_class i on i.oid = indexrelid where indexrelid >= 16384 and relnamespace <> 'pg_toast'::regnamespace
    union all select 'default acl ' || defaclacl::text from pg_default_acl
    order by 1`);
  return rows.map((row) => row.what);
}

const versions = (db: TestDatabase): Promise<unknown[]> =>
  db.sql(`select oid, xmin::text from pg_proc where oid >= 16384 union all select oid, xmin::text from pg_class where oid >= 16384 and relnamespace::regnamespace::text !~ '^pg_'
          union all select 0, xmin::text from kaja.schema_functions union all select 1, xmin::text from kaja.schema_migration order by 1, 2`);

const databases: TestDatabase[] = [];
const sessions: Session[] = [];
async function emptyDatabase(server: number): Promise<TestDatabase> {
  const db = await createDatabase({ server, install: false });
  databases.push(db);
  return db;
}
async function sessionOn(url: string): Promise<Session> {
  const session = await openSession(url, { purpose: 'admin' });
  sessions.push(session);
  return session;
}
afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  for (const db of databases.splice(0)) await db.drop();
});

/** Run the script as a user would; on machines without psql through the driver, in one transaction. Returns what psql said. */
async function runScript(file: string, db: TestDatabase): Promise<string> {
  const run = promisify(execFile);
  const hasPsql = await run('psql', ['--version']).then(
    () => true,
    () => false,
  );
  if (hasPsql) {
    const { stdout, stderr } = await run('psql', ['-X', '-q', '-1', '-f', file, db.url]);
    return stdout + stderr;
  }
  const client = await db.connect();
  const text = readFileSync(file, 'utf8').replace(/^\\set .*$/m, '');
  try {
    await client.query(`begin;\n${text}\ncommit;`);
  } finally {
    await client.end();
  }
  return '';
}

/** The package's files, changed. */
function changed(
  change: (source: { -readonly [K in keyof InstallSource]: InstallSource[K] }) => void,
): InstallSource {
  const copy = { ...readInstallSource() };
  change(copy);
  return copy;
}

describe.each(serverCount() > 1 ? [0, -1] : [0])('installSchemas on server %i', (server) => {
  it('installs everything, tells the steps, and does nothing the second time', async () => {
    const db = await emptyDatabase(server);
    const session = await sessionOn(db.url);
    const planned = await installSchemas(session, { dryRun: true });
    expect(await db.sql(`select 1 from pg_namespace where nspname in ('pgq', 'kaja')`)).toEqual([]);
    const told: string[] = [];
    const steps = await installSchemas(session, { onStep: (step) => told.push(step.text) });
    expect(steps.map((step) => step.text)).toEqual(told);
    expect(steps).toEqual(planned);
    expect(told).toContain('migration 0001_pgq');
    expect(told).toContain('functions of schema kaja');
    expect(await db.sql(`select pgq.create_queue('q') as made`)).toEqual([{ made: 1 }]);
    const before = await versions(db);
    expect(await installSchemas(session)).toEqual([]);
    expect((await readInstallStatus(session)).open).toEqual([]);
    expect(await versions(db)).toEqual(before);
  });

  it('is safe when two run at once', async () => {
    const db = await emptyDatabase(server);
    const all = await Promise.all([1, 2, 3].map(async () => installSchemas(await sessionOn(db.url))));
    expect(all.filter((steps) => steps.length > 0)).toHaveLength(1);
  });

  it('re-applies the functions of a schema when one differs, and only those', async () => {
    const db = await emptyDatabase(server);
    const session = await sessionOn(db.url);
    await installSchemas(session);
    await db.sql(
      `create or replace function pgq.version() returns text language sql as $$ select 'broken' $$`,
    );
    const source = changed((copy) => {
      copy.functions = copy.functions.map((set) =>
        set.schema === 'pgq' ? { ...set, checksum: 'other' } : set,
      );
    });
    const steps = await installSchemas(session, { source });
    expect(new Set(steps.map((step) => step.schema))).toEqual(new Set(['pgq']));
    expect((await db.sql('select pgq.version() as v'))[0].v).not.toBe('broken');
  });

  it('applies a new migration and then the functions and permissions of its schema', async () => {
    const db = await emptyDatabase(server);
    const session = await sessionOn(db.url);
    await installSchemas(session);
    const source = changed((copy) => {
      copy.migrations = [
        ...copy.migrations,
        {
          name: '9000_kaja_more',
          path: 'migrations/9000_kaja_more.sql',
          schema: 'kaja',
          checksum: 'x',
          text: 'create table kaja.more (id int4); select 1;',
        },
      ];
    });
    const steps = await installSchemas(session, { source });
    expect(steps[0]?.text).toBe('migration 9000_kaja_more');
    expect(new Set(steps.map((step) => step.schema))).toEqual(new Set(['kaja']));
    // Now the database is newer than the package.
    await expect(installSchemas(session)).rejects.toMatchObject({
      code: 'schema-too-new',
      message: expect.stringContaining('9000_kaja_more'),
    });
  });

  it('refuses functions of a newer kaja, edited migrations and foreign schemas', async () => {
    const db = await emptyDatabase(server);
    const session = await sessionOn(db.url);
    await installSchemas(session);
    await db.sql(
      `update kaja.schema_functions set kaja_version = '99.0.0', checksum = 'newer' where schema = 'pgq'`,
    );
    await expect(installSchemas(session)).rejects.toMatchObject({ code: 'schema-too-new' });
    await db.sql(
      `update kaja.schema_functions set kaja_version = '0.0.1'; update kaja.schema_migration set checksum = 'edited' where name = '0001_pgq'`,
    );
    await expect(installSchemas(session)).rejects.toMatchObject({
      code: 'schema-changed',
      message: expect.stringContaining('migrations/0001_pgq.sql'),
    });

    const other = await emptyDatabase(server);
    await other.sql('create schema pgq');
    await expect(installSchemas(await sessionOn(other.url))).rejects.toMatchObject({
      code: 'state-refused',
      message: expect.stringContaining('schema pgq'),
    });
  });

  it('leaves a pgq_ext alone that others made, also by script, and does not take it away', async () => {
    const [byProgram, byScript] = [await emptyDatabase(server), await emptyDatabase(server)];
    for (const db of [byProgram, byScript])
      await db.sql(
        `create schema pgq_ext; create function pgq_ext.version() returns text language sql as $$ select 'theirs' $$`,
      );
    const dir = mkdtempSync(join(tmpdir(), 'kaja-script-'));
    const file = join(dir, 'kaja.sql');
    writeFileSync(file, renderInstallScript());
    for (let run = 0; run < 2; run++) expect(await runScript(file, byScript)).toBe('');
    rmSync(dir, { recursive: true });
    const session = await sessionOn(byProgram.url);
    await installSchemas(session);
    expect(await installSchemas(session)).toEqual([]);
    expect(await fingerprint(byScript)).toEqual(await fingerprint(byProgram));
    expect((await uninstallSchemas(session)).some((step) => step.includes('pgq_ext'))).toBe(false);
    expect(await byProgram.sql('select pgq_ext.version() as v')).toEqual([{ v: 'theirs' }]);
  });

  it('keeps the positions that consumers have stored until it is forced', async () => {
    const db = await emptyDatabase(server);
    const session = await sessionOn(db.url);
    await installSchemas(session);
    await db.sql(`select pgq_ext.set_last_tick('c', 1), pgq_ext.set_batch_done('c', 1)`);
    await expect(uninstallSchemas(session)).rejects.toMatchObject({
      code: 'state-refused',
      message: expect.stringContaining('1 tick position and 1 batch position'),
    });
    await uninstallSchemas(session, { force: true });
  });

  it('rolls everything back when a file fails and names file and line', async () => {
    const db = await emptyDatabase(server);
    const session = await sessionOn(db.url);
    const source = changed((copy) => {
      copy.migrations = [
        ...copy.migrations,
        {
          name: '9000_kaja_bad',
          path: 'migrations/9000_kaja_bad.sql',
          schema: 'kaja',
          checksum: 'x',
          text: 'select 1;\n\nselect nonsense;\n',
        },
      ];
    });
    await expect(installSchemas(session, { source })).rejects.toThrow(
      /^migrations\/9000_kaja_bad\.sql:3: .*nonsense/,
    );
    expect(
      await db.sql(
        `select 1 from pg_namespace where nspname in ('pgq', 'pgq_coop', 'pgq_ext', 'pgq_node', 'londiste', 'kaja')`,
      ),
    ).toEqual([]);
  });

  it('gives the same catalog by the psql script, which may run again and satisfies install', async () => {
    const [byProgram, byScript] = [await emptyDatabase(server), await emptyDatabase(server)];
    await installSchemas(await sessionOn(byProgram.url));
    const dir = mkdtempSync(join(tmpdir(), 'kaja-script-'));
    const file = join(dir, 'kaja.sql');
    writeFileSync(file, renderInstallScript());
    const psql = (): Promise<string> => runScript(file, byScript);
    expect(await psql()).toBe('');
    expect(await fingerprint(byScript)).toEqual(await fingerprint(byProgram));
    const before = await versions(byScript);
    expect(await psql()).toBe('');
    expect(await versions(byScript)).toEqual(before);
    expect(await installSchemas(await sessionOn(byScript.url))).toEqual([]);
    expect(await versions(byScript)).toEqual(before);
    await byScript.sql(`insert into kaja.schema_migration values ('9999_future', 'x')`);
    await expect(psql()).rejects.toThrow('newer kaja');
    rmSync(dir, { recursive: true });
  });

  it('uninstalls without a trace', async () => {
    const db = await emptyDatabase(server);
    const session = await sessionOn(db.url);
    await db.sql('create table public.keep (id int4 primary key)');
    const before = await fingerprint(db);
    await installSchemas(session);
    expect(await fingerprint(db)).not.toEqual(before);
    const steps = await uninstallSchemas(session);
    expect(steps.at(0)).toMatch(/^drop schema kaja, londiste, pgq_node, pgq_ext, pgq_coop, pgq cascade/);
    expect(await fingerprint(db)).toEqual(before);
    expect(await uninstallSchemas(session)).toEqual([]);
    await installSchemas(session);
  });

  it('refuses to uninstall while a queue, a node or a view of others exists, unless forced', async () => {
    const db = await emptyDatabase(server);
    const session = await sessionOn(db.url);
    await db.sql(
      `create table public.keep (id int4 primary key); create table public.parts (id int4) partition by list (id); create table public.part1 partition of public.parts for values in (1)`,
    );
    const before = await fingerprint(db);
    await installSchemas(session);
    await db.sql(`create view public.peek as select queue_name from pgq.queue`);
    await expect(uninstallSchemas(session)).rejects.toMatchObject({
      code: 'state-refused',
      message: expect.stringContaining('view'),
    });
    await db.sql(
      `drop view public.peek; select pgq.create_queue('q'); create view public.peek as select queue_name from pgq.queue`,
    );
    await db.sql(`create function kaja.watch() returns trigger language plpgsql as 'begin return null; end';
      create trigger captured after insert on public.keep for each row execute function kaja.watch();
      create trigger captured after insert on public.parts for each row execute function kaja.watch();
      create function kaja.on_ddl() returns event_trigger language plpgsql as 'begin end';
      create event trigger kaja_ddl on ddl_command_end when tag in ('CREATE SEQUENCE') execute function kaja.on_ddl()`);
    await expect(uninstallSchemas(session)).rejects.toMatchObject({
      code: 'state-refused',
      message: expect.stringContaining('1 queue'),
    });
    expect(await db.sql('select 1 from pgq.queue')).toHaveLength(1);
    const steps = await uninstallSchemas(session, { force: true });
    expect(steps).toContain('drop trigger captured on public.keep');
    expect(steps).toContain('drop event trigger kaja_ddl');
    expect(await fingerprint(db)).toEqual(before);
  });
});

describe('beside the genuine extension pgq', () => {
  it('uses its schema as it is and leaves it alone when removed', async () => {
    const db = await emptyDatabase(0);
    // The servers of the tests carry no upstream extension: our own schema plays it, with a catalog row that says so.
    const source = readInstallSource();
    const pgqOnly = {
      ...source,
      migrations: source.migrations.filter((one) => one.schema === 'pgq'),
      functions: source.functions.filter((one) => one.schema === 'pgq'),
    };
    const session = await sessionOn(db.url);
    await installSchemas(session, { source: pgqOnly });
    await db.sql(`drop schema kaja cascade; set allow_system_table_mods = on;
      insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
      values (9999999, 'pgq', (select oid from pg_roles where rolname = current_user), 'pg_catalog'::regnamespace, false, '3.5')`);
    const before = await fingerprint(db);
    const steps = await installSchemas(session);
    expect(steps.map((step) => step.schema)).not.toContain('pgq');
    expect(await installSchemas(session)).toEqual([]);
    await db.sql(`select pgq.create_queue('q')`);
    await db.sql(`select pgq.drop_queue('q')`);
    const removed = await uninstallSchemas(session);
    expect(removed).toContain('drop trigger kaja_current_table on pgq.queue');
    expect(await fingerprint(db)).toEqual(before);
  });
});

describe('ordinary roles', () => {
  it('lets a database owner without superuser and CREATEROLE install, use and uninstall', async () => {
    for (const server of serverCount() > 1 ? [0, -1] : [0]) {
      const db = await emptyDatabase(server);
      const role = `owner_${process.pid}_${server < 0 ? 'b' : 'a'}`;
      await db.sql(`create role ${role} login nosuperuser nocreaterole`);
      await db.sql(`alter database "${db.name}" owner to ${role}`);
      const before = await fingerprint(db);
      const url = new URL(db.url);
      url.username = role;
      const session = await sessionOn(url.href);
      await installSchemas(session);
      await session.query(`select pgq.create_queue('q')`);
      expect(await installSchemas(session)).toEqual([]);
      await uninstallSchemas(session, { force: true });
      expect(await fingerprint(db)).toEqual(before);
      await session.close();
      await db.sql(`alter database "${db.name}" owner to current_user`);
      await db.sql(`drop owned by ${role}`);
      await db.sql(`drop role ${role}`);
    }
  });
});

describe('roles of a whole server', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster(18);
  });
  afterAll(() => cluster.destroy());
  const roles = async (db: TestDatabase): Promise<string[]> =>
    (await db.sql(`select rolname from pg_roles where rolname !~ '^pg_' order by 1`)).map(
      (row) => row.rolname,
    );

  it('are created once when two databases install at once, and dropped with the last one', async () => {
    const [one, two] = await Promise.all(
      [1, 2].map(() => createDatabaseAt(cluster.url('postgres'), { install: false })),
    );
    if (!one || !two) throw new Error('no databases');
    databases.push(one, two);
    const before = await roles(one);
    const [first, second] = await Promise.all([sessionOn(one.url), sessionOn(two.url)]);
    await Promise.all([installSchemas(first), installSchemas(second)]);
    expect((await roles(one)).filter((name) => !before.includes(name))).toContain('pgq_reader');
    await uninstallSchemas(first);
    expect(await roles(one)).toContain('pgq_reader');
    await one.sql('create role app login in role pgq_reader');
    await uninstallSchemas(second);
    expect((await roles(one)).filter((name) => !before.includes(name))).toEqual(['app', 'pgq_reader']);
    await one.sql('drop role app');
  });

  it('lets an owner with CREATEROLE create and drop them', async () => {
    const db = await createDatabaseAt(cluster.url('postgres'), { install: false });
    databases.push(db);
    await db.sql('drop role if exists pgq_reader');
    await db.sql('create role boss login createrole');
    await db.sql(`alter database "${db.name}" owner to boss`);
    const before = await roles(db);
    const url = new URL(db.url);
    url.username = 'boss';
    const session = await sessionOn(url.href);
    await installSchemas(session);
    expect(await roles(db)).toContain('pgq_admin');
    await uninstallSchemas(session);
    expect(await roles(db)).toEqual(before);
  });
});
