/** The table commands for a database owner who is not superuser and cannot create roles. */
import { expect, it } from 'vitest';
import { createPair } from '../support/node-pair.ts';

it.each([
  ['oldest to newest', 0, -1],
  ['newest to oldest', -1, 0],
])('adds, copies, resyncs and removes as an ordinary owner: %s', async (_, rootServer, leafServer) => {
  const pair = await createPair({ rootServer, leafServer, owner: 'kaja_owner' });
  try {
    await pair.root.sql(
      `create table public.t (id serial primary key, v text); insert into public.t (v) select 'a' from generate_series(1, 10)`,
    );
    for (const run of [
      () => pair.onRoot('add-table', '--all'),
      () => pair.onRoot('add-seq', '--all'),
      () => pair.onLeaf('add-table', '--all', '--create-full', '--where', `v <> 'no'`),
      () => pair.onLeaf('add-seq', '--all'),
    ]) {
      const { code, err } = await run();
      expect(code, err).toBe(0);
    }
    pair.startWorker();
    await pair.sync();
    await pair.root.sql(
      `update public.t set v = 'b' where id = 3; insert into public.t (v) values ('no'), ('c')`,
    );
    await pair.sync();
    expect((await pair.onLeaf('resync', 't')).code).toBe(0);
    await pair.sync();
    await pair.stopWorker();
    const rows = await pair.leaf.sql(
      `select count(*)::int as n, count(*) filter (where v = 'b')::int as b from public.t`,
    );
    expect(rows).toEqual([{ n: 11, b: 1 }]);
    for (const run of [
      () => pair.onLeaf('remove-seq', '--all'),
      () => pair.onLeaf('remove-table', '--all'),
      () => pair.onRoot('remove-table', '--all'),
    ]) {
      const { code, err } = await run();
      expect(code, err).toBe(0);
    }
  } finally {
    await pair.drop();
  }
});

it('says in one line that a table belongs to somebody else', async () => {
  const pair = await createPair({ owner: 'kaja_owner' });
  try {
    const admin = await pair.root.connect();
    await admin.query('create table public.foreign_t (id int primary key)');
    const { code, err } = await pair.onRoot('add-table', 'foreign_t');
    expect(code).toBe(5);
    expect(err).toMatch(/must be owner of|permission denied for table foreign_t/);
    expect(err.trim().split('\n')).toHaveLength(1);
  } finally {
    await pair.drop();
  }
});
