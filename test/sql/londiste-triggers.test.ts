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

describe.each(SERVERS)('londiste triggers, %s server', (_label, server) => {
  let db: TestDatabase;
  let number = 0;
  beforeAll(async () => {
    db = await openDatabase(server);
    await makeRoot(db, 'q');
    await makeSubscriber(db, 'leaf', 'leaf');
  });
  afterAll(() => db.drop());

  /** A fresh table with the given columns; returns its name without schema. */
  const table = async (columns = 'id int primary key, v text'): Promise<string> => {
    const name = `t${++number}`;
    await db.sql(`create table public.${name} (${columns})`);
    return name;
  };
  const add = (name: string, args: string[] | null, dest: string | null = null) =>
    ret(db, `londiste.local_add_table('q', $1, $2, null, $3)`, [name, args, dest]);
  const definition = async (name: string): Promise<string> =>
    (
      await column(
        db,
        `select pg_get_triggerdef(oid) from pg_trigger where tgrelid = $1::regclass and not tgisinternal order by tgname`,
        [name],
      )
    ).join('\n');

  describe('key of a generated capture', () => {
    const key = (name: string) =>
      column(
        db,
        `select array(select a.attname::text from unnest(c.key_attnums) with ordinality k(n, o)
                    join pg_attribute a on a.attrelid = c.relid and a.attnum = k.n order by k.o) from kaja.capture c where table_name = $1`,
        [`public.${name}`],
      );

    it('is the primary key in its own order', async () => {
      const name = await table('v text, b int, a int, primary key (a, b)');
      expect(await add(name, null)).toBe(`200 Table added: public.${name}`);
      expect(await key(name)).toEqual([['a', 'b']]);
    });

    it('is else a unique NOT NULL index, the replica identity before others, then the shortest', async () => {
      const name = await table(
        'v text, a int not null, b int not null, c int not null, unique (a, b), unique (c)',
      );
      await add(name, null);
      expect(await key(name)).toEqual([['c']]);
      const other = await table('a int not null, b int not null, c int not null, unique (c)');
      await db.sql(
        `create unique index ident_${number} on public.${other} (a, b) include (c); alter table public.${other} replica identity using index ident_${number}`,
      );
      await add(other, null);
      expect(await key(other)).toEqual([['a', 'b']]);
    });

    it.each([
      ['nullable columns', 'a int unique'],
      ['a condition', 'a int not null', 'create unique index on public.NAME (a) where a > 0'],
      ['an expression', 'a int not null', 'create unique index on public.NAME (abs(a))'],
      ['a deferrable constraint', 'a int not null unique deferrable'],
      ['no unique index', 'a int not null', 'create index on public.NAME (a)'],
    ])('is not an index with %s', async (_what, columns, index = '') => {
      const name = await table(columns);
      if (index) await db.sql(index.replace('NAME', name));
      expect(await add(name, null)).toBe(`400 Primary key missing on table: public.${name}`);
      expect(await ret(db, `londiste.create_trigger('q', $1, null, null, 'root')`, [name])).toBe(
        `400 Primary key missing on table: public.${name}`,
      );
      expect(await triggers(db, `public.${name}`)).toEqual([]);
    });

    it.each([['key=a,b'], ['pkey=a, b']])('is what %s says, in place of a primary key', async (arg) => {
      const name = await table('id int primary key, a int, b int');
      expect(await add(name, [arg])).toBe(`200 Table added: public.${name}`);
      expect(await key(name)).toEqual([['a', 'b']]);
    });

    it('must exist', async () => {
      const name = await table();
      expect(await add(name, ['key=id,nix'])).toBe(
        `400 Trigger creation failed for table public.${name}: Key column missing on table public.${name}: nix`,
      );
      expect(
        await column(db, `select count(*)::int from londiste.table_info where table_name = $1`, [
          `public.${name}`,
        ]),
      ).toEqual([0]);
    });

    it('is not needed for insert_only and whole_row', async () => {
      for (const style of ['insert_only', 'whole_row']) {
        const name = await table('v text');
        expect(await add(name, [style])).toBe(`200 Table added: public.${name}`);
        expect(
          await column(db, `select style from kaja.capture where table_name = $1`, [`public.${name}`]),
        ).toEqual([style]);
      }
    });

    it('is needed on a leaf too', async () => {
      const name = await table('v text');
      await db.sql(`select londiste.global_add_table('leaf', $1)`, [name]);
      expect(await ret(db, `londiste.local_add_table('leaf', $1)`, [name])).toBe(
        `400 Primary key missing on table: public.${name}`,
      );
      expect(await ret(db, `londiste.local_add_table('leaf', $1, array['whole_row'])`, [name])).toBe(
        `200 Table added: public.${name}`,
      );
    });
  });

  it('logs only the operations of tgflags', async () => {
    const name = await table();
    await add(name, ['tgflags=iD']);
    expect(
      await column(db, `select ops from kaja.capture where table_name = $1`, [`public.${name}`]),
    ).toEqual(['ID']);
  });

  it('tells the name of the trigger', async () => {
    const name = await table();
    const made = async (args: string[] | null) =>
      (await db.sql(`select * from londiste.create_trigger('q', $1, $2, $1, 'root')`, [name, args]))[0];
    expect(await made(null)).toMatchObject({ ret_code: 200, ret_note: 'OK', trigger_name: '_londiste_q' });
    expect(await made(['tgflags=BS'])).toMatchObject({ ret_code: 200, trigger_name: 'zzz__londiste_q' });
    expect(await made(['tgflags=L'])).toMatchObject({ ret_code: 200, trigger_name: '_londiste_q' });
    expect(await triggers(db, `public.${name}`)).toEqual(['_londiste_q', '_londiste_q_truncate']);
    expect(await made(['no_triggers'])).toMatchObject({
      ret_code: 201,
      ret_note: 'Trigger not created',
      trigger_name: null,
    });
  });

  describe("with pgq's trigger functions", () => {
    it.each([
      ['tgflags=L', 'AFTER INSERT OR DELETE OR UPDATE', `pgq.logutriga('q')`],
      ['tgflags=q', 'AFTER INSERT OR DELETE OR UPDATE', `pgq.sqltriga('q')`],
      ['tgflags=QJL', 'AFTER INSERT OR DELETE OR UPDATE', `pgq.jsontriga('q')`],
      ['tgflags=QLI', 'AFTER INSERT ON', `pgq.logutriga('q')`],
      ['tgflags=BU', 'BEFORE UPDATE ON', `pgq.logutriga('q')`],
      ['tgflags=ABI', 'AFTER INSERT ON', `pgq.logutriga('q')`],
      ['backup', 'AFTER INSERT OR DELETE OR UPDATE', `pgq.logutriga('q', 'backup')`],
      [`ev_extra4='x'`, 'AFTER INSERT OR DELETE OR UPDATE', `pgq.logutriga('q', 'ev_extra4=''x''')`],
      ['ignore=v', 'AFTER INSERT OR DELETE OR UPDATE', `pgq.logutriga('q', 'ignore=v')`],
    ])('%s', async (arg, events_, call) => {
      const name = await table();
      expect(await add(name, [arg])).toBe(`200 Table added: public.${name}`);
      const text = await definition(`public.${name}`);
      expect(text).toContain(events_);
      expect(text).toContain(`EXECUTE FUNCTION ${call}`);
      expect(text).toMatch(
        /_londiste_q_truncate AFTER TRUNCATE .* FOR EACH STATEMENT EXECUTE FUNCTION pgq.sqltriga\('q'\)/,
      );
      expect(
        await column(db, `select count(*)::int from kaja.capture where table_name = $1`, [`public.${name}`]),
      ).toEqual([0]);
      await db.sql(`select londiste.local_remove_table('q', $1)`, [name]);
      expect(await triggers(db, `public.${name}`)).toEqual([]);
    });

    it('needs a primary key or pkey=', async () => {
      const name = await table('a int not null unique, v text');
      expect(await add(name, ['tgflags=L'])).toBe(`400 Primary key missing on table: public.${name}`);
      expect(await add(name, ['tgflags=L', 'whole_row'])).toBe(
        `405 Trigger creation failed for table public.${name}: whole_row cannot work with trigger functions of pgq`,
      );
      expect(await add(name, ['tgflags=L', 'key=a'])).toBe(`200 Table added: public.${name}`);
      expect(await definition(`public.${name}`)).toContain(`pgq.logutriga('q', 'pkey=a')`);
    });

    it('logs changes and truncation of a renamed table under the name that receivers know', async () => {
      const name = await table();
      expect(await add('public.logical', ['tgflags=L'], name)).toBe(
        `200 Table added: public.logical(public.${name})`,
      );
      expect(await definition(`public.${name}`)).toContain(
        `pgq.logutriga('q', 'ev_extra1=''public.logical''')`,
      );
      await db.sql(`insert into public.${name} values (1, 'x'); truncate public.${name}`);
      const [change, truncated] = (await events(db, 'q')).slice(-2);
      expect(change).toMatch(/^I:id\|.*\|public\.logical$/);
      expect(truncated).toBe('R||public.logical');
      await db.sql(`begin; set local session_replication_role = local; truncate public.${name}; commit`);
      expect((await events(db, 'q')).at(-1)).toBe(truncated);
      expect(await ret(db, `londiste.local_remove_table('q', 'logical')`)).toBe(
        '200 Table removed: public.logical',
      );
      expect(await triggers(db, `public.${name}`)).toEqual([]);
    });

    it('reports a partitioned table by its own name', async () => {
      await db.sql(
        `create table public.pt (id int primary key) partition by list (id); create table public.pt1 partition of public.pt for values in (1)`,
      );
      expect(await add('pt', ['tgflags=L'])).toBe('200 Table added: public.pt');
      await db.sql(`insert into public.pt values (1)`);
      expect((await events(db, 'q')).at(-1)).toMatch(/\|public\.pt$/);
    });

    it('denies on a leaf', async () => {
      const name = await table();
      await db.sql(
        `select londiste.global_add_table('leaf', $1), londiste.local_add_table('leaf', $1, array['tgflags=L'])`,
        [name],
      );
      expect(await definition(`public.${name}`)).toContain(`pgq.logutriga('leaf', 'deny')`);
      expect(await definition(`public.${name}`)).toContain(`pgq.sqltriga('leaf', 'deny')`);
    });

    it('adds SKIP with AFTER, which then fails at the first change', async () => {
      const name = await table();
      expect(await add(name, ['skip'])).toBe(`200 Table added: public.${name}`);
      await expect(db.sql(`insert into public.${name} values (1, 'x')`)).rejects.toThrow(
        'SKIP does not work in AFTER trigger.',
      );
    });

    it('puts the trigger that suppresses the change last, and allows only one', async () => {
      const name = await table();
      const make = (queue: string, args: string[]) =>
        ret(db, `londiste.create_trigger($2, $1, $3, null, 'root')`, [name, queue, args]);
      await makeRoot(db, 'skip2');
      await makeRoot(db, 'skip3');
      await db.sql(
        `create trigger "own Skip" before insert on public.${name} for each row execute function pgq.logutriga('q', 'SKIP')`,
      );
      expect(await make('skip2', ['tgflags=BS'])).toBe('200 OK');
      expect(await triggers(db, `public.${name}`)).toEqual([
        '_londiste_skip2',
        '_londiste_skip2_truncate',
        'zzz_own Skip',
      ]);
      expect(await make('skip3', ['tgflags=A', 'backup'])).toBe(
        '403 AFTER trigger cannot work with SKIP trigger(s)',
      );
      expect(await make('skip3', [])).toBe('403 AFTER trigger cannot work with SKIP trigger(s)');
      await db.sql(
        `create trigger own2 before insert on public.${name} for each row execute function pgq.logutriga('q', 'SKIP')`,
      );
      expect(await make('skip3', ['tgflags=BS'])).toBe('405 Multiple SKIP triggers');
      expect(await add(name, ['tgflags=BS'])).toBe(
        `405 Trigger creation failed for table public.${name}: Multiple SKIP triggers`,
      );
      expect(
        await column(db, `select count(*)::int from londiste.table_info where table_name = $1`, [
          `public.${name}`,
        ]),
      ).toEqual([0]);
    });
  });

  describe('change of handler', () => {
    const change = (name: string, args: string[] | null, attrs: string | null = null) =>
      ret(db, `londiste.local_change_handler('q', $1, $2, $3)`, [name, args, attrs]);
    const lastExtra4 = async () => {
      const [{ pfx }] = await db.sql(`select queue_data_pfx as pfx from pgq.queue where queue_name = 'q'`);
      return (await column(db, `select ev_extra4 from ${pfx} order by ev_id desc limit 1`))[0];
    };

    it('affects later events, and leaves no trigger of the old kind', async () => {
      const name = await table();
      await add(name, null);
      expect(await change(name, [`ev_extra4='test='`], 'a=b')).toBe(
        `200 Handler changed for table: public.${name}`,
      );
      expect(
        await column(db, `select table_attrs from londiste.get_table_list('q') where table_name = $1`, [
          `public.${name}`,
        ]),
      ).toEqual(['a=b']);
      await db.sql(`insert into public.${name} values (1, 'x')`);
      expect(await lastExtra4()).toBe('test=');
      expect(
        await column(db, `select count(*)::int from kaja.capture where table_name = $1`, [`public.${name}`]),
      ).toEqual([0]);
      await change(name, ['tgflags=L']);
      await db.sql(`insert into public.${name} values (2, 'x')`);
      expect(await lastExtra4()).toBeNull();
      await db.sql(`truncate public.${name}`);
      expect((await events(db, 'q')).at(-1)).toBe(`R||public.${name}`);
      const before = (await events(db, 'q')).length;
      await change(name, null);
      await db.sql(`insert into public.${name} values (3, 'x')`);
      expect((await events(db, 'q')).length).toBe(before + 1);
      await change(name, ['tgflags=BS']);
      expect(await triggers(db, `public.${name}`)).toEqual(['_londiste_q_truncate', 'zzz__londiste_q']);
      await change(name, ['tgflags=L']);
      expect(await triggers(db, `public.${name}`)).toEqual(['_londiste_q', '_londiste_q_truncate']);
      expect(await change(name, ['no_triggers'])).toBe(
        `200 Table handler updated with no triggers: public.${name}`,
      );
      expect(await triggers(db, `public.${name}`)).toEqual([]);
    });

    it('changes nothing when it is refused', async () => {
      const name = await table();
      await add(name, ['tgflags=L']);
      const before = await definition(`public.${name}`);
      expect(await change(name, ['tgflags=L', 'whole_row'], 'new=1')).toBe(
        `405 Trigger creation failed for table public.${name}: whole_row cannot work with trigger functions of pgq`,
      );
      expect(await definition(`public.${name}`)).toBe(before);
      expect(
        await column(db, `select table_attrs from londiste.table_info where table_name = $1`, [
          `public.${name}`,
        ]),
      ).toEqual([null]);
      expect(await change('nix', null)).toBe('404 no such local table: public.nix');
      expect(await ret(db, `londiste.local_change_handler('nix', 'nix', null, null)`)).toBe(
        '400 No such set: nix',
      );
    });
  });

  it('drops triggers of one queue only, under any name, whatever the spelling of the table', async () => {
    const name = await table();
    await makeRoot(db, `q'x`);
    await db.sql(
      `select londiste.local_add_table($2, $1, array['tgflags=L']), londiste.local_add_table('q', $1, array['tgflags=L'])`,
      [name, `q'x`],
    );
    await db.sql(
      `create trigger mine after insert on public.${name} for each row execute function pgq.sqltriga('q')`,
    );
    await db.sql(`select londiste.drop_table_triggers('q', $1)`, [name]);
    expect(await triggers(db, `public.${name}`)).toEqual([`_londiste_q'x`, `_londiste_q'x_truncate`]);
    await db.sql(`select londiste.drop_table_triggers('q', 'nowhere')`);
  });

  it('knows replication functions', async () => {
    await db.sql(
      `create function kaja.capture_test_row() returns trigger language plpgsql as 'begin return null; end'`,
    );
    const is = (name: string) => column(db, `select londiste.is_replica_func(to_regproc($1)::oid)`, [name]);
    for (const name of [
      'pgq.logutriga',
      'pgq.sqltriga',
      'pgq.jsontriga',
      'kaja.capture_test_row',
      'kaja.deny_write',
    ]) {
      expect(await is(name), name).toEqual([true]);
    }
    for (const name of ['pg_catalog.now', 'londiste.table_info_trigger', 'pgq.quote_fqname'])
      expect(await is(name), name).toEqual([false]);
  });

  it('splits, joins and quotes names', async () => {
    expect(
      await db.sql(`select londiste.make_fqname('a') as m1, londiste.make_fqname('b.a') as m2, londiste.make_fqname('') as m3,
        londiste.quote_fqname('A.b.c') as q1, londiste.quote_fqname('select') as q2, londiste.split_fqname('a.b.c')::text as s1, londiste.split_fqname('x')::text as s2`),
    ).toEqual([
      {
        m1: 'public.a',
        m2: 'b.a',
        m3: 'public.',
        q1: '"A"."b.c"',
        q2: 'public."select"',
        s1: '(a,b.c)',
        s2: '(public,x)',
      },
    ]);
    const name = await table('v text, id int primary key');
    expect(await column(db, `select londiste.find_column_types($1)`, [name])).toEqual(['vk']);
    expect(await column(db, `select londiste.find_column_types('nix')`)).toEqual(['']);
    expect(await column(db, `select londiste.find_table_oid('nix')`)).toEqual([null]);
  });
});
