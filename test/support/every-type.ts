/** A table with a column of every type, and how a value of each is damaged as little as its type allows. */
import type { TestDatabase } from './database.ts';

/** Column, its type, a value for row g, and another value that differs as little as the type allows. */
export const COLUMNS: readonly [name: string, type: string, value: string, damaged: string][] = [
  ['i2', 'int2', 'g % 100', 'i2 + 1'],
  ['i4', 'int4', 'g', '-i4'],
  ['i8', 'int8', 'g', 'i8 + 4294967296'],
  ['i8_fold', 'int8', '(g::int8 << 32) + g', 'i8_fold # 4294967297'],
  ['b', 'bool', 'g % 2 = 0', 'not b'],
  ['f4', 'float4', 'g / 7.0', 'f4 * 1.0000002'],
  ['f8', 'float8', 'g / 7.0', 'f8 + 1e-15 * f8'],
  ['f8_inf', 'float8', `'Infinity'`, `'-Infinity'`],
  ['n', 'numeric', 'g / 7.0', 'n + 1e-20'],
  ['n_sign', 'numeric', 'g', '-n_sign'],
  ['n_nan', 'numeric', `'NaN'`, '0'],
  ['t', 'text', `'x ' || g`, `t || ' '`],
  ['v', 'varchar(40)', `'é' || g`, `replace(v, 'é', 'e')`],
  ['t_null', 'text', `''`, 'null'],
  ['t_empty', 'text', 'null', `''`],
  ['c', 'char(8)', `'ab' || g % 10`, `'ab ' || id % 10`],
  ['nm', 'name', `'n' || g`, `'N' || id`],
  ['by', 'bytea', `decode(md5(g::text), 'hex')`, `set_bit(by, 5, 1 - get_bit(by, 5))`],
  ['d', 'date', `date '2026-01-01' + g`, 'd + 1'],
  ['d_inf', 'date', `'infinity'`, `'-infinity'`],
  ['ts', 'timestamp', `timestamp '2026-01-01' + g * interval '1 s'`, `ts + interval '1 us'`],
  ['tz', 'timestamptz', `timestamptz '2026-01-01 00:00+00' + g * interval '1 s'`, `tz - interval '1 hour'`],
  ['tm', 'time', `time '00:00' + g * interval '1 s'`, `tm + interval '1 us'`],
  ['tmz', 'timetz', `'12:00+02'`, `'10:00+00'`],
  ['iv', 'interval', `g * interval '1 s'`, `iv + interval '1 us'`],
  ['u', 'uuid', `md5(g::text)::uuid`, `md5(i4::text || 'x')::uuid`],
  ['ip', 'inet', `'10.0.0.1/8'`, `'10.0.0.1/9'`],
  ['j', 'json', `'{"a":  1}'`, `'{"a": 1}'`],
  ['jb', 'jsonb', `'{"a": 5}'`, `'{"a": -5}'`],
  ['a', 'int[]', 'array[g, null, g]', `array_replace(a, null, 0)`],
  ['a_bounds', 'int[]', `'{1,2}'`, `'[2:3]={1,2}'`],
  ['a_dims', 'int[]', `'{1,2}'`, `'{{1,2}}'`],
  ['r', 'int4range', `int4range(1, 5)`, `int4range(1, 6)`],
  ['x', 'xml', `'<a/>'`, `'<a />'`],
  ['p', 'point', `'(1,2)'`, `'(2,1)'`],
  ['bits', 'varbit', `'1010'`, `'1011'`],
  ['e', 'public.mood', `'fine'`, `'bad'`],
  ['dom', 'public.code', `'k' || g`, `dom || '.'`],
  ['comp', 'public.pair', `row(g, 'x')::public.pair`, `row((comp).a, 'y')::public.pair`],
];

/** Make the table `every` on both sides, with rows on the root; columns stand in another order on the leaf, and enums have other oids. */
export async function makeEvery(root: TestDatabase, leaf: TestDatabase, rows: number): Promise<void> {
  const types = `create type public.mood as enum ('fine', 'bad'); create domain public.code as text check (value <> ''); create type public.pair as (a int, b text);`;
  const list = COLUMNS.map(([name, type]) => `${name} ${type}`).join(', ');
  const values = COLUMNS.map(([, type, value]) => `(${value})::${type}`).join(', ');
  await root.sql(`${types} create table every (id int primary key, ${list});
    insert into every select g, ${values} from generate_series(1, ${rows}) g`);
  await leaf.sql(`create type public.first as enum ('x'); ${types}
    create table every (${[...COLUMNS]
      .reverse()
      .map(([name, type]) => `${name} ${type}`)
      .join(', ')}, id int primary key)`);
}
