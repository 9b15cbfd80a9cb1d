import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import {
  column,
  events,
  makeRoot,
  makeSubscriber,
  openDatabase,
  ret,
  SERVERS,
  triggers,
} from './londiste-support.ts';

describe.each(SERVERS)('londiste tables, %s server', (_label, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openDatabase(server);
  });
  afterAll(() => db.drop());
  const count = async (query: string) => (await column(db, `select count(*)::int ${query}`))[0];

  describe('on a root', () => {
    beforeAll(async () => {
      await makeRoot(db, 'q');
      await db.sql(
        `create table public.nopk (v text); create table public.t (id serial primary key, v text)`,
      );
    });

    it('refuses a table without key, a missing table and a missing node, changing nothing', async () => {
      expect(await ret(db, `londiste.local_add_table('q', 'public.nopk')`)).toBe(
        '400 Primary key missing on table: public.nopk',
      );
      expect(await ret(db, `londiste.local_add_table('q', 'none')`)).toBe(
        '404 Table does not exist: public.none',
      );
      expect(await ret(db, `londiste.local_add_table('q', 'a', null, null, 'none')`)).toBe(
        '404 Table does not exist: public.a(public.none)',
      );
      expect(await ret(db, `londiste.local_add_table('nix', 't')`)).toBe('400 No such set: nix');
      expect(await ret(db, `londiste.local_add_table('q', 't', array['merge_all', 'no_merge'])`)).toBe(
        '405 Cannot use merge-all and no-merge together',
      );
      expect(await count(`from londiste.table_info`)).toBe(0);
      expect(await events(db, 'q')).toEqual([]);
    });

    it('adds a table, captures its changes and removes it again', async () => {
      expect(await ret(db, `londiste.local_add_table('q', 't')`)).toBe('200 Table added: public.t');
      expect((await triggers(db, 'public.t')).length).toBeGreaterThanOrEqual(2);
      expect(await db.sql(`select * from londiste.get_table_list('q')`)).toEqual([
        {
          table_name: 'public.t',
          local: true,
          merge_state: 'ok',
          custom_snapshot: null,
          table_attrs: null,
          dropped_ddl: null,
          copy_role: null,
          copy_pos: 0,
          dest_table: null,
        },
      ]);
      await db.sql(`insert into public.t (v) values ('x')`);
      expect(await ret(db, `londiste.local_add_table('q', 'public.t')`)).toBe(
        '200 Table already added: public.t',
      );
      expect(await ret(db, `londiste.local_add_table('q', 'public.t', null, 'handler=x')`)).toBe(
        '410 Table public.t already added, but with different args: ',
      );
      expect(await ret(db, `londiste.local_remove_table('q', 't')`)).toBe('200 Table removed: public.t');
      expect(await ret(db, `londiste.local_remove_table('q', 't')`)).toBe('400 Table not found: public.t');
      expect(await triggers(db, 'public.t')).toEqual([]);
      expect(await count(`from londiste.get_table_list('q')`)).toBe(0);
      expect(await count(`from kaja.capture`)).toBe(0);
      const log = await events(db, 'q');
      expect(log[0]).toBe('londiste.add-table|public.t|');
      expect(log[1]).toMatch(/^I.*\|public\.t$/s);
      expect(log[2]).toBe('londiste.remove-table|public.t|');
    });

    it('drops triggers when the row is deleted', async () => {
      await db.sql(`select londiste.local_add_table('q', 't')`);
      await db.sql(`delete from londiste.table_info where table_name = 'public.t'`);
      expect(await triggers(db, 'public.t')).toEqual([]);
      expect(await count(`from kaja.capture`)).toBe(0);
    });

    it('appends skip_truncate to the attributes', async () => {
      await db.sql(`select londiste.local_add_table('q', 't', array['skip_truncate'], 'handler=h')`);
      expect(await column(db, `select table_attrs from londiste.get_table_list('q')`)).toEqual([
        'handler=h&skip_truncate=1',
      ]);
      expect(await ret(db, `londiste.local_add_table('q', 't')`)).toBe(
        '410 Table public.t already added, but with different args: handler=h&skip_truncate=1',
      );
      await db.sql(`select londiste.local_remove_table('q', 't')`);
    });

    it('makes no triggers when told so', async () => {
      expect(await ret(db, `londiste.local_add_table('q', 't', array['no_triggers'])`)).toBe(
        '200 Table added with no triggers: public.t',
      );
      expect(await triggers(db, 'public.t')).toEqual([]);
      expect(await ret(db, `londiste.local_add_table('q', 'virt', array['virtual_table'])`)).toBe(
        '200 Table added with no triggers: public.virt',
      );
      await db.sql(`select londiste.local_remove_table('q', 't'), londiste.local_remove_table('q', 'virt')`);
    });

    it('warns when another trigger fires first', async () => {
      await db.sql(`create table public.busy (id int primary key);
        create function public.noop() returns trigger language plpgsql as 'begin return null; end';
        create trigger aaa_audit after insert on public.busy for each row execute function public.noop();
        create trigger "AAA_before" before insert on public.busy for each row execute function public.noop();
        create trigger zzz_audit after insert on public.busy for each row execute function public.noop()`);
      // names sort bytewise: "_" comes before "a"
      expect(await ret(db, `londiste.local_add_table('q', 'busy')`)).toBe('200 Table added: public.busy');
      await db.sql(
        `select londiste.local_remove_table('q', 'busy'); alter trigger aaa_audit on public.busy rename to "AUDIT"`,
      );
      expect(await ret(db, `londiste.local_add_table('q', 'busy')`)).toBe(
        '301 Table added: public.busy, but londiste trigger is not first: AUDIT',
      );
      await db.sql(`select londiste.local_remove_table('q', 'busy')`);
    });

    it('removes sequences of the table with it: serial and identity', async () => {
      await db.sql(
        `create table public.seqs (a serial primary key, b bigserial, c smallserial, d int generated always as identity)`,
      );
      await db.sql(`select londiste.local_add_table('q', 'seqs')`);
      for (const name of ['a', 'b', 'c', 'd']) {
        expect(await ret(db, `londiste.local_add_seq('q', 'seqs_${name}_seq')`)).toBe(
          `200 Sequence added: public.seqs_${name}_seq`,
        );
      }
      await db.sql(`select londiste.local_remove_table('q', 'seqs')`);
      expect(await count(`from londiste.get_seq_list('q')`)).toBe(0);
      expect((await events(db, 'q')).slice(-5)).toEqual([
        'londiste.remove-seq|public.seqs_a_seq|',
        'londiste.remove-seq|public.seqs_b_seq|',
        'londiste.remove-seq|public.seqs_c_seq|',
        'londiste.remove-seq|public.seqs_d_seq|',
        'londiste.remove-table|public.seqs|',
      ]);
    });

    it('survives that the table is gone', async () => {
      await db.sql(`create table public.gone (id int primary key)`);
      await db.sql(`select londiste.local_add_table('q', 'gone')`);
      await db.sql(`drop table public.gone`);
      expect(await ret(db, `londiste.local_remove_table('q', 'gone')`)).toBe(
        '200 Table removed: public.gone',
      );
    });

    it('adds a partitioned table', async () => {
      await db.sql(`create table public.parts (id int, at date, v text, primary key (id, at)) partition by range (at);
        create table public.parts_1 partition of public.parts for values from ('2020-01-01') to ('2021-01-01')`);
      expect(await ret(db, `londiste.local_add_table('q', 'parts')`)).toBe('200 Table added: public.parts');
      await db.sql(`insert into public.parts values (1, '2020-05-05', 'x')`);
      expect((await events(db, 'q')).at(-1)).toMatch(/\|public\.parts$/);
      expect(await ret(db, `londiste.local_remove_table('q', 'parts')`)).toBe(
        '200 Table removed: public.parts',
      );
      expect(await triggers(db, 'public.parts_1')).toEqual([]);
    });
  });

  describe('what is missing', () => {
    beforeAll(async () => {
      await db.sql(`create schema miss`);
    });
    const missing = (queue: string) =>
      column(
        db,
        `select obj_kind || ' ' || obj_name from londiste.local_show_missing($1) where obj_name like 'miss.%'`,
        [queue],
      );

    it('lists tables and sequences of a root that are not registered', async () => {
      await makeRoot(db, 'm1');
      await db.sql(`create table miss.t1 (id serial primary key); create table miss.t2 (id int primary key)`);
      expect(await missing('m1')).toEqual(['S miss.t1_id_seq', 'r miss.t1', 'r miss.t2']);
      await db.sql(
        `select londiste.local_add_table('m1', 'miss.t1'), londiste.local_add_seq('m1', 'miss.t1_id_seq')`,
      );
      expect(await missing('m1')).toEqual(['r miss.t2']);
      await db.sql(`select londiste.local_remove_table('m1', 'miss.t1')`);
      expect(await missing('m1')).toEqual(['S miss.t1_id_seq', 'r miss.t1', 'r miss.t2']);
      // a renamed table counts by its physical name
      await db.sql(`select londiste.local_add_table('m1', 'miss.other', null, null, 'miss.t2')`);
      expect(await missing('m1')).toEqual(['S miss.t1_id_seq', 'r miss.t1']);
      await db.sql(`select pgq_node.drop_node('m1', 'root'); drop table miss.t1, miss.t2`);
      await expect(missing('nix')).rejects.toThrow('queue does not exist: nix');
    });

    it('counts partitions with their parent unless they are registered one by one', async () => {
      await makeRoot(db, 'm2');
      await db.sql(`create table miss.p (id int primary key) partition by list (id);
        create table miss.p1 partition of miss.p for values in (1);
        create table miss.p2 partition of miss.p for values in (2) partition by list (id);
        create table miss.p2a partition of miss.p2 for values in (2)`);
      expect(await missing('m2')).toEqual(['r miss.p']);
      await db.sql(`select londiste.local_add_table('m2', 'miss.p')`);
      expect(await missing('m2')).toEqual([]);
      await db.sql(
        `select londiste.local_remove_table('m2', 'miss.p'), londiste.local_add_table('m2', 'miss.p1')`,
      );
      expect(await missing('m2')).toEqual(['r miss.p2a']);
      await db.sql(`select pgq_node.drop_node('m2', 'root'); drop table miss.p`);
    });
  });

  describe('on a branch', () => {
    beforeAll(async () => {
      await makeSubscriber(db, 'b', 'branch');
      await db.sql(
        `create table public.bt (id int primary key, v text); create table public.bt2 (id int primary key)`,
      );
    });

    it('needs to know a table before it subscribes to it', async () => {
      expect(await column(db, `select obj_name from londiste.local_show_missing('b')`)).toEqual([]);
      expect(await ret(db, `londiste.local_add_table('b', 'bt')`)).toBe(
        '404 Table not available on queue: public.bt',
      );
      expect(await ret(db, `londiste.global_add_table('b', 'bt')`)).toBe('200 Table added: bt');
      expect(await ret(db, `londiste.global_add_table('b', 'bt')`)).toBe(
        '200 Table already added: public.bt',
      );
      expect(await ret(db, `londiste.global_add_table('nix', 'bt')`)).toBe('400 No such queue: nix');
      expect(await ret(db, `londiste.local_add_table('b', 'bt')`)).toBe('200 Table added: public.bt');
      await db.sql(`select londiste.global_add_table('b', 'public.far')`);
      expect(await db.sql(`select table_name, local, merge_state from londiste.get_table_list('b')`)).toEqual(
        [
          { table_name: 'public.bt', local: true, merge_state: null },
          { table_name: 'public.far', local: false, merge_state: null },
        ],
      );
      expect(await column(db, `select obj_kind || obj_name from londiste.local_show_missing('b')`)).toEqual([
        'rpublic.far',
      ]);
    });

    it('stores copy state, attributes and structure under any spelling of the name', async () => {
      expect(await ret(db, `londiste.local_set_table_state('b', 'bt', null, 'in-copy')`)).toBe(
        `200 Table public.bt state set to 'in-copy'`,
      );
      expect(
        await db.sql(
          `select merge_state, copy_role, copy_pos from londiste.get_table_list('b') where table_name = 'public.bt'`,
        ),
      ).toEqual([{ merge_state: 'in-copy', copy_role: null, copy_pos: 0 }]);
      expect(await ret(db, `londiste.local_set_table_attrs('b', 'bt', 'a=b')`)).toBe(
        '200 public.bt: Table attributes stored',
      );
      expect(await ret(db, `londiste.local_set_table_struct('b', 'bt', 'select 1')`)).toBe(
        '200 Table struct stored',
      );
      expect(await ret(db, `londiste.local_set_table_struct('b', 'public.bt', null)`)).toBe(
        '200 Table struct stored',
      );
      expect(await ret(db, `londiste.local_set_table_state('b', 'bt', '1:2:', null)`)).toBe(
        '200 Table public.bt state set to NULL',
      );
      expect(await ret(db, `londiste.local_set_table_struct('b', 'bt', 'select 1')`)).toBe(
        '405 Table struct can be stored only while the table is copied: public.bt',
      );
      expect(await ret(db, `londiste.local_set_table_state('b', 'far', null, 'ok')`)).toBe(
        '404 No such table: public.far',
      );
      expect(await ret(db, `londiste.local_set_table_attrs('b', 'far', null)`)).toBe(
        '404 no such local table: public.far',
      );
      expect(await ret(db, `londiste.local_set_table_struct('b', 'far', null)`)).toBe(
        '404 no such local table: public.far',
      );
    });

    it('refuses direct writes, lets the worker write', async () => {
      await expect(db.sql(`insert into public.bt values (1, 'x')`)).rejects.toThrow(
        /(Insert into|Writing to) queue dis/,
      );
      await db.sql(
        `begin; set local session_replication_role = replica; insert into public.bt values (1, 'x'); commit`,
      );
    });

    it('removes a table locally, then everywhere', async () => {
      expect(await ret(db, `londiste.local_remove_table('b', 'bt')`)).toBe('200 Table removed: public.bt');
      expect(await ret(db, `londiste.local_remove_table('b', 'bt')`)).toBe(
        '400 Table not registered locally: public.bt',
      );
      expect(await column(db, `select obj_name from londiste.local_show_missing('b')`)).toEqual([
        'public.bt',
        'public.far',
      ]);
      expect(await ret(db, `londiste.global_remove_table('b', 'far')`)).toBe('200 Table removed: far');
      expect(await ret(db, `londiste.global_remove_table('b', 'far')`)).toBe(
        '400 Table not found: public.far',
      );
      expect(await ret(db, `londiste.global_remove_table('nix', 'far')`)).toBe('404 Unknown queue: nix');
      await db.sql(`select londiste.local_add_table('b', 'bt')`);
      await db.sql(
        `begin; set local session_replication_role = replica; select londiste.global_remove_table('b', 'bt'); commit`,
      );
      expect(await triggers(db, 'public.bt')).toEqual([]);
    });

    it('takes expect_sync for done', async () => {
      await db.sql(
        `select londiste.global_add_table('b', 'bt2'), londiste.local_add_table('b', 'bt2', array['expect_sync'])`,
      );
      expect(await column(db, `select merge_state from londiste.get_table_list('b') where local`)).toEqual([
        'ok',
      ]);
    });
  });

  describe('on a leaf', () => {
    beforeAll(async () => {
      await makeSubscriber(db, 'l', 'leaf');
      await db.sql(
        `create table public.lt (id int primary key, v text); create table public.lt_here (id int primary key, v text)`,
      );
    });

    it('refuses direct writes with the table and the queue', async () => {
      await db.sql(`select londiste.global_add_table('l', 'lt'), londiste.local_add_table('l', 'lt')`);
      for (const [write, op] of [
        [`insert into public.lt values (1, 'x')`, 'INSERT'],
        [`truncate public.lt`, 'TRUNCATE'],
      ]) {
        await expect(db.sql(`${write}`)).rejects.toThrow(
          `Table 'public.lt' to queue 'l': change not allowed (${op})`,
        );
      }
      await db.sql(
        `begin; set local session_replication_role = replica; insert into public.lt values (1, 'x'); commit`,
      );
      await db.sql(`select londiste.local_remove_table('l', 'lt')`);
      expect(await triggers(db, 'public.lt')).toEqual([]);
      await db.sql(`insert into public.lt values (2, 'x')`);
    });

    it('is not disturbed by unrelated queues with the same table', async () => {
      await makeRoot(db, 'unrelated');
      await db.sql(`select londiste.local_add_table('unrelated', 'lt', null, 'handler=mine')`);
      expect(await ret(db, `londiste.local_add_table('l', 'lt')`)).toBe('200 Table added: public.lt');
      await db.sql(`select londiste.local_set_table_state('l', 'lt', null, 'in-copy')`);
      expect(await column(db, `select copy_role from londiste.get_table_list('l')`)).toEqual([null]);
      await db.sql(
        `select londiste.local_remove_table('l', 'lt'), londiste.local_add_table('l', 'lt', array['expect_sync'], 'x=y')`,
      );
      expect(await column(db, `select table_attrs from londiste.get_table_list('unrelated')`)).toEqual([
        'handler=mine',
      ]);
      await db.sql(`select londiste.local_remove_table('l', 'lt'), pgq_node.drop_node('unrelated', 'root')`);
    });

    it('removes half-copied rows from the table they were copied to, and only those', async () => {
      await db.sql(
        `select londiste.global_add_table('l', 'lt'), londiste.local_add_table('l', 'lt', null, null, 'lt_here')`,
      );
      const store = async (state: string | null) => {
        await db.sql(`set session_replication_role = replica; truncate public.lt, public.lt_here;
          insert into public.lt values (1, 'mine'); insert into public.lt_here values (1, 'copied'); set session_replication_role = origin;
          drop index if exists public.lt_here_v`);
        await db.sql(`select londiste.local_set_table_state('l', 'lt', null, 'in-copy')`);
        expect(
          await ret(
            db,
            `londiste.local_set_table_struct('l', 'lt', 'create index lt_here_v on public.lt_here (v)')`,
          ),
        ).toBe('200 Table struct stored');
        await db.sql(`select londiste.local_set_table_state('l', 'lt', null, $1)`, [state]);
      };
      await store('in-copy');
      expect(await ret(db, `londiste.local_remove_table('l', 'lt')`)).toBe('200 Table removed: public.lt');
      expect([await count('from public.lt'), await count('from public.lt_here')]).toEqual([1, 0]);
      expect(await count(`from pg_indexes where indexname = 'lt_here_v'`)).toBe(1);
      await db.sql(`select londiste.local_add_table('l', 'lt', null, null, 'lt_here')`);
      await store(null);
      await db.sql(`select londiste.local_remove_table('l', 'lt')`);
      expect([await count('from public.lt'), await count('from public.lt_here')]).toEqual([1, 1]);
      expect(await count(`from pg_indexes where indexname = 'lt_here_v'`)).toBe(1);
    });
  });
});
