/** Expected values were taken from PgQ 3.5 with its C triggers, statement for statement. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { createQueues, putTriggers, take } from './pgq-triggers-support.ts';

describe.each([
  ['oldest', 0],
  ['newest', -1],
])('payloads of pgq triggers, %s server', (_label, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server, prefix: 'trg' });
    await createQueues(db);
    await db.sql(`set timezone = 'Asia/Kolkata'`);
  });
  afterAll(() => db.drop());

  it('quote odd names and values', async () => {
    await db.sql(`create table "Odd Tbl"("Id" int primary key, "select" text, "a b" text, norm text)`);
    await putTriggers(db, '"Odd Tbl"');
    await db.sql(`insert into "Odd Tbl" values (1, 'O''Brien', 'x y&z=1+2', null)`);
    await db.sql(String.raw`insert into "Odd Tbl" values (2, 'back\slash', '', E'tab\tnl\n~*()!-_.é€😀')`);
    await db.sql(`update "Odd Tbl" set "select" = null, norm = 'q' where "Id" = 1`);
    await db.sql(`update "Odd Tbl" set norm = norm where "Id" = 1; delete from "Odd Tbl" where "Id" = 1`);
    const extra = '|public.Odd Tbl';
    expect(await take(db, 'u')).toEqual([
      `I:Id|Id=1&select=O%27Brien&a+b=x+y%26z%3d1%2b2&norm${extra}`,
      `I:Id|Id=2&select=back%5cslash&a+b=&norm=tab%09nl%0a%7e%2a%28%29%21-_.%c3%a9%e2%82%ac%f0%9f%98%80${extra}`,
      `U:Id|Id=1&select&a+b=x+y%26z%3d1%2b2&norm=q${extra}`,
      `U:Id|Id=1&select&a+b=x+y%26z%3d1%2b2&norm=q${extra}`,
      `D:Id|Id=1&select&a+b=x+y%26z%3d1%2b2&norm=q${extra}`,
    ]);
    expect(await take(db, 's')).toEqual([
      `I|("Id","select","a b",norm) values ('1','O''Brien','x y&z=1+2',null)${extra}`,
      String.raw`I|("Id","select","a b",norm) values ('2',E'back\\slash','','` +
        `tab\tnl\n~*()!-_.é€😀')${extra}`,
      `U|"select"=NULL,norm='q' where "Id"='1'${extra}`,
      `U|"Id"='1' where "Id"='1'${extra}`,
      `D|"Id"='1'${extra}`,
    ]);
    const type = (op: string) => `{"op":"${op}","table":["public","Odd Tbl"],"pkey":["Id"]}|`;
    expect(await take(db, 'j')).toEqual([
      `${type('INSERT')}{"Id":1,"select":"O'Brien","a b":"x y&z=1+2","norm":null}${extra}`,
      type('INSERT') +
        String.raw`{"Id":2,"select":"back\\slash","a b":"","norm":"tab\tnl\n~*()!-_.é€😀"}${extra}`,
      `${type('UPDATE')}{"Id":1,"select":null,"a b":"x y&z=1+2","norm":"q"}${extra}`,
      `${type('UPDATE')}{"Id":1,"select":null,"a b":"x y&z=1+2","norm":"q"}${extra}`,
      `${type('DELETE')}{"Id":1,"select":null,"a b":"x y&z=1+2","norm":"q"}${extra}`,
    ]);
  });

  it('encode every printable character and leave the unreserved ones', async () => {
    const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');
    const encoded = [...ascii]
      .map((one) => (one === ' ' ? '+' : /[\w.-]/.test(one) ? one : `%${one.charCodeAt(0).toString(16)}`))
      .join('');
    await db.sql(`create table chars(a text, b text); `);
    await putTriggers(db, 'chars', '', ['u']);
    await db.sql(`insert into chars values ($1, $2)`, [ascii, '\x01\x02é+ ']);
    await db.sql(`insert into chars values ($1, ',/: +%')`, [ascii]);
    expect(await take(db, 'u')).toEqual([
      `I:|a=${encoded}&b=%01%02%c3%a9%2b+|public.chars`,
      `I:|a=${encoded}&b=%2c%2f%3a+%2b%25|public.chars`,
    ]);
  });

  it('keep the order of key and table apart', async () => {
    await db.sql(`create table cpk(b int, a int, v text, primary key (a, b))`);
    await putTriggers(db, 'cpk');
    await db.sql(`insert into cpk values (1, 2, 'x')`);
    await db.sql(`update cpk set v = 'y'`);
    await db.sql(`update cpk set v = 'y'; delete from cpk`);
    expect(await take(db, 'u')).toEqual([
      'I:a,b|b=1&a=2&v=x|public.cpk',
      'U:a,b|b=1&a=2&v=y|public.cpk',
      'U:a,b|b=1&a=2&v=y|public.cpk',
      'D:a,b|b=1&a=2&v=y|public.cpk',
    ]);
    expect(await take(db, 's')).toEqual([
      `I|(b,a,v) values ('1','2','x')|public.cpk`,
      `U|v='y' where b='1' and a='2'|public.cpk`,
      `U|b='1' where b='1' and a='2'|public.cpk`,
      `D|b='1' and a='2'|public.cpk`,
    ]);
    expect((await take(db, 'j'))[0]).toBe(
      '{"op":"INSERT","table":["public","cpk"],"pkey":["a","b"]}|{"b":1,"a":2,"v":"x"}|public.cpk',
    );
  });

  it('print values of every type', async () => {
    await db.sql(
      `create domain dint int; create domain dbool bool; create type cmp as (x int, y text);
       create table types(id int primary key, i8 int8, bo bool, boa bool[], by bytea, ts timestamp, tz timestamptz, d date, iv interval,
                          n numeric, f8 float8, ta text[], js json, jb jsonb, ch char(5), di dint, db dbool, c cmp, bxa box[])`,
    );
    await putTriggers(db, 'types');
    await db.sql(
      String.raw`insert into types values (1, 9007199254740993, true, '{t,f,null}', '\x00ff', '2024-02-03 04:05:06.789', '2024-02-03T04:05:06Z',
        '2024-02-03', '1 day 2 hours', 1.50, 0.1, '{a,"b c",NULL,"q\"x"}', '{"k" :[1]}', '{"k":[1,true,null]}', 'ab', 1, true, '(1,"a b")',
        '{(1,2),(3,4);(5,6),(7,8)}')`,
    );
    await db.sql(
      `insert into types(id, ts, tz, d, n) values (3, '0044-03-15 12:00:00 BC', 'infinity', '-infinity', 'NaN')`,
    );
    await db.sql(`set datestyle = 'SQL, DMY'; update types set i8 = 2 where id = 1; set datestyle = 'ISO'`);
    const empty = ',null'.repeat(1);
    expect((await take(db, 'u')).slice(0, 1)).toEqual([
      'I:id|id=1&i8=9007199254740993&bo=t&boa=%7bt%2cf%2cNULL%7d&by=%5cx00ff&ts=2024-02-03+04%3a05%3a06.789&tz=2024-02-03+09%3a35%3a06%2b05%3a30&d=2024-02-03&iv=1+day+02%3a00%3a00&n=1.50&f8=0.1&ta=%7ba%2c%22b+c%22%2cNULL%2c%22q%5c%22x%22%7d&js=%7b%22k%22+%3a%5b1%5d%7d&jb=%7b%22k%22%3a+%5b1%2c+true%2c+null%5d%7d&ch=ab+++&di=1&db=t&c=%281%2c%22a+b%22%29&bxa=%7b%283%2c4%29%2c%281%2c2%29%3b%287%2c8%29%2c%285%2c6%29%7d|public.types',
    ]);
    expect(await take(db, 's')).toEqual([
      String.raw`I|(id,i8,bo,boa,by,ts,tz,d,iv,n,f8,ta,js,jb,ch,di,db,c,bxa) values ('1','9007199254740993','t','{t,f,NULL}',E'\\x00ff','2024-02-03 04:05:06.789','2024-02-03 09:35:06+05:30','2024-02-03','1 day 02:00:00','1.50','0.1',E'{a,"b c",NULL,"q\\"x"}','{"k" :[1]}','{"k": [1, true, null]}','ab   ','1','t','(1,"a b")','{(3,4),(1,2);(7,8),(5,6)}')|public.types`,
      `I|(id,i8,bo,boa,by,ts,tz,d,iv,n,f8,ta,js,jb,ch,di,db,c,bxa) values ('3',null,null,null,null,'0044-03-15 12:00:00 BC','infinity','-infinity',null,'NaN'${empty.repeat(9)})|public.types`,
      `U|i8='2' where id='1'|public.types`,
    ]);
    const json = await take(db, 'j');
    expect(json[0]).toBe(
      String.raw`{"op":"INSERT","table":["public","types"],"pkey":["id"]}|{"id":1,"i8":9007199254740993,"bo":true,"boa":"{t,f,NULL}","by":"\\x00ff","ts":"2024-02-03T04:05:06.789","tz":"2024-02-03T09:35:06+05:30","d":"2024-02-03","iv":"1 day 02:00:00","n":"1.50","f8":"0.1","ta":"{a,\"b c\",NULL,\"q\\\"x\"}","js":"{\"k\" :[1]}","jb":"{\"k\": [1, true, null]}","ch":"ab   ","di":"1","db":"t","c":"(1,\"a b\")","bxa":"{(3,4),(1,2);(7,8),(5,6)}"}|public.types`,
    );
    expect(json[1]).toContain(
      '"ts":"0044-03-15T12:00:00 BC","tz":"infinity","d":"-infinity","iv":null,"n":"NaN"',
    );
    // jsontriga's dates do not depend on DateStyle
    expect(json[2]).toContain('"ts":"2024-02-03T04:05:06.789","tz":"2024-02-03T09:35:06+05:30"');
  });

  it('compare with the equality of the type, arrays and json as text', async () => {
    await db.sql(
      `create table eq(id int primary key, n numeric, f float8, iv interval, jb jsonb, js json, ia numeric[])`,
    );
    await putTriggers(db, 'eq', '', ['s']);
    await db.sql(`insert into eq values (1, 1.5, 0, '1 day', '{"k":[1.0]}', '{}', '{1.0}')`);
    await db.sql(`update eq set n = 1.50, f = '-0', iv = '24:00', jb = '{"k":[1]}'`);
    await db.sql(`update eq set n = 1.6, f = 1, iv = '25:00', jb = '{"k":[2]}'`);
    await db.sql(`update eq set js = '{ }', ia = '{1.00}'`);
    expect((await take(db, 's')).slice(1)).toEqual([
      `U|id='1' where id='1'|public.eq`,
      `U|n='1.6',f='1',iv='25:00:00',jb='{"k": [2]}' where id='1'|public.eq`,
      `U|js='{ }',ia='{1.00}' where id='1'|public.eq`,
    ]);
  });

  it('put the old row in ev_extra2 with backup, and leave ignored columns out', async () => {
    await db.sql(`create table bk(id int primary key, v text, w text)`);
    await putTriggers(db, 'bk', `'backup'`);
    await db.sql(`insert into bk values (1, 'a b', null); update bk set v = 'n'`);
    expect((await take(db, 'u'))[1]).toBe('U:id|id=1&v=n&w|public.bk|id=1&v=a+b&w');
    expect((await take(db, 's'))[1]).toBe(`U|v='n' where id='1'|public.bk|id=1&v=a+b&w`);
    expect((await take(db, 'j'))[1]).toBe(
      '{"op":"UPDATE","table":["public","bk"],"pkey":["id"]}|{"id":1,"v":"n","w":null}|public.bk|{"id":1,"v":"a b","w":null}',
    );
    await putTriggers(db, 'bk', `'ignore=w, zz', 'backup'`);
    for (const set of [`w = 'j'`, `v = 'b'`, `v = 'c', w = 'k'`, `w = w`])
      await db.sql(`update bk set ${set}`);
    expect(await take(db, 'u')).toEqual([
      'U:id|id=1&v=b|public.bk|id=1&v=n',
      'U:id|id=1&v=c|public.bk|id=1&v=b',
      'U:id|id=1&v=c|public.bk|id=1&v=c',
    ]);
    expect(await take(db, 's')).toEqual([
      `U|v='b' where id='1'|public.bk|id=1&v=n`,
      `U|v='c' where id='1'|public.bk|id=1&v=b`,
      `U|id='1' where id='1'|public.bk|id=1&v=c`,
    ]);
    await take(db, 'j');
    await putTriggers(db, 'bk', `'ignore=id,v,w'`);
    await db.sql(`update bk set v = v; delete from bk; insert into bk values (1, 'a', 'i')`);
    expect(await take(db, 'u')).toEqual(['U:id||public.bk', 'D:id||public.bk', 'I:id||public.bk']);
    expect(await take(db, 's')).toEqual([
      `U|id='1' where id='1'|public.bk`,
      `D|id='1'|public.bk`,
      `I|() values ()|public.bk`,
    ]);
    await take(db, 'j');
    await putTriggers(db, 'bk', `'pkey=v, w'`);
    await db.sql(`update bk set id = 9`);
    expect(await take(db, 'u')).toEqual(['U:v, w|id=9&v=a&w=i|public.bk']);
    expect(await take(db, 's')).toEqual([`U|id='9' where v='a' and w='i'|public.bk`]);
    expect(await take(db, 'j')).toEqual([
      '{"op":"UPDATE","table":["public","bk"],"pkey":["v"," w"]}|{"id":9,"v":"a","w":"i"}|public.bk',
    ]);
  });

  it('replace fields by expressions and magic columns', async () => {
    await db.sql(`create table wh(id int primary key, v text, w text, "Mixed" int, bo bool)`);
    await putTriggers(
      db,
      'wh',
      `'when=w=''go''', 'ev_type=v', 'ev_data=id::text||coalesce(w,''NUL'')', 'ev_extra1=''X''||id', 'ev_extra3=upper(v)', 'ev_extra4=null', 'ev_extra2=now() > ''2000-01-01'''`,
      ['u'],
    );
    await db.sql(
      `insert into wh values (1, 'a', 'go'), (2, 'a', 'no'); update wh set v = 'b'; delete from wh`,
    );
    expect(await take(db, 'u')).toEqual(['a|1go|X1|t|A', 'b|1go|X1|t|B', 'b|1go|X1|t|B']);
    await putTriggers(
      db,
      'wh',
      `'ev_type=bo', 'ev_data=$$id$$ || id /* id */ || $x$ '' " $x$ || ''it''''s id'' -- id', 'ev_extra1=Mixed+1.5', 'ev_extra2=array[id,2]', 'ev_extra3=(select count(*) from wh)', 'ev_extra4=row(id,v)'`,
      ['u'],
    );
    await db.sql(`insert into wh values (1, 'a', 'go', 4, true); delete from wh`);
    expect(await take(db, 'u')).toEqual([
      `t|id1 ' " it's id|5.5|{1,2}|0|(1,a)`,
      `t|id1 ' " it's id|5.5|{1,2}|1|(1,a)`,
    ]);
    await db.sql(
      `create table mg(id int primary key, v text, _pgq_ev_type text, _pgq_ev_data text, _pgq_ev_extra1 text, _pgq_ev_extra4 text)`,
    );
    await putTriggers(db, 'mg');
    await db.sql(`insert into mg values (1, 'v', 'T', 'D', '1', '4'), (2, 'v', null, null, null, null)`);
    for (const format of ['u', 's', 'j'] as const)
      expect(await take(db, format)).toEqual(['T|D|1|~|~|4', '~']);
  });
});
