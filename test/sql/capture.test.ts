import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, serverCount, type TestDatabase } from '../support/database.ts';

describe.each(Array.from({ length: serverCount() }, (_, n) => n))(
  'generated capture, server %i',
  (server) => {
    let db: TestDatabase;
    let made = 0;
    let seen = 0n;

    beforeAll(async () => {
      db = await createDatabase({ server, install: true });
      await db.sql(`select pgq.create_queue('q')`);
    });
    afterAll(() => db.drop());

    /** Create a table from a column list and capture it by key. */
    async function captured(
      columns: string,
      options: { key?: string[]; style?: string; name?: string } = {},
    ): Promise<string> {
      const name = options.name ?? `t${++made}`;
      await db.sql(`create table "${name.replaceAll('"', '""')}" (${columns})`);
      await db.sql('select kaja.create_capture($1, $2, null, $3, $4, null)', [
        'q',
        `public.${name}`,
        options.key ?? ['id'],
        options.style ?? 'key',
      ]);
      await events();
      return name;
    }

    /** Events since the last call, in order: type without shape, data. */
    async function events(): Promise<{ op: string; type: string; data: string; table: string }[]> {
      const rows = await db.sql(
        'select ev_id, ev_type, ev_data, ev_extra1 from pgq.event_1 where ev_id > $1 order by ev_id',
        [seen],
      );
      if (rows.length > 0) seen = BigInt(rows.at(-1).ev_id);
      return rows.map((row) => ({
        op: row.ev_type.slice(0, 1),
        type: row.ev_type,
        data: row.ev_data,
        table: row.ev_extra1,
      }));
    }
    const short = async (): Promise<string[]> => (await events()).map((event) => `${event.op}${event.data}`);

    it('logs inserts, updates, deletes and truncates', async () => {
      const t = await captured('id int primary key, v text');
      await db.sql(`insert into ${t} values (1, 'a'), (2, null), (3, '')`);
      await db.sql(`update ${t} set v = 'x"y\\z,(' where id = 1`);
      await db.sql(`update ${t} set v = 'none' where id = 99`);
      await db.sql(`delete from ${t} where id = 2`);
      await db.sql(`truncate ${t}`);
      const got = await events();
      expect(got.map((event) => event.op + event.data)).toEqual([
        'I(1,a)',
        'I(2,)',
        'I(3,"")',
        'U(1,"x""y\\\\z,(")',
        'D(2,)',
        'R',
      ]);
      expect(new Set(got.map((event) => event.table))).toEqual(new Set([`public.${t}`]));
    });

    it('logs key changes as delete and insert, swaps as updates', async () => {
      const t = await captured('id int primary key deferrable initially deferred, v text');
      await db.sql(`insert into ${t} values (1, 'a'), (2, 'b'), (3, 'c')`);
      await events();
      await db.sql(`update ${t} set id = 10 where id = 1`);
      expect(await short()).toEqual(['D(1,a)', 'I(10,a)']);
      await db.sql(`update ${t} set id = case id when 2 then 3 else 2 end where id in (2, 3)`);
      expect((await short()).sort()).toEqual(['U(2,c)', 'U(3,b)']);
      await db.sql(`update ${t} set id = id + 1 where id in (2, 3)`);
      expect(await short()).toEqual(['D(2,c)', 'U(3,c)', 'I(4,b)']);
    });

    it('handles keys that are not the first column, and composite ones', async () => {
      const t = await captured('v text, b int, a int, primary key (a, b)', { key: ['a', 'b'] });
      await db.sql(`insert into ${t} values ('x', 1, 1), ('y', 2, 1)`);
      await events();
      await db.sql(`update ${t} set v = v || '!'`);
      expect(await short()).toEqual(['U(x!,1,1)', 'U(y!,2,1)']);
      await db.sql(`update ${t} set b = 3 where b = 2`);
      expect(await short()).toEqual(['D(y!,2,1)', 'I(y!,3,1)']);
    });

    it('keeps the order of nested statements on the same table', async () => {
      const t = await captured('id int primary key, v int, note text');
      await db.sql(
        `create function touch_${t}() returns trigger language plpgsql as $$ begin update ${t} set note = 'touched ' || new.v where id = new.id and note is distinct from 'touched ' || new.v; return null; end $$`,
      );
      await db.sql(
        `create trigger a_touch after insert or update on ${t} for each row execute function touch_${t}()`,
      );
      await db.sql(`insert into ${t} values (1, 1, null), (2, 2, null)`);
      await db.sql(`update ${t} set v = v + 10`);
      const last = new Map<string, string>();
      for (const event of await events()) last.set(event.data.slice(1, 2), event.data);
      expect([...last.values()].sort()).toEqual(['(1,11,"touched 11")', '(2,12,"touched 12")']);
    });

    it('sees upserts, merges of CTEs and COPY', async () => {
      const t = await captured('id int primary key, v text');
      await db.sql(`insert into ${t} values (1, 'a')`);
      await events();
      await db.sql(
        `insert into ${t} values (1, 'b'), (2, 'c') on conflict (id) do update set v = excluded.v`,
      );
      expect((await short()).sort()).toEqual(['I(2,c)', 'U(1,b)']);
      await db.sql(
        `with gone as (delete from ${t} where id = 1 returning *) insert into ${t} select id, 'again' from gone`,
      );
      const moved = await short();
      expect(moved[0]).toBe('D(1,b)');
      expect(moved.at(-1)).toBe('I(1,again)');
      await db.sql(`insert into ${t} values (2, 'z') on conflict do nothing`);
      expect(await short()).toEqual([]);
    });

    it('never lets a write fail after DDL, and loses no column', async () => {
      const t = await captured('id int primary key, v text, w int');
      const inline = async (statement: string): Promise<string[]> => {
        await db.sql(statement);
        return short();
      };
      expect(await inline(`insert into ${t} values (1, 'a', 7)`)).toEqual(['I(1,a,7)']);
      await db.sql(`alter table ${t} add column z int[] default '{1,2}'`);
      expect(await inline(`update ${t} set z = '[0:1]={5,6}'`)).toEqual(['U(1,a,7,"[0:1]={5,6}")']);
      await db.sql(`alter table ${t} drop column v`);
      expect(await inline(`update ${t} set w = 8`)).toEqual(['U(1,8,"[0:1]={5,6}")']);
      await db.sql(`alter table ${t} rename column id to ident`);
      expect(await inline(`update ${t} set w = 9`)).toEqual(['U(1,9,"[0:1]={5,6}")']);
      expect(await inline(`update ${t} set ident = 2`)).toEqual([
        'D(1,9,"[0:1]={5,6}")',
        'I(2,9,"[0:1]={5,6}")',
      ]);
      await db.sql(`alter table ${t} alter column ident type bigint`);
      expect(await inline(`update ${t} set w = 10`)).toEqual(['U(2,10,"[0:1]={5,6}")']);
      await db.sql(
        `create schema if not exists elsewhere; alter table ${t} rename to ${t}_renamed; alter table ${t}_renamed set schema elsewhere`,
      );
      await db.sql(`insert into elsewhere.${t}_renamed values (3, 1, null)`);
      const moved = await events();
      expect(moved.map((event) => [event.table, event.type])).toEqual([
        [`public.${t}`, `I/{"ident":1,"w":3,"z":4}`],
      ]);
      await db.sql(`select kaja.refresh_captures('q')`);
      await db.sql(`update elsewhere.${t}_renamed set w = 11 where ident = 3`);
      expect((await events())[0]?.type).toMatch(/^U\/[0-9a-f]{8}$/);
      await db.sql(`alter table elsewhere.${t}_renamed drop column ident`);
      await db.sql(
        `update elsewhere.${t}_renamed set w = 12; delete from elsewhere.${t}_renamed; insert into elsewhere.${t}_renamed values (1, null)`,
      );
      expect((await events()).length).toBeGreaterThan(3);
    });

    it('does not fail for composite and later keys after DDL either', async () => {
      const t = await captured('v text, a int, b int, c text, primary key (b, a)', { key: ['b', 'a'] });
      await db.sql(`insert into ${t} values ('x', 1, 2, 'c')`);
      await db.sql(`alter table ${t} rename column a to aa`);
      await db.sql(`update ${t} set c = 'd'; update ${t} set aa = 9`);
      await db.sql(`alter table ${t} drop column v`);
      await db.sql(
        `update ${t} set c = 'e'; update ${t} set b = 5; delete from ${t}; insert into ${t} values (1, 2, 'f')`,
      );
      await db.sql(`alter table ${t} drop column aa`);
      await db.sql(`update ${t} set c = 'g'; delete from ${t}`);
      expect((await short()).length).toBeGreaterThan(8);
    });

    it('is exact in sessions with hostile settings', async () => {
      const t = await captured(
        'id int primary key, ts timestamptz, d date, i interval, f float8, r real, n numeric, b bytea, m money, c char(5), j json, a int[]',
      );
      const hostile = await db.connect();
      await hostile.query(
        `set DateStyle = 'German, DMY'; set TimeZone = 'Asia/Kathmandu'; set IntervalStyle = sql_standard; set extra_float_digits = -15; set bytea_output = 'escape'; set search_path = pg_temp; set lc_monetary = 'C'`,
      );
      await hostile.query(
        `insert into public.${t} values (1, '2024-03-31 02:30:00.123456+00', '15.03.0044 BC', '-1 year 2 days -03:04:05', 0.1, 3.1415927, 'NaN', '\\x00ff27', 12.34, 'ab', ' {"a" :  1} ', '[2:3]={1,2}')`,
      );
      const style = await hostile.query('show DateStyle');
      const [event] = await events();
      expect(style.rows[0].DateStyle).toBe('German, DMY');
      // *= compares the stored bytes, so that 1.50 and 1.5 differ.
      expect(await db.sql(`select ($1::${t}) *= x as same from ${t} x`, [event?.data])).toEqual([
        { same: true },
      ]);
    });

    it('lets a role without rights on the queue write', async () => {
      const t = await captured('id int primary key, v text');
      const role = `app_${process.pid}_${server}`;
      await db.sql(
        `create role ${role} login; grant select, insert, update, delete, truncate on ${t} to ${role}`,
      );
      try {
        await db.sql(`set role ${role}`);
        await db.sql(
          `insert into ${t} values (1, 'a'); update ${t} set v = 'b'; update ${t} set id = 2; delete from ${t}; truncate ${t}`,
        );
      } finally {
        await db.sql('reset role');
        await db.sql(`drop owned by ${role}; drop role ${role}`);
      }
      expect(await short()).toEqual(['I(1,a)', 'U(1,b)', 'D(1,b)', 'I(2,b)', 'D(2,b)', 'R']);
    });

    it('is silent in apply sessions and for role local', async () => {
      const t = await captured('id int primary key');
      const other = await db.connect();
      await other.query('set session_replication_role = replica');
      await other.query(`insert into ${t} values (1)`);
      await other.query('set session_replication_role = local');
      await other.query(`insert into ${t} values (2)`);
      await other.query(
        `set session_replication_role = origin; select set_config('kaja.applying', '1', false)`,
      );
      await other.query(`insert into ${t} values (3)`);
      await other.query(`select set_config('kaja.applying', '', false)`);
      await other.query(`insert into ${t} values (4)`);
      expect(await short()).toEqual(['I(4)']);
    });

    it('works in REPEATABLE READ and SERIALIZABLE, also around a concurrent DDL', async () => {
      const t = await captured('id int primary key, v text');
      await db.sql(`insert into ${t} values (1, 'a')`);
      const other = await db.connect();
      await other.query('begin isolation level repeatable read');
      await other.query('select 1 from pg_class limit 1');
      await db.sql(`alter table ${t} rename column v to vv; alter table ${t} add column x int`);
      await other.query(`insert into ${t} values (2, 'b', 5)`);
      await other.query('commit');
      await other.query(`begin isolation level serializable; insert into ${t} values (3, 'c', 6); commit`);
      const got = await events();
      expect(got.map((event) => event.op + event.data)).toEqual(['I(1,a)', 'I(2,b,5)', 'I(3,c,6)']);
      expect(got[1]?.type).toBe('I/["id","vv","x"]');
    });

    it('captures partitioned tables with every partition, also later ones', async () => {
      const t = await captured('id int, part int, v text, primary key (id, part)) partition by list (part', {
        key: ['id', 'part'],
      });
      await db.sql(`create table ${t}_1 partition of ${t} for values in (1)`);
      await db.sql(
        `create table ${t}_2 (v text, part int not null, id int not null); alter table ${t} attach partition ${t}_2 for values in (2)`,
      );
      await db.sql(`insert into ${t} values (1, 1, 'a'), (2, 2, 'b')`);
      await db.sql(`insert into ${t}_1 values (3, 1, 'c')`);
      await db.sql(`update ${t} set part = 2 where id = 1`);
      await db.sql(`update ${t}_2 set v = 'direct' where id = 2`);
      const got = await events();
      expect(got.map((event) => event.op + event.data)).toEqual([
        'I(1,1,a)',
        'I(b,2,2)',
        'I(3,1,c)',
        'D(1,1,a)',
        'I(a,2,1)',
        'U(direct,2,2)',
      ]);
      expect(new Set(got.map((event) => event.table))).toEqual(new Set([`public.${t}`]));
      expect(got[1]?.type).toBe('I/["v","part","id"]');
    });

    it('logs what TRUNCATE of a partition takes away, also of later partitions', async () => {
      const t = await captured('id int, part int, primary key (id, part)) partition by list (part', {
        key: ['id', 'part'],
      });
      await db.sql(`create table ${t}_1 partition of ${t} for values in (1)`);
      await db.sql(`select kaja.refresh_captures('q')`);
      await db.sql(`create table ${t}_2 partition of ${t} for values in (2)`);
      await db.sql(`insert into ${t} values (1, 1), (2, 2)`);
      await db.sql(`truncate ${t}_1`);
      expect(await short()).toEqual(['I(1,1)', 'I(2,2)', 'D(1,1)']);
      await db.sql(`truncate ${t}`);
      expect((await short()).at(-1)).toBe('R');
      await db.sql(`select kaja.drop_capture('q', 'public.${t}')`);
      await db.sql(`insert into ${t} values (1, 1); truncate ${t}_1; truncate ${t}`);
      expect(await short()).toEqual([]);
    });

    it('captures inheritance parents without their children', async () => {
      await db.sql(
        'create table parent_t (id int primary key, v text); create table child_t (extra int) inherits (parent_t)',
      );
      await db.sql(`select kaja.create_capture('q', 'public.parent_t', null, '{id}', 'key', null)`);
      await events();
      await db.sql(
        `insert into parent_t values (1, 'p'); insert into child_t values (2, 'c', 3); update parent_t set v = 'x'`,
      );
      expect(await short()).toEqual(['I(1,p)', 'U(1,x)']);
    });

    it('captures whole rows without a key, and inserts only on request', async () => {
      const t = await captured('a int, b text', { key: [], style: 'whole_row' });
      await db.sql(
        `insert into ${t} values (1, 'x'), (1, 'x'); update ${t} set b = 'y' where ctid = (select min(ctid) from ${t}); delete from ${t} where b = 'x'`,
      );
      expect(await short()).toEqual(['I(1,x)', 'I(1,x)', 'D(1,x)', 'I(1,y)', 'D(1,x)']);
      const u = await captured('a int', { key: [], style: 'insert_only' });
      await db.sql(`insert into ${u} values (1); update ${u} set a = 2; delete from ${u}`);
      expect(await short()).toEqual(['I(1)']);
    });

    it('survives hostile names', async () => {
      const t = await captured(
        '"Sel""ect $$ %I" int primary key, "n" text, "r" int, "o" int, "kaja" int, "a.b" text',
        { name: `we"ird ' $$ % é`, key: ['Sel"ect $$ %I'] },
      );
      const q = `"${t.replaceAll('"', '""')}"`;
      await db.sql(
        `insert into ${q} values (1, 'n', 2, 3, 4, 'dot'); update ${q} set n = 'm'; update ${q} set "Sel""ect $$ %I" = 2; delete from ${q}`,
      );
      expect(await short()).toEqual([
        'I(1,n,2,3,4,dot)',
        'U(1,m,2,3,4,dot)',
        'D(1,m,2,3,4,dot)',
        'I(2,m,2,3,4,dot)',
        'D(2,m,2,3,4,dot)',
      ]);
    });

    it('writes nothing for a dropped queue and refuses while inserts are disabled', async () => {
      await db.sql(
        `select pgq.create_queue('q2'); create table gone_t (id int primary key); select kaja.create_capture('q2', 'public.gone_t', null, '{id}', 'key', null)`,
      );
      await db.sql(`update pgq.queue set queue_disable_insert = true where queue_name = 'q2'`);
      await expect(db.sql('insert into gone_t values (1)')).rejects.toThrow('Insert into queue disallowed');
      await db.sql(
        `update pgq.queue set queue_disable_insert = false where queue_name = 'q2'; insert into gone_t values (2)`,
      );
      await db.sql(`select pgq.drop_queue('q2', true)`);
      await db.sql(
        'insert into gone_t values (3); update gone_t set id = 4 where id = 3; delete from gone_t; truncate gone_t',
      );
    });

    it('denies writes where asked to, but not to apply sessions', async () => {
      await db.sql(
        `create table leaf_t (id int primary key); select kaja.create_deny('q', 'public.leaf_t', null)`,
      );
      await expect(db.sql('insert into leaf_t values (1)')).rejects.toThrow(
        `Table 'public.leaf_t' to queue 'q': change not allowed (INSERT)`,
      );
      await expect(db.sql('truncate leaf_t')).rejects.toThrow('change not allowed (TRUNCATE)');
      const other = await db.connect();
      await other.query(`select set_config('kaja.applying', '1', false); insert into leaf_t values (1)`);
    });
  },
);
