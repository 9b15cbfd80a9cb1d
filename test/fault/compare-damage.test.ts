/**
 * Damage by a seed, of every kind and in every type, under write load: compare finds each and nothing else, repair mends each and touches no other row.
 * KAJA_DAMAGES: how many (default 300), KAJA_SEED: repeat a run.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ComparePair, comparePair } from '../support/compare-fixture.ts';
import { COLUMNS, makeEvery } from '../support/every-type.ts';

const SEED = Number(process.env.KAJA_SEED ?? Date.now() % 1_000_000);
const DAMAGES = Number(process.env.KAJA_DAMAGES ?? 300);
/** Rows with a number up to this are damaged; those behind it are written all the time. */
const QUIET = DAMAGES * 4;

let db: ComparePair;
let state = SEED;
/** Next number of the seed's series, below `limit`. */
function random(limit: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
}
const left = new Set<number>();
/** A row that nothing has been done to. */
function pick(): number {
  const list = [...left];
  const id = list[random(list.length)] as number;
  left.delete(id);
  return id;
}

beforeAll(async () => {
  db = await comparePair();
  const { root, leaf, pair } = db;
  await makeEvery(root, leaf, QUIET + 500);
  await root.sql(`create table txt (k text, part int, v text, primary key (k, part));
    insert into txt select 'Käse ' || g, g % 7, case when g % 3 = 0 then '' end from generate_series(1, ${QUIET}) g;
    create table heap (a int, b text, c numeric);
    insert into heap select g % ${QUIET}, 'b' || g % 7, 1.5 from generate_series(1, ${QUIET * 3}) g`);
  await leaf.sql(`create table txt (part int, v text, k text collate "und-x-icu", primary key (part, k));
    create table heap (c numeric, b text, a int)`);
  await pair.addTable('every');
  await pair.addTable('txt');
  await pair.addTable('heap', { style: 'whole_row' });
  await pair.settled(120_000);
}, 180_000);
afterAll(async () => {
  await db?.drop();
});

interface TableResult {
  readonly dest_table: string;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly rows: { kind: string; row: Record<string, string>; columns: string[] }[];
}

async function compared(...words: string[]): Promise<{ code: number; tables: Map<string, TableResult> }> {
  const { code, out, err } = await db.kaja('compare', '--json', '--show', String(DAMAGES * 3), ...words);
  if (!out.startsWith('{')) throw new Error(`no JSON, exit code ${code}: ${err}`);
  const tables: TableResult[] = JSON.parse(out).tables;
  return { code, tables: new Map(tables.map((one) => [one.dest_table.replace('public.', ''), one])) };
}

async function underLoad<T>(work: () => Promise<T>): Promise<T> {
  const writer = await db.root.connect();
  let writing = true;
  const load = (async () => {
    for (let n = 0; writing; n++) {
      await writer.query(
        `update every set i2 = (i2 + 1) % 100, t = t || 'x' where id > $1 and id % 50 = $2`,
        [QUIET, n % 50],
      );
      await writer.query('insert into heap values ($1, $2, 2)', [-1 - (n % 9), `new ${n % 5}`]);
    }
  })();
  try {
    return await work();
  } finally {
    writing = false;
    await load;
  }
}

const versions = async (): Promise<Map<string, string>> =>
  new Map(
    (
      await db.leaf.sql(
        `select 'every ' || id as row, xmin::text as v from every where id <= ${QUIET} union all select 'txt ' || part || k, xmin::text from txt`,
      )
    ).map(({ row, v }) => [row, v]),
  );

/** Damage rows of `every`. @returns column by damaged row, and rows that are gone */
async function damageEvery(): Promise<{ changed: Map<number, string>; gone: number[] }> {
  const changed = new Map<number, string>();
  const gone: number[] = [];
  const byColumn = new Map<string, number[]>();
  const set = (name: string, id: number): void => {
    byColumn.set(name, [...(byColumn.get(name) ?? []), id]);
    changed.set(id, name);
  };
  const statements: string[] = [];
  for (let n = 0; n < DAMAGES * 0.6; n++) {
    const dice = random(20);
    const column = COLUMNS[n < COLUMNS.length ? n : random(COLUMNS.length)];
    if (!column) continue;
    if (dice === 0) gone.push(pick());
    else if (dice === 1 && column[0] !== 't_empty') {
      const id = pick();
      changed.set(id, column[0]);
      statements.push(`update every set ${column[0]} = null where id = ${id}`);
    } else if (dice === 2) {
      const [a, b] = [pick(), pick()];
      for (const id of [a, b]) changed.set(id, 't');
      statements.push(
        `update every x set t = y.t from every y where (x.id, y.id) in ((${a}, ${b}), (${b}, ${a}))`,
      );
    } else set(column[0], pick());
  }
  for (const [name, ids] of byColumn) {
    const [, type, , change] = COLUMNS.find((one) => one[0] === name) ?? ['', '', '', ''];
    statements.push(`update every set ${name} = (${change})::${type} where id in (${ids.join(', ')})`);
  }
  if (gone.length > 0) statements.push(`delete from every where id in (${gone.join(', ')})`);
  await db.tamper(statements.join('; '));
  return { changed, gone };
}

it(`finds each of ${DAMAGES} damages and mends it, seed ${SEED}`, async () => {
  for (let id = 1; id <= QUIET; id++) left.add(id);
  await underLoad(async () => {
    expect((await compared()).code).toBe(0);
    const { changed, gone } = await damageEvery();
    const extra = Array.from({ length: Math.ceil(DAMAGES * 0.05) }, (_, n) => -1 - n);
    await db.tamper(extra.map((id) => `insert into every (id) values (${id})`).join('; '));

    // A key of text that sorts otherwise here; NULL against '' in both directions.
    const share = Math.ceil(DAMAGES * 0.1);
    const blank = new Set(Array.from({ length: share }, () => 1 + random(QUIET)));
    await db.tamper(
      `update txt set v = case when v is null then '' end where substr(k, 6)::int in (${[...blank].join(', ')})`,
    );

    // Rows without a key: gone, doubled, changed; in parts of the table that do not meet.
    const third = Math.floor(QUIET / 3);
    await db.tamper(`delete from heap where ctid in (select ctid from heap where a between 0 and ${third - 1} order by md5(ctid::text || '${SEED}') limit ${share});
      insert into heap select * from heap where a between ${third} and ${2 * third - 1} order by md5(a::text || b || '${SEED}') limit ${share};
      update heap set b = b || ' ' where ctid in (select ctid from heap where a between ${2 * third} and ${QUIET} order by md5(ctid::text || '${SEED}') limit ${share})`);

    const { code, tables } = await compared();
    expect(code).toBe(1);
    const every = tables.get('every');
    const ids = (kind: string): number[] =>
      (every?.rows ?? [])
        .filter((row) => row.kind === kind)
        .map((row) => Number(row.row.id))
        .sort((a, b) => a - b);
    const sorted = (list: Iterable<number>): number[] => [...list].sort((a, b) => a - b);
    expect(ids('missing')).toEqual(sorted(gone));
    expect(ids('extra')).toEqual(sorted(extra));
    expect(ids('different')).toEqual(sorted(changed.keys()));
    for (const row of every?.rows ?? [])
      if (row.kind === 'different')
        expect([row.row.id, row.columns]).toEqual([row.row.id, [changed.get(Number(row.row.id))]]);
    expect(tables.get('txt')).toMatchObject({ missing: 0, extra: 0, different: blank.size });
    expect(
      (tables.get('txt')?.rows ?? []).map((row) => Number(row.row.k?.slice(5))).sort((a, b) => a - b),
    ).toEqual(sorted(blank));
    expect(tables.get('heap')).toMatchObject({ missing: share * 2, extra: share * 2, different: 0 });

    const before = await versions();
    const repaired = await db.kaja('repair', '--apply', '--delete-extra');
    expect([repaired.code, repaired.err.match(/still differ.*|ERROR.*/g)]).toEqual([0, null]);
    const after = await versions();
    const touched = [...after].filter(([row, v]) => before.get(row) !== v).map(([row]) => row);
    const wanted = [
      ...[...changed.keys(), ...gone].map((id) => `every ${id}`),
      ...[...blank].map((n) => `txt ${n % 7}Käse ${n}`),
    ];
    expect(touched.sort()).toEqual(wanted.sort());
    expect((await compared()).code).toBe(0);

    // Other digits of the same number: equal, unless texts are compared.
    const scaled = new Set(Array.from({ length: share }, () => 1 + random(QUIET)));
    await db.tamper(`update every set n = n * 1.00 where id in (${[...scaled].join(', ')})`);
    expect((await compared('every')).code).toBe(0);
    const exact = (await compared('every', '--exact')).tables.get('every');
    expect(exact?.rows.map((row) => [Number(row.row.id), row.columns])).toEqual(
      expect.arrayContaining([...scaled].map((id) => [id, ['n']])),
    );
    expect(exact).toMatchObject({ missing: 0, extra: 0, different: scaled.size });
  });
  await db.pair.settled();
}, 600_000);
