import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { column, openDatabase, SERVERS } from './londiste-support.ts';

describe.each(SERVERS)('londiste partitions, %s server', (_label, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openDatabase(server);
    await db.sql(`
      create function public.trig() returns trigger language plpgsql as 'begin return new; end';
      create role lon_part_owner_${process.pid}_${server < 0 ? 'n' : 'o'};
      grant create on schema public to lon_part_owner_${process.pid}_${server < 0 ? 'n' : 'o'}`);
  });
  afterAll(async () => {
    const role = `lon_part_owner_${process.pid}_${server < 0 ? 'n' : 'o'}`;
    await db.sql(`drop owned by ${role} cascade; drop role ${role}`);
    await db.drop();
  });
  const one = async (query: string, values: unknown[] = []) => (await column(db, query, values))[0];
  const create = (
    parent: string,
    part: string,
    field: string | null,
    time: string | null,
    period: string | null,
  ) => one(`select londiste.create_partition($1, $2, 'id', $3, $4, $5)`, [parent, part, field, time, period]);
  const checks = (part: string) =>
    column(
      db,
      `select pg_get_constraintdef(oid) from pg_constraint where conrelid = $1::regclass and contype = 'c' order by 1`,
      [part],
    );

  it.each(['timestamp', 'timestamptz', 'date'])('cuts a period out of a %s column, once', async (type) => {
    const parent = `ev_${type}`;
    await db.sql(`create table public.${parent} (id int primary key, txt text not null check (txt > ''), ctime ${type} not null);
      create index on public.${parent} (ctime);
      create rule ignore_dups as on insert to public.${parent} where exists (select 1 from public.${parent} e where e.id = new.id) do instead nothing;
      create trigger part_trig before insert on public.${parent} for each row execute function public.trig();
      alter table public.${parent} enable always trigger part_trig;
      set timezone = 'Europe/Berlin'`);
    const part = `${parent}_2011_01`;
    expect(await create(parent, part, 'ctime', '2011-01-01 00:00', 'month')).toBe(1);
    for (const cast of ['', '::timestamptz', '::timestamp']) {
      expect(
        await one(`select londiste.create_partition($1, $2, 'id', 'ctime', '2011-01-01'${cast}, 'month')`, [
          parent,
          part,
        ]),
      ).toBe(0);
    }
    expect(await one(`select count(*)::int from pg_index where indrelid = $1::regclass`, [part])).toBe(2);
    expect(
      await one(
        `select count(*)::int from pg_constraint where conrelid = $1::regclass and contype in ('p', 'c')`,
        [part],
      ),
    ).toBe(3);
    expect(await one(`select tgenabled::text from pg_trigger where tgrelid = $1::regclass`, [part])).toBe(
      'A',
    );
    // the rule of the partition looks into the partition
    expect(await one(`select definition from pg_rules where tablename = $1`, [part])).toMatch(
      new RegExp(`TO public\\.${part}\\s[^;]*FROM (public\\.)?${part} e`),
    );
    await db.sql(
      `insert into public.${part} values (1, 'x', '2011-01-31 23:59'); insert into public.${part} values (1, 'x', '2011-01-01')`,
    );
    expect(await one(`select count(*)::int from public.${parent}`)).toBe(1);
    for (const time of ['2010-12-31 23:59', '2011-02-01']) {
      await expect(db.sql(`insert into public.${part} values (2, 'x', '${time}')`)).rejects.toMatchObject({
        code: '23514',
      });
    }
    await db.sql('reset timezone');
  });

  it('writes the offset of the bounds when the column has a time zone', async () => {
    await db.sql(
      `set timezone = 'Europe/Berlin'; create table public.dst (id int primary key, at timestamptz)`,
    );
    // the hour that exists twice
    await create('dst', 'dst_a', 'at', '2021-10-31 02:30+02', 'hour');
    await create('dst', 'dst_b', 'at', '2021-10-31 02:30+01', 'hour');
    await db.sql(
      `insert into public.dst_a values (1, '2021-10-31 00:10Z'); insert into public.dst_b values (2, '2021-10-31 01:10Z')`,
    );
    await expect(db.sql(`insert into public.dst_b values (3, '2021-10-31 00:10Z')`)).rejects.toMatchObject({
      code: '23514',
    });
    await db.sql('reset timezone');
  });

  it('copes with any name', async () => {
    await db.sql(`create schema "S!"; create table "S!"."Pa r""t.x" (id int primary key, t timestamptz);
      create trigger "on ON ""S!""" before insert on "S!"."Pa r""t.x" for each row execute function public.trig();
      create rule "ru'le" as on delete to "S!"."Pa r""t.x" do instead nothing;
      alter table "S!"."Pa r""t.x" disable rule "ru'le"; alter table "S!"."Pa r""t.x" disable trigger "on ON ""S!"""`);
    expect(await create('S!.Pa r"t.x', 'S!.pa rt\\1.x', 't', '2020-02-02', 'year')).toBe(1);
    expect(
      await one(`select tgenabled::text from pg_trigger where tgrelid = '"S!"."pa rt\\1.x"'::regclass`),
    ).toBe('D');
    expect(
      await one(`select ev_enabled::text from pg_rewrite where ev_class = '"S!"."pa rt\\1.x"'::regclass`),
    ).toBe('D');
  });

  it('takes generated and identity columns, and no check without a field', async () => {
    await db.sql(
      `create table public.gen (id int generated by default as identity primary key, n int, twice int generated always as (n * 2) stored)`,
    );
    expect(await create('gen', 'gen_1', null, null, null)).toBe(1);
    expect(await create('gen', 'gen_2', '', null, null)).toBe(1);
    expect(await checks('gen_1')).toEqual([]);
    expect(await one(`insert into public.gen_1 (n) values (4) returning twice`)).toBe(8);
  });

  it('fails on bad arguments', async () => {
    await db.sql(
      `create table public.badp (id int primary key, t date); create index badp_x on public.badp (t)`,
    );
    await expect(create('badp', null as unknown as string, null, null, null)).rejects.toThrow(
      'need table and part',
    );
    await expect(create('nowhere', 'nowhere_1', null, null, null)).rejects.toMatchObject({ code: '42P01' });
    await expect(create('badp', 'badp_1', 't', null, 'day')).rejects.toThrow('need time and period');
    await expect(create('badp', 'badp_x', null, null, null)).rejects.toMatchObject({ code: '42P07' });
  });

  it('keeps owner and grants, and gives the owner nothing extra', async () => {
    const role = `lon_part_owner_${process.pid}_${server < 0 ? 'n' : 'o'}`;
    await db.sql(`create table public.own (id int primary key); alter table public.own owner to ${role};
      set role ${role}; grant select on public.own to pg_monitor with grant option; grant insert on public.own to public; reset role`);
    await create('own', 'own_1', null, null, null);
    expect(await one(`select pg_get_userbyid(relowner) from pg_class where oid = 'own_1'::regclass`)).toBe(
      role,
    );
    const acl = `select array(select a.privilege_type || a.is_grantable || coalesce(r.rolname, 'public') from aclexplode(c.relacl) a left join pg_roles r on r.oid = a.grantee order by 1)
                   from pg_class c where c.oid = $1::regclass`;
    expect(await one(acl, ['own_1'])).toEqual(await one(acl, ['own']));
  });

  it('tells old partitions by their name', async () => {
    const old = (name: string, keep: string | null, period: string) =>
      one(`select londiste.is_obsolete_partition($1, $2, $3)`, [name, keep, period]);
    expect(await old('public.t_2001', '1 year', 'year')).toBe(true);
    expect(await old('public.t_2999_12', '1 month', 'monthly')).toBe(false);
    expect(await old('public.t_2001_01_01', '1 day', 'day')).toBe(true);
    expect(await old('public.t_2001_01_01_23', '1 day', 'hourly')).toBe(true);
    expect(await old('public.t_2001_01', '1 day', 'day')).toBeNull();
    expect(await old('public.t_2001', null, 'year')).toBe(false);
    await expect(old('public.t_2001', '1 year', 'week')).rejects.toThrow(
      'not supported i_partition_period: week',
    );
  });

  it('lists and drops old partitions of one parent', async () => {
    await db.sql(`create table public."o.x" (id int); create table public."o.x_2001_01" (id int); create table public."o.x_2999_01" (id int);
      create table public.obx_2001_01 (id int); create table public."o.x_2001_01_01" (id int)`);
    expect(
      await column(db, `select * from londiste.list_obsolete_partitions('public.o.x', '1 year', 'month')`),
    ).toEqual(['public."o.x_2001_01"']);
    expect(
      await column(db, `select * from londiste.drop_obsolete_partitions('public.o.x', '1 year', 'month')`),
    ).toEqual(['public."o.x_2001_01"']);
    expect(
      await column(db, `select * from londiste.drop_obsolete_partitions('public.o.x', '1 year', 'month')`),
    ).toEqual([]);
    expect(await one(`select count(*)::int from pg_tables where tablename like 'o%2%'`)).toBe(3);
  });
});
