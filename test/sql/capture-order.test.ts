/** Captured events must end in the state of the table, however commands nest and whatever becomes of the table. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, serverCount, type TestDatabase } from '../support/database.ts';

describe.each(Array.from({ length: serverCount() }, (_, n) => n))(
  'order of captured events, server %i',
  (server) => {
    let db: TestDatabase;
    let version = 0;

    beforeAll(async () => {
      db = await createDatabase({ server, install: true });
      await db.sql(`select pgq.create_queue('q')`);
      version = Number((await db.sql('show server_version_num'))[0].server_version_num);
    });
    afterAll(() => db.drop());

    const capture = async (table: string, key: string[], style = 'key'): Promise<void> => {
      await db.sql('select kaja.create_capture($1, $2, null, $3, $4, null)', [
        'q',
        `public.${table}`,
        key,
        style,
      ]);
    };

    /** Rows that the events leave behind (the last event of each key decides), and those of the table. */
    const expectFaithful = async (table: string, key: string[], only = ''): Promise<void> => {
      const keys = key.map((name) => `(e.ev_data::${table}).${name}`).join(', ');
      const replayed = await db.sql(
        `select row from (select distinct on (${keys}) left(ev_type, 1) as op, ev_data as row from pgq.event_1 e
          where ev_extra1 = $1 order by ${keys}, ev_id desc) x where op <> 'D' order by 1`,
        [`public.${table}`],
      );
      expect(replayed).toEqual(await db.sql(`select t::text as row from ${only} ${table} t order by 1`));
      expect(replayed.length).toBeGreaterThan(0);
    };

    it('holds for commands that run inside one statement', async () => {
      await db.sql('create table cte (id int primary key, v text)');
      await capture('cte', ['id']);
      await db.sql(`insert into cte values (7, 'old'), (8, 'old'), (9, 'old')`);
      // The insert of 9 runs between the deletes and ends before them.
      await db.sql(
        `with i as (insert into cte select n, 'new' from generate_series(10, 9, -1) n returning id) delete from cte using i where cte.id = i.id - 1`,
      );
      expect(await db.sql('select id from cte order by 1')).toEqual([{ id: 7 }, { id: 9 }, { id: 10 }]);
      await expectFaithful('cte', ['id']);
      await db.sql(
        `create function from_function() returns void language plpgsql as $$ begin
           with i as (insert into cte select n, 'newer' from generate_series(11, 10, -1) n returning id) delete from cte using i where cte.id = i.id - 1;
         end $$`,
      );
      await db.sql(`select from_function()`);
      await expectFaithful('cte', ['id']);
      await db.sql(`/* a comment */ delete from cte where id = 7`);
      await expectFaithful('cte', ['id']);
    });

    it('holds for versions of rows under a deferred key', async () => {
      await db.sql(
        'create table versions (id int, current boolean, v text, primary key (id, current) deferrable)',
      );
      await capture('versions', ['id', 'current']);
      await db.sql(`insert into versions values (1, true, 'old')`);
      await db.sql(
        `with i as (insert into versions values (1, true, 'new') returning *)
         update versions v set current = false from i where v.id = i.id and v.current`,
      );
      await expectFaithful('versions', ['id', 'current']);
    });

    it('holds for MERGE', async (context) => {
      if (version < 150000) return context.skip('MERGE is of PostgreSQL 15');
      await db.sql('create table merged (id int, current boolean, v text, primary key (id, current))');
      await capture('merged', ['id', 'current']);
      await db.sql(`insert into merged values (1, true, 'old'), (2, true, 'gone')`);
      await db.sql(
        `merge into merged m using (values (1, 'new', 1), (1, 'new', 2), (2, 'x', 1)) s (id, v, n) on m.id = s.id and m.current and s.n = 1
         when matched and s.id = 2 then delete when matched then update set current = false when not matched then insert values (s.id, true, s.v)`,
      );
      await expectFaithful('merged', ['id', 'current']);
    });

    it('holds for triggers that write the same partitioned table', async () => {
      await db.sql(
        `create table part (id int, part int, v int, note text, primary key (id, part)) partition by list (part);
         create table part_1 partition of part for values in (1); create table part_2 partition of part for values in (2);
         create function note_part() returns trigger language plpgsql as $$ begin
           update part set note = 'seen ' || new.v where id = new.id and note is distinct from 'seen ' || new.v;
           return null;
         end $$;
         create trigger "A_note" after insert or update on part for each row execute function note_part();
         create function move_part() returns trigger language plpgsql as $$ begin
           if new.v = 99 then delete from part where id = new.id; end if;
           if new.v = 98 then update part set id = id + 1000, v = 0 where id = new.id; end if;
           return null;
         end $$;
         create trigger "A_move" after update on part for each row execute function move_part()`,
      );
      await capture('part', ['id', 'part']);
      await db.sql('insert into part values (1, 1, 1), (2, 1, 2), (3, 2, 3), (4, 2, 4), (5, 1, 5)');
      await expectFaithful('part', ['id', 'part']);
      await db.sql('update part set v = v + 10');
      await db.sql('update part set part = 3 - part, v = v + 1 where id < 3');
      await db.sql('update part set v = 99 where id = 4; update part set v = 98 where id = 5');
      await expectFaithful('part', ['id', 'part']);
      await db.sql(
        'begin; update part set v = 20; delete from part where id = 1; insert into part values (1, 2, 30); commit',
      );
      await expectFaithful('part', ['id', 'part']);
    });

    it('holds for nested writes after DDL, and for keys whose operators are not built in', async (context) => {
      const [known] = await db.sql(`select from pg_available_extensions where name = 'ltree'`);
      if (!known) return context.skip('no ltree here');
      await db.sql(
        `create extension ltree; create table tree (id ltree primary key, v int, note text);
         create function note_tree() returns trigger language plpgsql as $$ begin
           update tree set note = 'seen ' || new.v where id = new.id and note is distinct from 'seen ' || new.v;
           return null;
         end $$;
         create trigger a_note after insert or update on tree for each row execute function note_tree()`,
      );
      await capture('tree', ['id']);
      await db.sql(`insert into tree values ('a.b', 1), ('a.c', 2)`);
      await db.sql(`update tree set v = v + 10`);
      await db.sql(`update tree set id = 'a.d', v = 5 where id = 'a.c'`);
      await expectFaithful('tree', ['id']);
      await db.sql(`delete from pgq.event_1`);
      await db.sql('alter table tree add column more int; update tree set v = v + 1, more = 3');
      await expectFaithful('tree', ['id']);
    });

    it('never fails a write because the capturing role may not read the table', async () => {
      const role = `taker_${process.pid}_${server}`;
      await db.sql(`create role ${role}; create table hidden (id int primary key, v int, note text)`);
      try {
        await db.sql(
          `create function note_hidden() returns trigger language plpgsql as $$ begin
             update hidden set note = 'seen ' || new.v where id = new.id and note is distinct from 'seen ' || new.v;
             return null;
           end $$;
           create trigger a_note after insert or update on hidden for each row execute function note_hidden()`,
        );
        await capture('hidden', ['id']);
        // What an add-table by a role with TRIGGER but without SELECT leaves behind.
        await db.sql(
          `do $$ declare f record; begin
             for f in select p.oid::regprocedure as name from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = 'hidden'::regclass and p.proname ~ '^capture_[0-9]' and p.pronamespace = 'kaja'::regnamespace loop
               execute format('alter function %s owner to ${role}', f.name);
             end loop;
           end $$;
           grant usage on schema pgq, kaja to ${role}; grant all on all tables in schema pgq, kaja to ${role}; grant all on all sequences in schema pgq, kaja to ${role}; grant execute on all functions in schema kaja to ${role}`,
        );
        await db.sql('insert into hidden values (1, 1); update hidden set v = 2; delete from hidden');
        expect(
          Number(
            (await db.sql(`select count(*) from pgq.event_1 where ev_extra1 = 'public.hidden'`))[0].count,
          ),
        ).toBe(5);
      } finally {
        await db.sql(`drop table hidden; drop owned by ${role}; drop role ${role}`);
        await db.sql(`delete from kaja.capture where table_name = 'public.hidden'`);
      }
    });

    it('lets captured tables become partitions of captured tables', async () => {
      await db.sql(
        `create table top (id int, part int, primary key (id, part)) partition by list (part);
         create table plain (id int not null, part int not null, primary key (id, part));
         create table sub (id int not null, part int not null, primary key (id, part)) partition by list (part);
         create table sub_2 partition of sub for values in (2)`,
      );
      for (const table of ['top', 'plain', 'sub']) await capture(table, ['id', 'part']);
      // Maintenance in the same transaction leaves no gap.
      await db.sql(
        `begin; alter table top attach partition plain for values in (1); alter table top attach partition sub for values in (2); select kaja.refresh_captures('q'); commit`,
      );
      await db.sql('insert into top values (1, 1), (2, 2); insert into plain values (3, 1)');
      await db.sql('update top set id = id + 10; delete from sub where id = 12');
      await db.sql('insert into sub values (5, 2)');
      for (const table of ['top', 'plain', 'sub']) await expectFaithful(table, ['id', 'part']);
      await db.sql('truncate sub_2');
      await expectFaithful('top', ['id', 'part']);
      await capture('sub_2', ['id', 'part']);
      await db.sql('insert into top values (6, 2)');
      await expectFaithful('sub_2', ['id', 'part']);
    });

    it('captures parents without children that came later, and plain tables whose children are gone', async () => {
      await db.sql('create table parent (id int primary key, v text)');
      await capture('parent', ['id']);
      await db.sql(
        `begin; create table child () inherits (parent); select kaja.refresh_captures('q'); commit; insert into parent values (1, 'p')`,
      );
      await db.sql(`insert into child values (2, 'c'); update parent set v = v || 'x'`);
      await expectFaithful('parent', ['id'], 'only');
      await db.sql(
        `delete from parent; drop table child; select kaja.refresh_captures('q'); insert into parent values (3, 'q'); update parent set v = 'r'`,
      );
      await expectFaithful('parent', ['id']);
      expect(
        (await db.sql(`select row_level from kaja.capture where table_name = 'public.parent'`))[0].row_level,
      ).toBe(false);
    });

    it('gives captured tables the functions of a newer version', async () => {
      await db.sql('create table newer (id int primary key)');
      await capture('newer', ['id']);
      const [{ id }] = await db.sql(
        `select capture_id as id from kaja.capture where table_name = 'public.newer'`,
      );
      await db.sql(
        `create or replace function kaja.capture_${id}_insert() returns trigger language plpgsql as $$ begin return null; end $$`,
      );
      await db.sql(readFileSync(join(import.meta.dirname, '../..', 'sql/kaja/_grants.sql'), 'utf8'));
      await db.sql('insert into newer values (1)');
      await expectFaithful('newer', ['id']);
    });
  },
);
