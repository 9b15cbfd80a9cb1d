import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { createQueues, FORMATS, type Format, failure, putTriggers, take } from './pgq-triggers-support.ts';

describe.each([
  ['oldest', 0],
  ['newest', -1],
])('rules of pgq triggers, %s server', (_label, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server, prefix: 'trg' });
    await createQueues(db);
  });
  afterAll(() => db.drop());

  it('refuse with the messages of PgQ', async () => {
    await db.sql(`create table er(id int primary key, v text); create table nopk(a int)`);
    await db.sql(`insert into er values (1, 'a'); insert into nopk values (1)`);
    const insert = `insert into er values (2, 'b')`;
    const cases: [string, string, string][] = [
      [`'bogus'`, insert, 'bad param to pgq trigger'],
      [`'skip'`, insert, 'bad param to pgq trigger'],
      [`''`, insert, 'bad param to pgq trigger'],
      [`'SKIP'`, insert, 'SKIP does not work in AFTER trigger.'],
      [`'deny'`, insert, `Table 'public.er' to queue 'Q': change not allowed (INSERT)`],
      ['', `update er set id = 3`, 'primary key update not allowed'],
      [`'ignore=id'`, `update er set id = 3`, 'primary key update not allowed'],
      [`'when=id'`, insert, 'when= query result must be boolean, got=23'],
      [`'when=null::bool'`, insert, 'when= should not be NULL'],
      [`'ev_type=id from generate_series(1,2)'`, insert, 'Expect 1 row from override query, got 2'],
      [`'ev_type="id"'`, insert, 'QB: syntax error'],
    ];
    for (const format of Object.keys(FORMATS) as Format[]) {
      for (const [args, statement, message] of cases) {
        await putTriggers(db, 'er', args, [format]);
        expect(await failure(db, statement)).toBe(
          message.replace('Q', () => (args === `'deny'` ? format : 'Q')),
        );
      }
      await putTriggers(db, 'nopk', '', [format]);
      expect(await failure(db, `update nopk set a = 2`)).toBe('Update/Delete on table without pkey');
      expect(await failure(db, `delete from nopk`)).toBe('Update/Delete on table without pkey');
    }
    await putTriggers(db, 'er', '', []);
    await db.sql(`create trigger x after insert on er for each row execute function pgq.logutriga()`);
    expect(await failure(db, insert)).toBe('pgq trigger must have destination queue as argument');
    await db.sql(
      `drop trigger x on er; create trigger x after insert on er execute function pgq.sqltriga('s')`,
    );
    expect(await failure(db, insert)).toBe('pgq Ins/Upd/Del trigger must be fired FOR EACH ROW');
    await db.sql(`drop trigger x on er; create table badmagic(_pgq_ev_foo text)`);
    await putTriggers(db, 'badmagic', '', ['u']);
    expect(await failure(db, `insert into badmagic values ('x')`)).toBe('Unknown magic column: _pgq_ev_foo');
    await putTriggers(db, 'er', `'pkey=v'`, ['s']);
    await db.sql(`alter table er disable trigger s; update er set v = null; alter table er enable trigger s`);
    expect(await failure(db, `delete from er`)).toBe('logtriga: Unexpected NULL key value');
  });

  it('log TRUNCATE, and refuse arguments that make no sense there', async () => {
    await db.sql(`create table tr(id int primary key, v text)`);
    const truncate = async (args: string, timing = 'after', format: Format = 'u') => {
      await db.sql(
        `create trigger t ${timing} truncate on tr execute function pgq.${FORMATS[format]}('${format}'${args})`,
      );
      try {
        await db.sql('truncate tr');
        return (await take(db, format)).join();
      } catch (error) {
        return (error as Error).message;
      } finally {
        await db.sql('drop trigger t on tr');
      }
    };
    expect(await truncate('')).toBe('R||public.tr');
    expect(await truncate('', 'after', 's')).toBe('R||public.tr');
    expect(await truncate('', 'after', 'j')).toBe(
      '{"op":"TRUNCATE","table":["public","tr"],"pkey":["id"]}|{}|public.tr',
    );
    expect(await truncate(`, 'SKIP'`, 'before')).toBe('R||public.tr');
    expect(await truncate(`, 'SKIP'`)).toBe('SKIP does not work in AFTER trigger.');
    expect(await truncate(`, 'deny'`)).toBe(`Table 'public.tr' to queue 'u': change not allowed (TRUNCATE)`);
    expect(await truncate(`, 'ignore=v'`)).toBe('Column ignore does not make sense for truncate trigger');
    expect(await truncate(`, 'pkey=v'`)).toBe('Custom pkey_list does not make sense for truncate trigger');
    expect(await truncate(`, 'backup'`)).toBe('Backup does not make sense for truncate trigger');
    expect(await truncate(`, 'when=true'`)).toBe(
      'Custom expressions do not make sense for truncater trigger',
    );
  });

  it('keep silent where the session says so', async () => {
    await db.sql(`create table ro(id int primary key)`);
    await putTriggers(db, 'ro', `'deny'`, ['u']);
    await db.sql(`set session_replication_role = local; insert into ro values (1)`);
    await db.sql(`reset session_replication_role; set kaja.applying = '1'; insert into ro values (2)`);
    await db.sql(`set session_replication_role = replica; insert into ro values (3)`);
    await db.sql(`alter table ro enable always trigger u`);
    expect(await failure(db, `insert into ro values (4)`)).toContain('change not allowed');
    await db.sql(`set session_replication_role = local; insert into ro values (4)`);
    await db.sql(`reset session_replication_role; set kaja.applying = ''`);
    expect(await failure(db, `insert into ro values (5)`)).toContain('change not allowed');
    expect(await db.sql(`select * from ro`)).toHaveLength(4);
  });

  it('pass rows on before the change, or suppress it', async () => {
    await db.sql(`create table be(id int primary key, v text)`);
    await putTriggers(db, 'be', '', ['u'], 'before');
    await db.sql(
      `insert into be values (1, 'a'), (2, 'b'); update be set v = 'c' where id = 1; delete from be where id = 2`,
    );
    expect(await db.sql(`select * from be`)).toEqual([{ id: 1, v: 'c' }]);
    await putTriggers(db, 'be', `'SKIP'`, ['u'], 'before');
    await db.sql(`insert into be values (3, 'a'); update be set v = 'd'; delete from be`);
    expect(await db.sql(`select * from be`)).toEqual([{ id: 1, v: 'c' }]);
    await db.sql(`create view be_view as select * from be;
      create trigger v instead of insert on be_view for each row execute function pgq.logutriga('u', 'pkey=id')`);
    await db.sql(`insert into be_view values (9, 'z')`);
    expect((await take(db, 'u')).slice(4)).toEqual([
      'I:id|id=3&v=a|public.be',
      'U:id|id=1&v=d|public.be',
      'D:id|id=1&v=c|public.be',
      'I:id|id=9&v=z|public.be_view',
    ]);
  });

  it('follow DDL at once, also between the statements of one message', async () => {
    await db.sql(`create table dd(a int, b text)`);
    await putTriggers(db, 'dd');
    await db.sql(
      `insert into dd values (1, 'a'); alter table dd add primary key (a); update dd set b = 'b';
       alter table dd rename b to "B"; update dd set "B" = 'c'; alter table dd add c int default 7;
       update dd set "B" = 'd'; alter table dd drop column "B"; alter table dd rename a to ident; update dd set c = 8;
       alter table dd alter c drop default, alter c type bool using true; update dd set c = false; alter table dd rename to de; delete from de`,
    );
    expect(await take(db, 'u')).toEqual([
      'I:|a=1&b=a|public.dd',
      'U:a|a=1&b=b|public.dd',
      'U:a|a=1&B=c|public.dd',
      'U:a|a=1&B=d&c=7|public.dd',
      'U:ident|ident=1&c=8|public.dd',
      'U:ident|ident=1&c=f|public.dd',
      'D:ident|ident=1&c=f|public.de',
    ]);
    expect((await take(db, 's')).slice(4)).toEqual([
      `U|c='8' where ident='1'|public.dd`,
      `U|c='f' where ident='1'|public.dd`,
      `D|ident='1'|public.de`,
    ]);
    expect((await take(db, 'j'))[5]).toBe(
      '{"op":"UPDATE","table":["public","dd"],"pkey":["ident"]}|{"ident":1,"c":false}|public.dd',
    );
    await db.sql(`alter table de drop constraint dd_pkey`);
    expect(await failure(db, `insert into de values (5); delete from de`)).toBe(
      'Update/Delete on table without pkey',
    );
    await db.sql(`create schema s1; create table s1.t(id int primary key, v text)`);
    await putTriggers(db, 's1.t', '', ['u']);
    await db.sql(`insert into s1.t values (1)`);
    await db.sql(`alter schema s1 rename to s2`);
    await db.sql(`delete from s2.t`);
    expect(await take(db, 'u')).toEqual(['I:id|id=1&v|s1.t', 'D:id|id=1&v|s2.t']);
  });

  it('follow DDL of other sessions and DDL that is taken back, under any isolation level', async () => {
    const [writer, other] = [await db.connect(), await db.connect()];
    await db.sql(`create table od(id int primary key, v text)`);
    await putTriggers(db, 'od', '', ['u']);
    await writer.query(`insert into od values (1, 'a')`);
    await other.query(`alter table od add w numeric default 1.50`);
    await writer.query(`insert into od values (2, 'b')`);
    await writer.query(
      `begin; savepoint s; alter table od rename v to x; alter table od drop w; insert into od values (3, 'c');
       rollback to s; insert into od values (3, 'd'); commit`,
    );
    await writer.query('begin isolation level repeatable read; select 1');
    await other.query(`alter table od rename w to ww; alter table od add y text default 'y'`);
    await writer.query(`insert into od values (4, 'e'); commit`);
    await writer.query(`insert into od values (5, 'f', 2)`);
    await db.sql(
      `drop trigger u on od; create trigger u after insert on od for each row execute function pgq.logutriga('u', 'ignore=v,y')`,
    );
    await writer.query(`insert into od values (6, 'g', 3)`);
    await db.sql(
      `create trigger u2 after insert on od for each row execute function pgq.logutriga('u', 'ev_extra4=id')`,
    );
    await writer.query(`insert into od values (7, 'h', 4)`);
    expect(await take(db, 'u')).toEqual([
      'I:id|id=1&v=a|public.od',
      'I:id|id=2&v=b&w=1.50|public.od',
      'I:id|id=3&v=d&w=1.50|public.od',
      'I:id|id=4&v=e&ww=1.50&y=y|public.od',
      'I:id|id=5&v=f&ww=2&y=y|public.od',
      'I:id|id=6&ww=3|public.od',
      'I:id|id=7&ww=4|public.od',
      'I:id|id=7&v=h&ww=4&y=y|public.od|~|~|7',
    ]);
  });

  it('compare by the type also after it got another name and schema', async () => {
    await db.sql(
      `create schema moved; create domain amount as numeric; create type pair as (a int, b text); create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
       create table rn(id int primary key, v amount, p pair, j jsonb, c text collate nocase); insert into rn values (1, 1.5, '(1,a)', '{"a": 1}', 'x')`,
    );
    await putTriggers(db, 'rn', '', ['s']);
    const change = `update rn set v = 1.50, p = '(1,a)', j = '{"a":1.0}', c = 'X'; update rn set v = 2, p = '(2,"b c")', j = '[]', c = 'y'; update rn set v = 1.5, j = '{"a": 1}', c = 'x', p = '(1,a)'`;
    const events = [
      `U|id='1' where id='1'|public.rn`,
      `U|v='2',p='(2,"b c")',j='[]',c='y' where id='1'|public.rn`,
      `U|v='1.5',p='(1,a)',j='{"a": 1}',c='x' where id='1'|public.rn`,
    ];
    await db.sql(change);
    expect(await take(db, 's')).toEqual(events);
    await db.sql(
      `alter domain amount rename to "Sum"; alter type pair set schema moved; alter collation nocase rename to "No Case"`,
    );
    await db.sql(change);
    expect(await take(db, 's')).toEqual(events);
  });

  it('take the quick way with ordinary rows', async () => {
    await db.sql(
      `create table quick(id int primary key, a text, b timestamptz, c numeric, d float8, e jsonb, f date, g text[])`,
    );
    await putTriggers(db, 'quick');
    await db.sql('set track_functions = pl; begin');
    await db.sql(
      `insert into quick values (1, 'a, b', now(), 1.5, 0.1, '{"a": "b,c"}', '2024-01-01', '{a,"b c"}'), (2, '', null, null, null, null, null, null)`,
    );
    await db.sql(`update quick set a = a || '"é', c = c + 1; update quick set a = a; delete from quick`);
    const calls = await db.sql(
      `select funcname, calls::int from pg_stat_xact_user_functions where funcname in ('trigger_any_row', 'put_event', 'insert_event_raw')`,
    );
    await db.sql('rollback; reset track_functions');
    expect(calls).toEqual([{ funcname: 'put_event', calls: 24 }]);
  });

  it('do without faults of PgQ: keys hidden behind ignore=, INCLUDE columns, renamed keys', async () => {
    await db.sql(`create table pc(v text, id int, w text, primary key (id) include (w))`);
    await putTriggers(db, 'pc', `'ignore=w'`, ['u']);
    await db.sql(`insert into pc values ('a', 1, 'x')`);
    expect(await failure(db, `update pc set v = 'b', id = 2`)).toBe('primary key update not allowed');
    await db.sql(`update pc set v = 'b', w = 'y'`);
    expect(await take(db, 'u')).toEqual(['I:id|v=a&id=1|public.pc', 'U:id|v=b&id=1|public.pc']);
    await putTriggers(db, 'pc', '', ['s']);
    await db.sql(`alter table pc rename id to key`);
    await db.sql(`update pc set w = 'z'`);
    expect(await take(db, 's')).toEqual([`U|w='z' where key='1'|public.pc`]);
  });

  it('report partitions as themselves', async () => {
    await db.sql(
      `create table pt(id int, k int, v text, primary key (id, k)) partition by list (k);
       create table pt1(v text, k int not null, id int not null); alter table pt attach partition pt1 for values in (1);
       create table pt2 partition of pt for values in (2)`,
    );
    await putTriggers(db, 'pt', '', ['s']);
    await db.sql(
      `insert into pt values (1, 1, 'a'); update pt set v = 'b'; update pt set k = 2; delete from pt`,
    );
    expect(await take(db, 's')).toEqual([
      `I|(v,k,id) values ('a','1','1')|public.pt1`,
      `U|v='b' where k='1' and id='1'|public.pt1`,
      `D|k='1' and id='1'|public.pt1`,
      `I|(id,k,v) values ('1','2','b')|public.pt2`,
      `D|id='1' and k='2'|public.pt2`,
    ]);
  });

  it('find names with blanks and commas in lists, as PgQ does', async () => {
    await db.sql(`create table ls("c d" int, "e,f" int, g int, c int, primary key ("c d"))`);
    await putTriggers(db, 'ls', `'ignore=e,f c d'`, ['u']);
    await db.sql(`insert into ls values (1, 2, 3, 4)`);
    await putTriggers(db, 'ls', `'pkey=g, c d'`, ['s']);
    await db.sql(`update ls set "e,f" = 5; delete from ls`);
    expect(await take(db, 'u')).toEqual(['I:c d|g=3|public.ls']);
    expect(await take(db, 's')).toEqual([
      `U|"e,f"='5' where "c d"='1' and g='3' and c='4'|public.ls`,
      `D|"c d"='1' and g='3' and c='4'|public.ls`,
    ]);
    // c stands alone in "c d", so that it is part of the key too, and may not change
    expect(await failure(db, `insert into ls values (1, 2, 3, 4); update ls set c = 5`)).toBe(
      'primary key update not allowed',
    );
  });

  it('tell of a changed key first, and of a null in the key only if there is something to log', async () => {
    await db.sql(`create table nk(k text, v text, w text)`);
    await putTriggers(db, 'nk', `'pkey=k', 'ignore=w'`, ['s']);
    await db.sql(`insert into nk values (null, 'a', 'b'); update nk set w = 'c'`);
    expect(await failure(db, `update nk set v = 'x'`)).toBe('logtriga: Unexpected NULL key value');
    expect(await failure(db, `update nk set k = 'x'`)).toBe('primary key update not allowed');
    expect(await take(db, 's')).toEqual([`I|(k,v) values (null,'a')|public.nk`]);
  });

  it('work whatever standard_conforming_strings says', async () => {
    await db.sql(`create table sc(id int primary key, v text)`);
    await putTriggers(db, 'sc', `'ignore=x', 'pkey=id', 'ev_extra3=upper($$a$$)'`);
    // A session of its own: function bodies are parsed under the setting that holds at their first call.
    const client = await db.connect();
    await client.query(`set standard_conforming_strings = off; set escape_string_warning = off`);
    await client.query(`insert into sc values (1, E'a,"b\\\\é')`);
    await client.query(`update sc set v = E'c\\\\,"'`);
    expect((await take(db, 'u')).map((event) => event.split('|')[1])).toEqual([
      'id=1&v=a%2c%22b%5c%c3%a9',
      'id=1&v=c%5c%2c%22',
    ]);
    expect((await take(db, 's'))[1]).toBe(`U|v=E'c\\\\,"' where id='1'|public.sc|~|A`);
    expect((await take(db, 'j'))[1]).toContain(`{"id":1,"v":"c\\\\,\\""}`);
  });

  it('report errors with the code of C functions', async () => {
    await db.sql(`create table ec(id int)`);
    await putTriggers(db, 'ec', `'bad'`, ['u']);
    await expect(db.sql(`insert into ec values (1)`)).rejects.toMatchObject({
      code: 'XX000',
      message: 'bad param to pgq trigger',
    });
  });

  it('write with the rights of who changes the table', async () => {
    await db.sql(`create table ri(id int primary key)`);
    await putTriggers(db, 'ri', '', ['u']);
    await db.sql(
      `create role ${db.name}_user; grant insert on ri to ${db.name}_user; set role ${db.name}_user`,
    );
    expect(await failure(db, `insert into ri values (1)`)).toBe(
      'permission denied for function insert_event',
    );
    await db.sql(
      `reset role; grant pgq_writer to ${db.name}_user; set role ${db.name}_user; insert into ri values (1)`,
    );
    await db.sql(`reset role; revoke all on ri from ${db.name}_user; drop role ${db.name}_user`);
    expect(await take(db, 'u')).toEqual(['I:id|id=1|public.ri']);
  });

  it('read the catalog once for a statement, not for every row', async () => {
    await db.sql(`create table big(id int primary key, a text, b timestamptz, c numeric, d int, e jsonb)`);
    await putTriggers(db, 'big', '', ['u', 's', 'j']);
    const scans = async (rows: number): Promise<number> => {
      await db.sql(
        `begin; insert into big select i, 'text ' || i, now(), i * 1.5, i from generate_series(1, ${rows}) i`,
      );
      await db.sql(
        `update big set d = d + 1, e = jsonb_build_object('d', d); update big set e = e || '{"a": 1}'; delete from big`,
      );
      // Only what this transaction has read.
      const [{ n }] = await db.sql(
        `select sum(coalesce(idx_scan, 0) + seq_scan)::int as n from pg_stat_xact_sys_tables where relname in ('pg_attribute', 'pg_type', 'pg_index', 'pg_opclass')`,
      );
      await db.sql('rollback');
      return n;
    };
    await scans(1);
    const one = await scans(1);
    expect(await scans(500)).toBeLessThan(one + 50);
  });
});
