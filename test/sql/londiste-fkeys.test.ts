import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { column, makeRoot, makeSubscriber, openDatabase, SERVERS } from './londiste-support.ts';

describe.each(SERVERS)('londiste foreign keys, %s server', (_label, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openDatabase(server);
  });
  afterAll(() => db.drop());

  const found = (table: string) =>
    column(
      db,
      `select from_table || ' ' || to_table || ' ' || fkey_name from londiste.find_table_fkeys($1)`,
      [table],
    );
  const pending = (table: string) =>
    column(db, `select fkey_name from londiste.get_table_pending_fkeys($1)`, [table]);
  const valid = (queue: string) =>
    column(db, `select fkey_name from londiste.get_valid_pending_fkeys($1)`, [queue]);
  const state = (queue: string, table: string, value: string | null, snapshot: string | null = null) =>
    db.sql(`select londiste.local_set_table_state($1, $2, $4, $3)`, [queue, table, value, snapshot]);
  const subscribe = async (queue: string, ...tables: string[]) => {
    for (const table of tables) {
      await db.sql(`select londiste.global_add_table($1, $2)`, [queue, table]);
      await db.sql(`select londiste.local_add_table($1, $2, array['no_merge'])`, [queue, table]);
    }
  };

  describe('of a chain of tables', () => {
    beforeAll(async () => {
      await makeSubscriber(db, 'b', 'branch');
      await db.sql(`create schema "S x";
        create table public.r1 (id int primary key, val text);
        create table public.r2 (id int primary key, ref int not null, foreign key (ref) references public.r1);
        create table "S x"."R 3" (id int primary key, ref2 int not null references public.r2 on update cascade on delete cascade)`);
      await subscribe('b', 'r1', 'r2', 'S x.R 3');
    });

    it('finds them in both directions with qualified definitions, whatever the search path', async () => {
      expect(await found('r2')).toEqual([
        'S x.R 3 public.r2 R 3_ref2_fkey',
        'public.r2 public.r1 r2_ref_fkey',
      ]);
      await db.sql(`set search_path = "S x", public`);
      expect(await column(db, `select fkey_def from londiste.find_table_fkeys('public.r2')`)).toEqual([
        'alter table only "S x"."R 3" add constraint "R 3_ref2_fkey" FOREIGN KEY (ref2) REFERENCES public.r2(id) ON UPDATE CASCADE ON DELETE CASCADE',
        'alter table only public.r2 add constraint r2_ref_fkey FOREIGN KEY (ref) REFERENCES public.r1(id)',
      ]);
      await db.sql(`reset search_path`);
    });

    it('moves a dropped key to the pending ones, whatever the spelling of the table', async () => {
      expect(await column(db, `select londiste.drop_table_fkey('r2', 'r2_ref_fkey')`)).toEqual([1]);
      expect(await column(db, `select londiste.drop_table_fkey('r2', 'r2_ref_fkey')`)).toEqual([0]);
      expect(await column(db, `select londiste.drop_table_fkey('S x.R 3', 'R 3_ref2_fkey')`)).toEqual([1]);
      expect(await found('r2')).toEqual([]);
      expect(await pending('r2')).toEqual(['R 3_ref2_fkey', 'r2_ref_fkey']);
      expect(await pending('public.r1')).toEqual(['r2_ref_fkey']);
    });

    it('takes a key for valid when both tables are in sync', async () => {
      expect(await valid('b')).toEqual([]);
      await state('b', 'r1', 'ok');
      expect(await valid('b')).toEqual([]);
      await state('b', 'r2', 'ok', '1:1:');
      expect(await valid('b')).toEqual([]);
      await state('b', 'r2', 'ok');
      expect(await valid('b')).toEqual(['r2_ref_fkey']);
      await state('b', 'S x.R 3', 'ok');
      expect(await valid('b')).toEqual(['R 3_ref2_fkey', 'r2_ref_fkey']);
    });

    it('restores at once, or in steps that lock shortly', async () => {
      const restore = async (args: string) =>
        (await column(db, `select londiste.restore_table_fkey(${args})`))[0] as string;
      expect(await restore(`'r2', 'r2_ref_fkey'`)).toBe('');
      expect(await found('r1')).toEqual(['public.r2 public.r1 r2_ref_fkey']);
      expect(await pending('r1')).toEqual([]);
      const lazy = () => restore(`'S x.R 3', 'R 3_ref2_fkey', true`);
      const first = await lazy();
      expect(first).toMatch(/^alter table only "S x"\."R 3" add constraint .* not valid$/);
      await db.sql(first);
      const second = await lazy();
      expect(second).toBe('alter table "S x"."R 3" validate constraint "R 3_ref2_fkey"');
      await db.sql(second);
      expect(await pending('S x.R 3')).toEqual(['R 3_ref2_fkey']);
      expect(await lazy()).toBe('');
      expect(await pending('S x.R 3')).toEqual([]);
      expect(await lazy()).toBe('');
    });
  });

  it('takes a key for valid when the other table is replicated nowhere', async () => {
    await makeSubscriber(db, 'half', 'branch');
    await db.sql(
      `create table public.far (id int primary key); create table public.near (id int primary key references public.far)`,
    );
    await subscribe('half', 'near');
    await db.sql(`select londiste.drop_table_fkey('near', 'near_id_fkey')`);
    expect(await valid('half')).toEqual([]);
    await state('half', 'near', 'ok');
    expect(await valid('half')).toEqual(['near_id_fkey']);
    // known but not subscribed to is replicated nowhere, too
    await db.sql(`select londiste.global_add_table('half', 'far')`);
    expect(await valid('half')).toEqual(['near_id_fkey']);
    await subscribe('half', 'far');
    expect(await valid('half')).toEqual([]);
    expect(await valid('nix')).toEqual([]);
  });

  it('handles keys of partitioned tables as a whole', async () => {
    await db.sql(`create table public.pref (id int primary key) partition by list (id);
      create table public.pref1 partition of public.pref for values in (1);
      create table public.pt (id int primary key constraint pt_fk references public.pref) partition by list (id);
      create table public.pt1 partition of public.pt for values in (1)`);
    expect(await found('pt')).toEqual(['public.pt public.pref pt_fk']);
    expect(await found('pt1')).toEqual([]);
    await db.sql(`select londiste.drop_table_fkey('pt', 'pt_fk')`);
    const step = async () =>
      (await column(db, `select londiste.restore_table_fkey('pt', 'pt_fk', true)`))[0] as string;
    for (let left = 4; left > 0; left--) {
      const statement = await step();
      if (statement === '') break;
      await db.sql(statement);
    }
    expect(await found('pt')).toEqual(['public.pt public.pref pt_fk']);
    expect(await pending('pt')).toEqual([]);
  });

  describe('of merged tables', () => {
    const elected = async (queues: string[]) => {
      const names = [];
      for (const queue of queues) if ((await valid(queue)).includes('mb_fk')) names.push(queue);
      return names;
    };
    beforeAll(async () => {
      await db.sql(
        `create table public.ma (id int primary key); create table public.mb (id int primary key constraint mb_fk references public.ma)`,
      );
      await db.sql(`select londiste.drop_table_fkey('mb', 'mb_fk')`);
    });
    const build = async (prefix: string, combined: 'root' | 'branch' | null) => {
      const comb = combined ? `${prefix}_aaa` : null;
      if (comb && combined === 'root') await makeRoot(db, comb);
      if (comb && combined === 'branch') await makeSubscriber(db, comb, 'branch');
      const leafs = [`${prefix}_l1`, `${prefix}_l2`];
      for (const leaf of leafs) {
        await makeSubscriber(db, leaf, 'leaf', comb);
        for (const name of ['ma', 'mb'])
          await db.sql(`select londiste.global_add_table($1, $2)`, [leaf, name]);
      }
      // without a combined queue nothing is merged: each leaf subscribes for itself
      for (const leaf of comb ? leafs.slice(0, 1) : leafs) {
        for (const name of ['ma', 'mb'])
          await db.sql(`select londiste.local_add_table($1, $2, array['merge_all'])`, [leaf, name]);
      }
      const all = comb ? [comb, ...leafs] : leafs;
      for (const queue of all) for (const name of ['ma', 'mb']) await state(queue, name, 'ok');
      return all;
    };
    const tearDown = async (queues: string[]) => {
      for (const queue of [...queues].reverse())
        await db.sql(
          `select pgq_node.drop_node($1, (select node_name from pgq_node.node_info where queue_name = $1))`,
          [queue],
        );
    };

    it('elects the first leaf of a combined root', async () => {
      const all = await build('fr', 'root');
      expect(await elected(all)).toEqual(['fr_l1']);
      await state('fr_l2', 'ma', 'in-copy');
      expect(await elected(all)).toEqual([]);
      await state('fr_l2', 'ma', 'ok');
      await db.sql(`select londiste.local_remove_table('fr_l1', 'ma')`);
      expect(await elected(all)).toEqual(['fr_l1']);
      await db.sql(`select londiste.local_remove_table('fr_l1', 'mb')`);
      expect(await elected(all)).toEqual(['fr_l2']);
      await tearDown(all);
    });

    it('elects a combined branch before its leafs', async () => {
      const all = await build('fb', 'branch');
      expect(await elected(all)).toEqual(['fb_aaa']);
      await tearDown(all);
    });

    it('elects the first of leafs without a combined queue', async () => {
      const all = await build('fn', null);
      expect(await elected(all)).toEqual(['fn_l1']);
      await tearDown(all);
    });
  });
});
