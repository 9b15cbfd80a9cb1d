/** Tables that make replay hard: each is written on the root and must come out equal on the leaf, with nothing counted as divergence. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type Replication, replicate } from '../support/replication.ts';

describe.each(['auto', 'marker'] as const)('replay of hostile tables, apply_role %s', (applyRole) => {
  let root: TestDatabase;
  let leaf: TestDatabase;
  let pair: Replication;

  beforeAll(async () => {
    root = await createDatabase({ server: 0 });
    leaf = await createDatabase({ server: -1 });
    pair = await replicate(root, leaf, { applyRole });
    pair.startWorker();
  });
  afterAll(async () => {
    await pair?.stop();
    await root?.drop();
    await leaf?.drop();
  });

  const both = async (statement: string): Promise<void> => {
    await root.sql(statement);
    await leaf.sql(statement);
  };
  const expectNoDivergence = async (): Promise<void> => {
    expect(
      await leaf.sql(
        'select table_name, update_missing, delete_missing, insert_found from kaja.table_stats where update_missing + delete_missing + insert_found > 0',
      ),
    ).toEqual([]);
  };

  it('finds rows by keys whose equality is not built in', async (context) => {
    const [known] = await root.sql(`select from pg_available_extensions where name = 'ltree'`);
    if (!known) return context.skip('no ltree here');
    await both(`create extension ltree; create extension citext;
      create table tree (id ltree primary key, v int); create table word (id citext primary key, v int)`);
    await root.sql(
      `insert into tree values ('a.b', 1), ('a.c', 2); insert into word values ('A', 1), ('B', 2)`,
    );
    await pair.addTable('tree');
    await pair.addTable('word');
    await pair.settled();
    await root.sql(
      `update tree set v = v + 1; update tree set id = 'x' where id = 'a.c'; insert into tree values ('y', 9); update word set v = v + 1; delete from tree where id = 'a.b'`,
    );
    await pair.settled();
    await root.sql(`update word set id = 'a' where id = 'a'; update word set v = 7 where id = 'b'`);
    await pair.settled();
    await root.sql(`delete from word where id = 'a'`);
    await pair.settled();
    await pair.expectEqual('tree');
    await pair.expectEqual('word');
    await expectNoDivergence();
  });

  it('passes a key on while rows refer to it', async () => {
    await both(`create table boss (id int primary key, v text);
      create table worker (id int primary key, boss int references boss on update cascade on delete cascade, up int references worker);
      create table pet (id int primary key, boss int references boss on update cascade)`);
    // Rows that no event touches: they must not go with a row that only changes its key.
    await leaf.sql('create table task (id int primary key, worker int references worker on delete cascade)');
    for (const table of ['boss', 'worker', 'pet']) await pair.addTable(table);
    await root.sql(
      `insert into boss values (1, 'a'), (2, 'b'), (3, 'c'); insert into worker values (1, 1, null), (2, 1, 1), (3, 2, 2); insert into pet values (1, 1), (2, 3)`,
    );
    await pair.settled();
    await leaf.sql('insert into task values (1, 1), (2, 2)');
    await root.sql('update boss set id = id + 10 where id <> 2');
    await pair.settled();
    expect(await leaf.sql('select id from task order by 1')).toEqual([{ id: 1 }, { id: 2 }]);
    await root.sql(
      'delete from pet; update worker set up = null where up in (1, 2); delete from boss where id = 11',
    );
    await pair.settled();
    for (const table of ['boss', 'worker', 'pet']) await pair.expectEqual(table);
    await expectNoDivergence();
  });

  it('follows identity columns that are generated always', async () => {
    await both(
      'create table numbered (id text primary key, n bigint generated always as identity, v int); create table numbered_key (id bigint primary key generated always as identity, v int)',
    );
    for (const table of ['numbered', 'numbered_key']) await pair.addTable(table);
    await root.sql(
      `insert into numbered (id, v) values ('a', 1), ('b', 2); insert into numbered_key (v) values (1), (2)`,
    );
    await pair.settled();
    await root.sql(
      'update numbered set v = v + 1; update numbered_key set v = 5; update numbered_key set id = default where id = 1',
    );
    await pair.settled();
    for (const table of ['numbered', 'numbered_key']) await pair.expectEqual(table);
    await expectNoDivergence();
  });

  it('never makes two rows of one key, also where the leaf checks its key late', async () => {
    await both('create table late (id int primary key deferrable initially deferred, v text)');
    await pair.addTable('late');
    await root.sql(`insert into late values (1, 'a')`);
    await pair.settled();
    await leaf.sql(
      `set session_replication_role = replica; insert into late values (2, 'local'); set session_replication_role = origin`,
    );
    await root.sql(`insert into late values (2, 'mine'), (3, 'c')`);
    await pair.settled();
    await pair.expectEqual('late');
    expect(
      (await leaf.sql(`select insert_found::int from kaja.table_stats where table_name = 'public.late'`))[0],
    ).toEqual({ insert_found: 1 });
    await leaf.sql(`delete from kaja.table_stats where table_name = 'public.late'`);
  });

  it('applies a whole transaction of everything to tables without a key and with triggers of their own', async () => {
    await both(
      `create table bag (a int, b text, c numeric); create table watched (id int primary key, v int); create table log_watched (id int, v int)`,
    );
    await leaf.sql(`create function log_watched() returns trigger language plpgsql as $$ begin insert into public.log_watched values (new.id, new.v); return null; end $$;
      create trigger t after insert or update on watched for each row execute function log_watched(); alter table watched enable always trigger t`);
    await pair.addTable('bag', { style: 'whole_row' });
    await pair.addTable('watched');
    await pair.settled();
    await root.sql(`begin; insert into bag select n % 3, 'x', n % 2 from generate_series(1, 20) n; update bag set c = c + 1 where a = 1; delete from bag where a = 2; truncate bag; insert into bag values (1, 'y', 1.0), (1, 'y', 1.00), (null, null, null); update bag set b = 'z' where c = 1.00; commit;
      begin; insert into watched values (1, 1), (2, 2); update watched set v = 3 where id = 1; delete from watched where id = 2; update watched set id = 5 where id = 1; commit`);
    await pair.settled();
    await pair.expectEqual('bag');
    await pair.expectEqual('watched');
    expect(await leaf.sql('select * from log_watched order by id, v')).toEqual([
      { id: 1, v: 1 },
      { id: 1, v: 3 },
      { id: 2, v: 2 },
      { id: 5, v: 3 },
    ]);
    await expectNoDivergence();
  });
});
