/** compare with a real streaming standby of the root: exact while writers write, and a standby that lags is waited for. */
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cluster, startCluster, startStandby } from '../support/cluster.ts';
import { type ComparePair, comparePair } from '../support/compare-fixture.ts';
import { createDatabaseAt } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

let primary: Cluster;
let standby: Cluster;
let db: ComparePair;
let source: string;

beforeAll(async () => {
  primary = await startCluster(14, { wal_level: 'replica', max_wal_senders: '4' });
  standby = await startStandby(primary, { hot_standby: 'on', max_standby_streaming_delay: '-1' });
  const root = await createDatabaseAt(primary.url('postgres'), { prefix: 'sroot' });
  db = await comparePair({}, [], root);
  source = standby.url(root.name);
  await root.sql('create table acc (id int primary key, n int, t text); create table log (n int, t text)');
  await root.sql(`insert into acc select g, g, 'row ' || g from generate_series(1, 2000) g`);
  await db.leaf.sql('create table acc (id int primary key, n int, t text); create table log (n int, t text)');
  await db.pair.addTable('acc');
  await db.pair.addTable('log', { style: 'whole_row' });
  await db.pair.settled();
}, 120_000);
afterAll(async () => {
  await db?.drop();
  await standby?.destroy();
  await primary?.destroy();
});

async function whileWriting<T>(work: () => Promise<T>): Promise<T> {
  let writing = true;
  const write = async (seed: number): Promise<void> => {
    const client = await db.root.connect();
    for (let n = seed; writing; n += 2) {
      await client.query('begin');
      await client.query('update acc set n = n + 1 where id = $1', [1 + (n % 1000)]);
      await client.query('insert into log values ($1, $2)', [n, 'x'.repeat(n % 50)]);
      if (n % 3 === 0) await client.query('savepoint s; delete from log where n < 0');
      await client.query(n % 7 === 0 ? 'rollback' : 'commit');
    }
  };
  // A transaction that is open all the time, with changes that nobody may see.
  const open = await db.root.connect();
  await open.query('begin; update acc set n = -1 where id = 2000');
  const writers = [write(1), write(2)];
  try {
    return await work();
  } finally {
    writing = false;
    await Promise.all(writers);
    await open.query('rollback');
  }
}

it('finds nothing while writers write, and exactly what differs', async () => {
  await whileWriting(async () => {
    for (let round = 0; round < 2; round++) {
      const { code, out, err } = await db.kaja('compare', '--source', source, '--json');
      expect([code, err.match(/differ/g)]).toEqual([0, null]);
      expect(JSON.parse(out)).toMatchObject({ result: 'equal', exact: true });
      expect(err).toContain('Using node root (standby) as provider');
    }
    // The root's own comparison at its ticks agrees: no tick that was made from a standby broke a batch.
    expect((await db.kaja('compare')).code).toBe(0);
    await db.tamper(`update acc set t = 'bad' where id = 1500; delete from acc where id = 1501`);
    const { code, out } = await db.kaja('compare', 'acc', '--source', source, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out).tables).toMatchObject([
      {
        missing: 1,
        extra: 0,
        different: 1,
        rows: [
          { row: { id: '1500' }, columns: ['t'] },
          { kind: 'missing', row: { id: '1501' } },
        ],
      },
    ]);
  });
  expect((await db.kaja('repair', 'acc', '--apply')).code).toBe(0);
  await db.pair.settled();
  await db.pair.expectEqual('acc');
  await db.pair.expectEqual('log');
}, 120_000);

it('waits for a standby that lags, as long as it may', async () => {
  const admin = new pg.Client({ connectionString: standby.url('postgres') });
  admin.on('error', () => {});
  await admin.connect();
  await admin.query('select pg_wal_replay_pause()');
  await eventually(
    async () => (await admin.query('select pg_get_wal_replay_pause_state() as s')).rows[0].s,
    (s) => s === 'paused',
  );
  await db.root.sql('update acc set n = 0 where id = 1');
  const late = await db.kaja('compare', 'acc', '--source', source, '--wait', '1');
  expect([late.code, late.err]).toEqual([2, expect.stringContaining('does not keep up with the root')]);
  const patient = db.kaja('compare', 'acc', '--source', source, '--wait', '30');
  await admin.query('select pg_wal_replay_resume()');
  expect((await patient).code).toBe(0);
  await admin.end();
  // Ticks go on.
  await db.pair.settled();
});

it('refuses on one line what is no standby of the root', async () => {
  for (const [words, why] of [
    [['compare', '--source', db.root.url], 'is no standby'],
    [['repair', '--source', source], 'repair reads rows from the root'],
    [['compare', '--source', source, '--lock'], '--lock is for the root'],
  ] as const) {
    const { code, err } = await db.kaja(...words);
    expect([code, err.trim().split('\n').length]).toEqual([2, 1]);
    expect(err).toContain(why);
  }
});
