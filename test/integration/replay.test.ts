import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type Replication, replicate } from '../support/replication.ts';

describe('replay from the oldest to the newest server', () => {
  let root: TestDatabase;
  let leaf: TestDatabase;
  let pair: Replication;

  beforeAll(async () => {
    root = await createDatabase({ server: 0 });
    leaf = await createDatabase({ server: -1 });
    pair = await replicate(root, leaf);
    pair.startWorker();
  });
  afterAll(async () => {
    await pair?.stop();
    await root?.drop();
    await leaf?.drop();
  });

  const both = async (sql: string): Promise<void> => {
    await root.sql(sql);
    await leaf.sql(sql);
  };
  const stats = async (table: string): Promise<Record<string, string>> =>
    (
      await leaf.sql(
        'select update_missing, delete_missing, insert_found from kaja.table_stats where table_name = $1',
        [`public.${table}`],
      )
    )[0] ?? {};

  it('copies what is there and keeps up with what comes', async () => {
    await both('create table a (id int primary key, v text, n numeric)');
    await root.sql(`insert into a select g, 'row ' || g, g * 1.5 from generate_series(1, 1000) g`);
    await pair.addTable('a');
    await root.sql(
      `insert into a select g, 'late ' || g, g from generate_series(1001, 1500) g; update a set v = 'changed' where id % 3 = 0; delete from a where id % 7 = 0`,
    );
    await pair.settled();
    await pair.expectEqual('a');
    await root.sql(
      `update a set id = -id where id % 5 = 0; insert into a values (100000, null, 'NaN'); delete from a where id = 1`,
    );
    await root.sql(
      `begin; insert into a values (2000000, 'x', 1); delete from a where id = 2000000; insert into a values (2000000, 'y', 2); update a set v = 'z' where id = 2000000; commit`,
    );
    await pair.settled();
    await pair.expectEqual('a');
    expect(await stats('a')).toEqual({ update_missing: '0', delete_missing: '0', insert_found: '0' });
  });

  it('truncates, also in the middle of a batch', async () => {
    await both('create table tr (id int primary key)');
    await pair.addTable('tr');
    await pair.settled();
    await root.sql(
      'begin; insert into tr values (1), (2); truncate tr; insert into tr values (2), (3); commit',
    );
    await pair.settled();
    await pair.expectEqual('tr');
    await root.sql('truncate tr');
    await pair.settled();
    await pair.expectEqual('tr');
  });

  it('falls back to event order when a unique constraint is hit in between', async () => {
    await both('create table u (id int primary key, x int unique)');
    await pair.addTable('u');
    await root.sql('insert into u values (1, 1), (2, 2), (3, 3)');
    await pair.settled();
    await root.sql(
      'begin; update u set x = 100 where id = 1; update u set x = 1 where id = 2; update u set x = 2 where id = 3; update u set x = 3 where id = 1; commit',
    );
    await root.sql('begin; delete from u where id = 2; insert into u values (20, 1); commit');
    await pair.settled();
    await pair.expectEqual('u');
  });

  it('counts and heals divergence', async () => {
    await both('create table d (id int primary key, v text)');
    await pair.addTable('d');
    await root.sql(`insert into d values (1, 'a'), (2, 'b'), (3, 'c')`);
    await pair.settled();
    await leaf.sql(
      `set session_replication_role = replica; delete from d where id in (1, 2); insert into d values (9, 'alien'); set session_replication_role = origin`,
    );
    await root.sql(
      `update d set v = 'a2' where id = 1; delete from d where id = 2; insert into d values (9, 'ours')`,
    );
    await pair.settled();
    await pair.expectEqual('d');
    expect(await stats('d')).toEqual({ update_missing: '1', delete_missing: '1', insert_found: '1' });
  });

  it('renames and filters', async () => {
    await root.sql('create table f (id int primary key, region text, v int)');
    await leaf.sql('create schema far; create table far.g (id int primary key, region text, v int)');
    await root.sql(
      `insert into f select g, case g % 2 when 0 then 'eu' else 'us' end, g from generate_series(1, 100) g`,
    );
    await pair.addTable('f', {
      dest: 'far.g',
      attrs: `where=${encodeURIComponent(`region = 'eu' -- comment`)}`,
    });
    await pair.settled();
    await pair.expectEqual('f', 'far.g', `region = 'eu'`);
    await root.sql(
      `update f set region = 'eu' where id = 1; update f set region = 'us' where id = 2; update f set v = -1 where id in (4, 5); delete from f where id in (6, 7); insert into f values (200, 'eu', 1), (201, 'us', 1)`,
    );
    await pair.settled();
    expect((await leaf.sql(`select count(*)::int as n from far.g where region <> 'eu'`))[0].n).toBe(0);
    await pair.expectEqual('f', 'far.g', `region = 'eu'`);
    await root.sql('truncate f');
    await pair.settled();
    await pair.expectEqual('f', 'far.g');
  });

  it('keeps tables without a key equal as multisets', async () => {
    await both('create table w (a int, b text)');
    await pair.addTable('w', { style: 'whole_row' });
    await root.sql(`insert into w values (1, 'x'), (1, 'x'), (1, 'x'), (2, null), (2, null)`);
    await pair.settled();
    await root.sql(
      `delete from w where ctid = (select min(ctid) from w where a = 1); update w set b = 'y' where ctid = (select max(ctid) from w where a = 2); insert into w values (1, 'x')`,
    );
    await pair.settled();
    await pair.expectEqual('w');
  });

  it('follows columns by number through renames and added and dropped columns', async () => {
    await both('create table c (id int primary key, old_name text, gone int)');
    await pair.addTable('c');
    await root.sql(`insert into c values (1, 'a', 1)`);
    await pair.settled();
    await root.sql(`alter table c rename column old_name to new_name; insert into c values (2, 'b', 2)`);
    await pair.settled();
    await leaf.sql('alter table c rename column old_name to new_name');
    await root.sql(
      `update c set new_name = 'c' where id = 1; alter table c drop column gone; insert into c values (3, 'c')`,
    );
    await pair.settled();
    await leaf.sql('alter table c drop column gone');
    await leaf.sql('alter table c add column extra int[]');
    await root.sql(
      `alter table c add column extra int[]; update c set extra = '[0:1]={7,8}'; alter table c alter column id type bigint; alter table c rename column id to ident`,
    );
    await leaf.sql('alter table c alter column id type bigint; alter table c rename column id to ident');
    await root.sql(`insert into c values (4000000000, 'big', '{1}')`);
    await pair.settled();
    await pair.expectEqual('c');
  });

  it('stops at a column that this node lacks, loses nothing and goes on when it is there', async () => {
    await both('create table m (id int primary key)');
    await pair.addTable('m');
    await pair.settled();
    await root.sql(`alter table m add column later text default 'd'; insert into m values (1, 'x')`);
    await expect(pair.settled(3000)).rejects.toThrow(/column later of table public.m does not exist/);
    await leaf.sql(`alter table m add column later text default 'd'`);
    await pair.settled();
    await pair.expectEqual('m');
  });

  it('keeps generated and identity columns and every awkward value', async () => {
    const columns = `id int generated always as identity primary key, a int, g int generated always as (a * 2) stored, other int generated always as identity, ts timestamptz, f float8, n numeric, j json, jb jsonb, b bytea, arr int[], c char(5), t text, iv interval, r int4range`;
    await both(`create table gen (${columns.replace(', other int generated always as identity', '')})`);
    await pair.addTable('gen');
    await root.sql(
      `insert into gen (a, ts, f, n, j, jb, b, arr, c, t, iv, r) values (1, 'infinity', '-0', 'Infinity', ' {"a" : 1}', 'null', '\\x0027', '[3:4]={1,null}', 'ab', E'tab\\t\\\\.\\n\\\\.', '1 mon -2 days 03:00:00.5', '[1,5)'), (null, '0044-03-15 BC', 'NaN', 1.50, null, null, '', '{}', '', '', null, 'empty')`,
    );
    await root.sql('update gen set a = 5 where a = 1');
    await pair.settled();
    await pair.expectEqual('gen');
  });

  it('applies many tables in one batch', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `many_${n}`);
    await both(names.map((name) => `create table ${name} (id int primary key, v text)`).join('; '));
    for (const name of names) await pair.addTable(name, { expectSync: true });
    await root.sql(
      `begin; ${names.map((name) => `insert into ${name} select g, 'a' from generate_series(1, 50) g; update ${name} set v = 'b' where id % 2 = 0; delete from ${name} where id > 40`).join('; ')}; commit`,
    );
    await pair.settled();
    for (const name of names) await pair.expectEqual(name);
    expect((await leaf.sql('select count(*)::int as n from many_19'))[0].n).toBe(40);
    await root.sql(`begin; ${names.map((name) => `update ${name} set v = 'c'`).join('; ')}; commit`);
    await pair.settled();
    for (const name of names) await pair.expectEqual(name);
  });

  it("applies events in the formats of Londiste's own triggers", async () => {
    await both('create table l (id int, k2 text, v text, n numeric, primary key (id, k2))');
    await pair.addTable('l', { key: ['id', 'k2'] });
    await pair.settled();
    const put = (type: string, data: string): Promise<unknown> =>
      root.sql(`select pgq.insert_event($1, $2, $3, 'public.l', null, null, null)`, [pair.queue, type, data]);
    await put('I:id,k2', 'id=1&k2=a&v=O%27Brien+%26+co%c3%a9%e2%82%ac&n');
    await put('I', `(id,k2,v) values ('2','b',E'back\\\\slash')`);
    await put(
      '{"op":"INSERT","table":["public","l"],"pkey":["id","k2"]}',
      '{"id":3,"k2":"c","v":null,"n":9007199254740993.10}',
    );
    await put('U:id,k2', 'id=1&k2=a&v=&n=1.50');
    await put('U', `v='x' where id='2' and k2='b'`);
    await put(
      '{"op":"UPDATE","table":["public","l"],"pkey":["id","k2"]}',
      '{"id":3,"k2":"c","v":"t\\tab","n":1}',
    );
    await put('I:id,k2', 'id=4&k2=d&v=gone&n');
    await put('D:id,k2', 'id=4&k2=d&v=gone&n');
    await pair.settled();
    expect(await leaf.sql('select l::text as l from l order by id')).toEqual([
      { l: '(1,a,"",1.50)' },
      { l: '(2,b,x,)' },
      { l: '(3,c,"t\tab",1)' },
    ]);
    await put('D:id,k2', 'id=77&k2=none&v&n');
    await put('D', `id='78'`);
    await put('R', '');
    await pair.settled();
    expect((await leaf.sql('select count(*)::int as n from l'))[0].n).toBe(0);
    expect(await stats('l')).toEqual({ update_missing: '0', delete_missing: '2', insert_found: '0' });
  });
});

describe('replay without the right to set session_replication_role', () => {
  let root: TestDatabase;
  let leaf: TestDatabase;
  let pair: Replication;

  beforeAll(async () => {
    root = await createDatabase({ server: 0 });
    leaf = await createDatabase({ server: -1 });
    pair = await replicate(root, leaf, { applyRole: 'marker' });
    for (const db of [root, leaf]) {
      await db.sql(`create table parent (id int primary key, v text); create table child (id int primary key, parent int not null references parent on delete cascade, up int references child);
        create table noted (id int primary key, v text); create table notes (n text)`);
    }
    await leaf.sql(`create function note() returns trigger language plpgsql as $$ begin insert into public.notes values (tg_op || ' ' || coalesce(new.v, old.v)); return null; end $$;
      create trigger note after insert or update or delete on noted for each row execute function note()`);
    for (const table of ['child', 'parent', 'noted']) await pair.addTable(table);
    pair.startWorker();
    await pair.settled();
  });
  afterAll(async () => {
    await pair?.stop();
    await root?.drop();
    await leaf?.drop();
  });

  it('keeps foreign keys satisfied within a batch', async () => {
    await root.sql(
      `begin; insert into parent values (1, 'a'), (2, 'b'); insert into child values (10, 1, null), (11, 2, 10), (12, 2, 11); commit`,
    );
    await pair.settled();
    await root.sql(
      `begin; update child set up = null; delete from child where id = 10; insert into parent values (3, 'c'); update child set parent = 3 where id = 11; delete from parent where id = 1; commit`,
    );
    await root.sql('delete from parent where id = 2');
    await pair.settled();
    for (const table of ['parent', 'child']) await pair.expectEqual(table);
    expect(
      (
        await leaf.sql(
          `select count(*)::int as n from pg_constraint where contype = 'f' and conrelid = 'child'::regclass and convalidated`,
        )
      )[0].n,
    ).toBe(2);
  });

  it('fires ordinary triggers once per event, in order', async () => {
    await root.sql(
      `begin; insert into noted values (1, 'one'); update noted set v = 'two'; delete from noted; insert into noted values (1, 'three'); commit`,
    );
    await pair.settled();
    await pair.expectEqual('noted');
    expect((await leaf.sql('select n from notes')).map((row) => row.n)).toEqual([
      'INSERT one',
      'UPDATE two',
      'DELETE two',
      'INSERT three',
    ]);
  });
});
