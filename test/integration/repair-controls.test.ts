/** repair under control: what it may delete, how much it may change, and what it leaves in the log. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ComparePair, comparePair } from '../support/compare-fixture.ts';
import { eventually } from '../support/eventually.ts';

let db: ComparePair;

beforeAll(async () => {
  db = await comparePair();
  const { root, leaf, pair } = db;
  await root.sql(`create table acc (id int primary key, n int, t text);
    insert into acc select g, g, 'it''s "' || g from generate_series(1, 1000) g`);
  await leaf.sql('create table acc (id int primary key, n int, t text)');
  await pair.addTable('acc');
  await pair.settled();
});
afterAll(async () => {
  await db?.drop();
});

const versions = async (): Promise<Map<number, string>> =>
  new Map((await db.leaf.sql('select id, xmin::text as v from acc')).map((row) => [row.id, row.v]));

it('keeps rows that are only here unless told to delete them', async () => {
  await db.tamper(
    'insert into acc values (-1, 1, null); update acc set n = 0 where id = 3; delete from acc where id = 4',
  );
  const kept = await db.kaja('repair', '--apply', 'acc');
  expect(kept.code).toBe(1);
  expect(kept.err).toContain('missed: 1 inserts, 1 updates, 0 deletes');
  expect(kept.err).toContain('1 rows still differ; rows that are only here go with --delete-extra');
  expect(await db.leaf.sql('select id from acc where id < 1')).toEqual([{ id: -1 }]);
  const gone = await db.kaja('repair', '--apply', '--delete-extra', 'acc');
  expect(gone).toMatchObject({ code: 0 });
  await db.pair.expectEqual('acc');
});

it('logs every changed row with old and new values, for the owner only', async () => {
  const log = await db.leaf.sql(
    `select action, old_row, new_row, run_id is not null as run from kaja.repair_log where dest_table = 'public.acc' order by action, log_id`,
  );
  expect(log).toEqual([
    { action: 'delete', old_row: { id: '-1', n: '1', t: null }, new_row: null, run: true },
    { action: 'insert', old_row: null, new_row: { id: '4', n: '4', t: `it's "4` }, run: true },
    {
      action: 'update',
      old_row: { id: '3', n: '0', t: `it's "3` },
      new_row: { id: '3', n: '3', t: `it's "3` },
      run: true,
    },
  ]);
  const rights = await db.leaf.sql(
    `select relacl::text as acl from pg_class where oid = 'kaja.repair_log'::regclass`,
  );
  expect(rights).toEqual([{ acl: null }]);
  const [run] = JSON.parse((await db.kaja('compare-history', '--json', '--last', '1')).out);
  expect(run).toMatchObject({ kind: 'repair', result: 'repaired' });
});

it('changes many rows batch by batch and no other row', async () => {
  await db.tamper('update acc set n = -n where id % 2 = 0');
  const before = await versions();
  const { code, err } = await db.kaja('repair', '--apply', '--batch-rows', '200', 'acc', '-v');
  expect(code).toBe(0);
  expect(err).toContain('missed: 0 inserts, 500 updates, 0 deletes');
  expect(err.match(/worker stood for/g)).toHaveLength(4);
  const after = await versions();
  const touched = [...after].filter(([id, v]) => before.get(id) !== v).map(([id]) => id);
  expect(touched).toHaveLength(500);
  expect(touched.every((id) => id % 2 === 0)).toBe(true);
  expect(new Set(touched.map((id) => after.get(id))).size).toBe(3);
  await db.pair.expectEqual('acc');
});

it('leaves a table alone when more rows differ than --max-rows', async () => {
  await db.tamper('update acc set n = 0 where id <= 10');
  const before = await versions();
  const refused = await db.kaja('repair', '--apply', '--max-rows', '9', 'acc');
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('public.acc: not repaired: 10 rows differ, more than --max-rows 9');
  expect(await versions()).toEqual(before);
  expect((await db.kaja('repair', '--apply', '--max-rows', '10', 'acc')).code).toBe(0);
  await db.pair.expectEqual('acc');
});

it('refuses a condition that is no condition before anything is begun', async () => {
  const runs = async (): Promise<unknown> =>
    (await db.leaf.sql('select count(*) as n from kaja.compare_run'))[0].n;
  const before = await runs();
  for (const [condition, why] of [
    ['nowhere = 1', 'column "nowhere" does not exist'],
    ['n = ', 'syntax error'],
    ['true) or (true', 'syntax error'],
    ['n', 'must be type boolean'],
  ] as const) {
    const { code, err } = await db.kaja('repair', '--apply', 'acc', '--repair-where', condition);
    expect([code, err.trim().split('\n').length]).toEqual([2, 1]);
    expect(err).toContain(`filter is not SQL: ${condition}`);
    expect(err).toContain(why);
    expect(err).toContain('(table public.acc)');
  }
  expect(await runs()).toBe(before);
});

it('says at once that it waits for a worker that does not run', async () => {
  await db.tamper('update acc set n = 0 where id = 30');
  await db.pair.stopWorker();
  const repaired = db.kaja('repair', '--apply', '--force', 'acc');
  await eventually(db.heard, (text) => text.includes('worker leaf is not running, waiting for it\n'));
  db.pair.startWorker();
  expect(await repaired).toMatchObject({ code: 0 });
  await db.pair.expectEqual('acc');
});

it('does not overwrite what was replicated between compare and repair', async () => {
  const { root, pair } = db;
  await db.tamper('update acc set n = 0 where id in (20, 21)');
  const writer = await root.connect();
  let writing = true;
  const load = (async () => {
    for (let n = 0; writing; n++) await writer.query('update acc set n = $1 where id = 20', [n]);
  })();
  const { code } = await db.kaja('repair', '--apply', 'acc').finally(() => {
    writing = false;
  });
  await load;
  expect(code).toBe(0);
  await pair.settled();
  await pair.expectEqual('acc');
});

it('does not echo into a queue of this node', async () => {
  const events = await db.leaf.sql(`select count(*)::int as n from pgq.event_template`);
  expect(events).toEqual([{ n: 0 }]);
});
