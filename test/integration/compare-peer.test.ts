/** compare with another node than the root: both workers stand at the same tick. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { type NodeSet, nodeSet, QUEUE } from '../support/node-set.ts';

let set: NodeSet;
let root: TestDatabase;
let one: TestDatabase;
let ini: string;
let ticking = true;
let ticks: Promise<void>;

beforeAll(async () => {
  set = nodeSet();
  root = await set.database();
  await set.root(root, 'root');
  one = await set.database(-1);
  const two = await set.database();
  await set.leaf(one, 'one', root);
  await set.leaf(two, 'two', root);
  const ticker = await root.connect();
  ticks = (async () => {
    while (ticking) {
      await ticker.query('select * from kaja.poll_ticks()');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  ini = set.ini(one, 'one_w');
  const other = set.ini(two, 'two_w');
  set.startWorker(ini);
  set.startWorker(other);
  await root.sql(
    'create table t (id int primary key, n int); insert into t select g, g from generate_series(1, 500) g',
  );
  const rootIni = set.ini(root, 'root_w');
  for (const words of [
    [rootIni, 'add-table', 't'],
    [ini, 'add-table', 't', '--create'],
    [other, 'add-table', 't', '--create'],
  ]) {
    const { code, err } = await set.kaja(...words);
    expect({ code, err }).toMatchObject({ code: 0 });
  }
  for (const db of [one, two])
    await eventually(
      async () => (await db.sql('select merge_state as state from londiste.table_info'))[0]?.state,
      (state) => state === 'ok',
      { timeoutMs: 60_000 },
    );
}, 180_000);
afterAll(async () => {
  ticking = false;
  await ticks;
  await set.end();
});

it('finds what differs between two leaves while the root is written to', async () => {
  const writer = await root.connect();
  let writing = true;
  const load = (async () => {
    for (let n = 0; writing; n++) await writer.query('update t set n = n + 1 where id % 5 = $1', [n % 5]);
  })();
  try {
    const equal = await set.kaja(ini, 'compare', 't', '--source', 'two', '--wait', '60');
    expect({ code: equal.code, err: equal.err }).toMatchObject({ code: 0 });
    expect(equal.err).toContain('Using node two as provider');
    await one.sql(
      'set session_replication_role = replica; insert into t values (1000, 1); reset session_replication_role',
    );
    const different = await set.kaja(ini, 'compare', 't', '--source', 'two', '--wait', '60', '--json');
    expect(JSON.parse(different.out).tables).toMatchObject([
      { missing: 0, extra: 1, different: 0, rows: [{ kind: 'extra', row: { id: '1000' } }] },
    ]);
  } finally {
    writing = false;
    await load;
  }
  expect(await one.sql('select * from kaja.hold where queue_name = $1', [QUEUE])).toEqual([]);
}, 120_000);

it('refuses itself, and nodes that are not there', async () => {
  expect((await set.kaja(ini, 'compare', 't', '--source', 'one')).err).toContain('one is this node');
  expect(await set.kaja(ini, 'compare', 't', '--source', 'three')).toMatchObject({ code: 2 });
});
