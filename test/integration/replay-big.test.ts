/** Batches that do not travel with the answer of the provider: streamed in pieces, or staged when something wants that. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type Replication, replicate } from '../support/replication.ts';

describe('big batches', () => {
  let root: TestDatabase;
  let leaf: TestDatabase;
  let pair: Replication;

  beforeAll(async () => {
    root = await createDatabase({ server: 0 });
    leaf = await createDatabase({ server: -1 });
    pair = await replicate(root, leaf);
    for (const db of [root, leaf])
      await db.sql(
        `create table a (id int primary key, v text, x int unique ${db === root ? 'deferrable' : ''}); create table b (id bigint primary key, v text); create table w (id int, v text)`,
      );
    await pair.addTable('a');
    await pair.addTable('b');
    await pair.addTable('w', { style: 'whole_row' });
    pair.startWorker();
    await pair.settled();
  });
  afterAll(async () => {
    await pair?.stop();
    await root?.drop();
    await leaf?.drop();
  });

  const how = (): string[] =>
    pair.log.flatMap((line) => /^\{count: \d{4,}.*tick: \d+, ([a-z ]+)/.exec(line)?.[1] ?? []);
  const equal = async (...tables: string[]): Promise<void> => {
    await pair.settled(45_000);
    for (const table of tables) await pair.expectEqual(table);
    const wrong = await leaf.sql(
      'select * from kaja.table_stats where update_missing + delete_missing + insert_found > 0',
    );
    expect(wrong).toEqual([]);
  };

  it('are right with keys that are met in several pieces, also when a row shape is new here', async () => {
    await root.sql(
      `begin; insert into a select g, 'row ' || g, g from generate_series(1, 15000) g; insert into b select g, repeat('x', 500) from generate_series(1, 6000) g;
       update a set v = v || '.' where id % 2 = 0; delete from a where id % 10 = 3; insert into a select g, 'again', g from generate_series(3, 15000, 20) g;
       update a set id = -id where id % 1000 = 1; update b set v = v || id where id < 3000; delete from b where id > 5000; commit`,
    );
    await equal('a', 'b');
  });

  it('go straight into the tables in pieces, also rows of some size', async () => {
    await root.sql(
      `begin; insert into b select g, repeat(md5(g::text), 9000) from generate_series(10001, 10020) g; update b set v = v || 'y' where id > 10000; update a set v = 'z'; commit`,
    );
    await equal('a', 'b');
    expect(how().at(-1)).toBe('in pieces');
  });

  it.each([
    ['values pass among rows', `update a set x = x + 1`],
    ['a table has no key', `insert into w select g, 'w' from generate_series(1, 10) g`],
    ['a table is emptied', `truncate b; insert into b values (1, 'new')`],
    [
      'a column is new',
      `alter table b add n int; insert into b select g, 'n', g from generate_series(20000, 20010) g`,
    ],
  ])('are staged when %s', async (_what, change) => {
    if (change.startsWith('alter')) await leaf.sql('alter table b add n int');
    await root.sql(`begin; update a set v = v || '!'; ${change}; update a set v = v || '?'; commit`);
    await equal('a', 'b', 'w');
    expect(how().at(-1)).toBe('staged');
  });
});
