import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type Replication, replicate } from '../support/replication.ts';

/** Type and literals that are easily lost on the way. */
const TYPES: Record<string, string[]> = {
  boolean: ['true', 'false'],
  smallint: ['-32768'],
  bigint: ['9007199254740993', '-9223372036854775808'],
  numeric: [`'1.50'`, `'NaN'`, `'-Infinity'`, `'0.${'0'.repeat(300)}1'`, `'${'9'.repeat(500)}.10'`],
  'numeric(10,3)': [`'1234567.100'`],
  real: [`'3.1415927'`, `'-0'`, `'1e-45'`, `'Infinity'`],
  'double precision': [`'0.1'`, `'0.30000000000000004'`, `'5e-324'`, `'NaN'`, `'-0'`],
  money: [`'-1234.56'::numeric::money`],
  text: [
    `''`,
    `' '`,
    `E'tab\\tnl\\ncr\\r\\\\. \\\\N "quoted" ''single'' (a,b) {x} é€😀'`,
    `repeat('x', 300000)`,
  ],
  'varchar(20)': [`' padded '`],
  'char(5)': [`'ab'`, `''`],
  name: [`'a name'`],
  '"char"': [`'x'`, `''`],
  bytea: [`'\\x00ff27225c0a'`, `''`],
  date: [`'0044-03-15 BC'::date`, `'infinity'`, `'5874897-12-31'`],
  time: [`'24:00:00'`, `'12:34:56.789012'`],
  timetz: [`'12:34:56.7+05:30'`],
  timestamp: [`'0001-01-01 00:00:00 BC'::timestamp`, `'-infinity'`, `'2024-02-29 23:59:59.999999'`],
  timestamptz: [
    `'2024-03-31 01:30:00.000001+00'::timestamptz`,
    `'1883-11-18 12:00:00 America/New_York'::timestamptz`,
    `'infinity'`,
  ],
  interval: [`'-1 year 2 mons -3 days 04:05:06.7'`, `'1 day -24:00:00'`],
  uuid: [`'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`],
  json: [`' {"a" :  [1, 2.10, null], "a":"twice"} '`, `'null'`, `'12345678901234567890.10'`],
  jsonb: [`'{"b": 1.10, "a": null}'`, `'null'`],
  xml: [`'<a b="c">d &amp; e</a>'`],
  inet: [`'192.168.0.1/24'`, `'::1'`],
  cidr: [`'10.0.0.0/8'`],
  macaddr8: [`'08:00:2b:01:02:03:04:05'`],
  'bit(5)': [`B'10101'`],
  varbit: [`B''`, `B'1'`],
  point: [`'(1.1,-2.2)'`],
  path: [`'[(0,0),(1,1.5)]'`],
  circle: [`'<(1,2),3.3>'`],
  int4range: [`'[1,5)'`, `'empty'`, `'(,)'`],
  tstzrange: [`'["2024-01-01 00:00:00+02",infinity)'`],
  int4multirange: [`'{[1,3),[5,7)}'`],
  'integer[]': [`'[-1:1]={1,NULL,3}'`, `'{{1,2},{3,4}}'`, `'{}'`],
  'text[]': [`array['', NULL, 'null', 'a,b', '"q"', '\\', ' ']`],
  'timestamptz[]': [`array['2024-01-01 00:00:00+00'::timestamptz, null]`],
  tsvector: [`'fat:2A cat:3B'`],
  tsquery: [`'fat & !cat'`],
  jsonpath: [`'$.a[*] ? (@ > 1)'`],
  pg_lsn: [`'16/B374D848'`],
  txid_snapshot: [`'10:20:10,14,15'`],
  mood: [`'so ''so'''`, `'a,b'`],
  posint: [`5`],
  pair: [`row(1, 'x, "y"', null)::pair`, `row(null, '', '{1}')::pair`],
  'pair[]': [`array[row(1,'a',null)::pair, null]`],
  regclass: [`'pg_catalog.pg_class'`],
};

const HOSTILE = [
  `set DateStyle = 'German, DMY'; set TimeZone = 'Asia/Kathmandu'; set IntervalStyle = sql_standard; set extra_float_digits = -15; set bytea_output = 'escape'; set search_path = pg_temp; set quote_all_identifiers = on`,
  `set DateStyle = 'SQL, MDY'; set TimeZone = 'America/St_Johns'; set IntervalStyle = iso_8601; set extra_float_digits = 0; set xmloption = document; set search_path = ''`,
  `set DateStyle = 'Postgres, YMD'; set TimeZone = 'Europe/Paris'; set IntervalStyle = postgres_verbose; set standard_conforming_strings = on; set lc_monetary = 'C'`,
];

describe('values of every type', () => {
  let root: TestDatabase;
  let leaf: TestDatabase;
  let pair: Replication;
  const columns = Object.keys(TYPES).map((type, n) => ({ name: `c${n}`, type }));

  beforeAll(async () => {
    root = await createDatabase({ server: 0 });
    leaf = await createDatabase({ server: -1 });
    for (const db of [root, leaf]) {
      await db.sql(
        `create type mood as enum ('so ''so''', 'a,b'); create domain posint as int check (value > 0); create type pair as (a int, b text, c int[])`,
      );
      await db.sql(
        `create table every (id int primary key, ${columns.map((column) => `${column.name} ${column.type}`).join(', ')})`,
      );
    }
    pair = await replicate(root, leaf);
    await pair.addTable('every');
    pair.startWorker();
    await pair.settled();
  });
  afterAll(async () => {
    await pair?.stop();
    await root?.drop();
    await leaf?.drop();
  });

  /** Rows as stored bytes would show: one text per column under the same settings on both sides. */
  const rows = async (db: TestDatabase): Promise<unknown[]> => {
    await db.sql(
      `set extra_float_digits = 3; set TimeZone = 'UTC'; set DateStyle = 'ISO, MDY'; set IntervalStyle = postgres; set bytea_output = hex; set lc_monetary = 'C'`,
    );
    return db.sql(
      `select id, ${columns.map((column) => `array_to_string(array[${column.name}::text], '', '<null>') as ${column.name}`).join(', ')} from every order by id`,
    );
  };

  it.each(HOSTILE)('arrive as they were written by a session with %s', async (settings) => {
    const writer = await root.connect();
    await writer.query('truncate public.every');
    await writer.query(settings);
    const depth = Math.max(...Object.values(TYPES).map((values) => values.length));
    const names = (type: string): string => (/^(mood|posint|pair)/.test(type) ? `public.${type}` : type);
    for (let n = 0; n <= depth; n++) {
      const values = columns.map(({ type }) => {
        const value = TYPES[type]?.[n];
        return value === undefined
          ? 'null'
          : `(${value.replaceAll('::pair', '::public.pair')})::${names(type)}`;
      });
      await writer.query(`insert into public.every values (${n}, ${values.join(', ')})`);
    }
    await writer.query(
      'update public.every set id = id + 100 where id < 2; update public.every set c0 = not c0',
    );
    await pair.settled();
    const [left, right] = [await rows(root), await rows(leaf)];
    expect(left.length).toBe(depth + 1);
    expect(right).toEqual(left);
    await pair.expectEqual('every');
  });

  it('are copied as exactly', async () => {
    await leaf.sql(`select londiste.local_set_table_state($1, 'public.every', null, null)`, [pair.queue]);
    await pair.settled();
    expect(await rows(leaf)).toEqual(await rows(root));
  });
});

describe('a subscriber that refuses a row', () => {
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

  it('keeps the batch, says why in status, tries again and loses nothing', async () => {
    await root.sql(
      'create table strict (id int primary key, v int); create table other (id int primary key)',
    );
    await leaf.sql(
      'create table strict (id int primary key, v int, constraint positive check (v > 0)); create table other (id int primary key)',
    );
    await pair.addTable('strict');
    await pair.addTable('other');
    await root.sql('insert into strict values (1, 1)');
    await pair.settled();
    await root.sql('insert into strict values (2, -5); insert into other values (7)');
    await expect(pair.settled(3000)).rejects.toThrow(/violates check constraint \\?"positive\\?"/);
    expect(pair.log.some((line) => line.includes('positive') && line.includes('attempt 2'))).toBe(true);
    expect(pair.log.join('\n')).not.toContain('Failing row contains');
    expect(await leaf.sql('select id from strict')).toEqual([{ id: 1 }]);
    await leaf.sql('alter table strict drop constraint positive');
    await pair.settled();
    await pair.expectEqual('strict');
    await pair.expectEqual('other');
    expect((await leaf.sql('select cur_error from pgq_node.local_state'))[0].cur_error).toBeNull();
  });
});
