/** compare: every type, every kind of damage, under write load; and what has to compare equal although it looks different. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ComparePair, comparePair } from '../support/compare-fixture.ts';
import { COLUMNS, makeEvery } from '../support/every-type.ts';

let db: ComparePair;

beforeAll(async () => {
  db = await comparePair();
});
afterAll(async () => {
  await db?.drop();
});

interface TableResult {
  readonly dest_table: string;
  readonly equal: boolean;
  readonly missing?: number;
  readonly extra?: number;
  readonly different?: number;
  readonly rows: { kind: string; row: Record<string, string>; columns: string[] }[];
}

async function compared(...words: string[]): Promise<{ code: number; err: string; tables: TableResult[] }> {
  const { code, out, err } = await db.kaja('compare', '--json', '--show', '1000', ...words);
  if (!out.startsWith('{')) throw new Error(`no JSON, exit code ${code}: ${err}`);
  return { code, err, tables: JSON.parse(out).tables };
}

it('finds every kind of damage in every type under write load, and nothing else', async () => {
  const { root, leaf, pair } = db;
  await makeEvery(root, leaf, 2000);
  await pair.addTable('every');
  await pair.settled();

  const writer = await root.connect();
  let writing = true;
  const load = (async () => {
    // Rows that are not damaged change all the time; so do damaged ones in columns that are not.
    for (let n = 0; writing; n++)
      await writer.query(`update every set i2 = i2 where id % 10 = $1 and id > 1000`, [n % 10]);
  })();
  try {
    expect(await compared('every')).toMatchObject({ code: 0 });
    const damaged = new Map<number, string>();
    let id = 0;
    for (const [name, type, , change] of COLUMNS) {
      id += 7;
      await db.tamper(`update every set ${name} = (${change})::${type} where id = ${id}`);
      damaged.set(id, name);
    }
    await db.tamper(`delete from every where id in (3, 998); insert into every (id) values (-1), (2147483647);
      update every a set t = b.t from every b where (a.id, b.id) in ((401, 402), (402, 401))`);
    const { code, tables } = await compared('every');
    expect(code).toBe(1);
    const rows = tables[0]?.rows ?? [];
    const named = (kind: string): number[] =>
      rows
        .filter((row) => row.kind === kind)
        .map((row) => Number(row.row.id))
        .sort((a, b) => a - b);
    expect(named('missing')).toEqual([3, 998]);
    expect(named('extra')).toEqual([-1, 2147483647]);
    expect(named('different')).toEqual([...damaged.keys(), 401, 402].sort((a, b) => a - b));
    for (const row of rows.filter((one) => damaged.has(Number(one.row.id))))
      expect(row.columns).toEqual([damaged.get(Number(row.row.id))]);
  } finally {
    writing = false;
    await load;
  }
  const repaired = await db.kaja('repair', '--apply', '--delete-extra', 'every');
  expect(repaired).toMatchObject({ code: 0 });
  await pair.settled();
  expect((await compared('every')).code).toBe(0);
}, 180_000);

it('takes for equal what the type takes for equal, and with --exact only the same text', async () => {
  const { root, leaf, pair } = db;
  await root.sql(`create table loose (id int primary key, n numeric, f float8, c char(4), k numeric unique);
    insert into loose values (1, 1.0, 0, 'ab', 1), (2, 2, 1.5, 'c', 2), (3, null, null, null, null)`);
  await leaf.sql(
    'create table loose (c char(4), f float8, n numeric(10, 3), k numeric, id int8 primary key)',
  );
  await pair.addTable('loose');
  await pair.settled();
  await db.tamper(`update loose set f = '-0', k = 1.000 where id = 1`);
  expect((await compared('loose')).code).toBe(0);
  const { code, tables } = await compared('loose', '--exact');
  expect(code).toBe(1);
  expect(tables[0]).toMatchObject({ missing: 0, extra: 0, different: 2 });
  expect(tables[0]?.rows.map((row) => row.columns)).toEqual([['n', 'f', 'k'], ['n']]);
});

it('is not misled by what sessions, databases and roles set', async () => {
  const { root, leaf, pair } = db;
  const columns = 'id int primary key, f float8, tz timestamptz, iv interval, by bytea, d date, m money';
  await root.sql(`create table settings (${columns});
    insert into settings select g, g / 3.0, '2026-06-01 12:00+00', '1 day 2 hours', '\\x00ff', '2026-02-03', 5 from generate_series(1, 50) g`);
  await leaf.sql(`create table settings (${columns})`);
  await pair.addTable('settings');
  await pair.settled();
  for (const setting of [
    `timezone = 'Asia/Tokyo'`,
    `datestyle = 'SQL, DMY'`,
    `intervalstyle = 'iso_8601'`,
    `bytea_output = 'escape'`,
    'extra_float_digits = 0',
    `search_path = 'pair, public'`,
  ])
    await leaf.sql(`alter database "${leaf.name}" set ${setting}`);
  expect((await compared('settings')).code).toBe(0);
});

it('tells a float in one column from the same in the next', async () => {
  const { root, leaf, pair } = db;
  await root.sql(
    `create table zero (id int primary key, a float8, b float8); insert into zero values (1, 0, 1.5), (2, 2, 0)`,
  );
  await leaf.sql('create table zero (id int primary key, a float8, b float8)');
  await pair.addTable('zero');
  await pair.settled();
  await db.tamper('update zero set a = b, b = a');
  const { tables } = await compared('zero');
  expect(tables[0]).toMatchObject({ different: 2 });
});

it('finds single rows in sparse and clustered keys', async () => {
  const { root, leaf, pair } = db;
  await root.sql(`create table sparse (id int8 primary key, n int);
    insert into sparse select g, g from generate_series(1, 30000) g;
    insert into sparse values (-9223372036854775808, 0), (9223372036854775807, 0), (4611686018427387904, 0)`);
  await leaf.sql('create table sparse (id int8 primary key, n int)');
  await pair.addTable('sparse');
  await pair.settled(60_000);
  expect((await compared('sparse')).code).toBe(0);
  await db.tamper(
    'update sparse set n = 0 where id in (17, 29000); delete from sparse where id in (9223372036854775807, -9223372036854775808)',
  );
  const { tables } = await compared('sparse');
  expect(tables[0]?.rows.map((row) => row.row.id)).toEqual([
    '-9223372036854775808',
    '17',
    '29000',
    '9223372036854775807',
  ]);
});

it('finds seeded damage in big numbers, duplicates and whole-row tables too', async () => {
  const { root, leaf, pair } = db;
  await root.sql(`create table many (a int, b text, primary key (a, b)); insert into many select g % 100, 'b' || g from generate_series(1, 20000) g;
    create table heap (a int, b text); insert into heap select g % 50, 'b' || g % 70 from generate_series(1, 5000) g`);
  await leaf.sql('create table many (b text, a int, primary key (b, a)); create table heap (a int, b text)');
  await pair.addTable('many');
  await pair.addTable('heap', { style: 'whole_row' });
  await pair.settled(60_000);
  await db.tamper(`delete from many where a % 10 = 3; insert into many (a, b) select 1000 + g, 'new' from generate_series(1, 500) g;
    delete from heap where ctid in (select ctid from heap limit 5); insert into heap select * from heap order by a, b limit 3`);
  const { code, tables } = await compared('many', 'heap');
  expect(code).toBe(1);
  expect(tables.find((one) => one.dest_table === 'public.many')).toMatchObject({ missing: 2000, extra: 500 });
  const heap = tables.find((one) => one.dest_table === 'public.heap');
  expect(Number(heap?.missing) - Number(heap?.extra)).toBe(2);
  expect((await db.kaja('repair', '--apply', '--delete-extra', 'many', 'heap')).code).toBe(0);
  expect((await compared('many', 'heap')).code).toBe(0);
});
