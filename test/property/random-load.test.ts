import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { type Replication, replicate } from '../support/replication.ts';

const SEED = Number(process.env.KAJA_SEED ?? Date.now() % 1_000_000);
const SECONDS = Number(process.env.KAJA_LOAD_SECONDS ?? 6);

/** Small keys, so that statements meet each other all the time. */
const id = fc.integer({ min: 1, max: 40 });
const word = fc.constantFrom(
  'a',
  '',
  ' ',
  `o'k`,
  'x"y',
  '\\',
  'é€',
  'null',
  '(1,2)',
  'tab\there',
  'line\nbreak',
);
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** One statement on table `k` (deferrable key, unique column), `k2` (upserts) or `w` (no key) or `p` (partitioned). */
const statement = fc.oneof(
  fc
    .tuple(id, word)
    .map(
      ([n, w]) =>
        `insert into k2 (id, v) values (${n}, ${literal(w)}) on conflict (id) do update set v = excluded.v || k2.id`,
    ),
  fc
    .tuple(id, word)
    .map(
      ([n, w]) =>
        `insert into k (id, v) select ${n}, ${literal(w)} where not exists (select from k where id = ${n})`,
    ),
  fc
    .tuple(id, id)
    .map(([a, b]) => `update k set id = ${a} where id = ${b} and not exists (select from k where id = ${a})`),
  fc
    .tuple(id, id)
    .map(
      ([a, b]) =>
        `update k set id = case id when ${a} then ${b} else ${a} end where id in (${a}, ${b}) and (select count(*) from k where id in (${a}, ${b})) = 2`,
    ),
  fc
    .tuple(id, id)
    .map(([a, b]) => `update k set u = ${a} where id = ${b} and not exists (select from k where u = ${a})`),
  id.map((n) => `update k set v = v || '.' where id > ${n}`),
  id.map((n) => `delete from k where id = ${n}`),
  id.map(
    (n) =>
      `with gone as (delete from k2 where id <= ${n % 5} returning id) insert into k2 (id, v) select id + 1000 + ${n}, 'moved' from gone on conflict do nothing`,
  ),
  fc
    .tuple(id, word)
    .map(([n, w]) => `insert into w values (${n % 4}, ${literal(w)}), (${n % 4}, ${literal(w)})`),
  id.map((n) => `delete from w where ctid = (select min(ctid) from w where a = ${n % 4})`),
  id.map((n) => `update w set a = ${n % 3} where a = ${n % 4}`),
  fc
    .tuple(id, word)
    .map(([n, w]) => `insert into p values (${n}, ${n % 2}, ${literal(w)}) on conflict do nothing`),
  id.map((n) => `update p set part = 1 - part where id = ${n}`),
  id.map((n) => `delete from p where id > ${n}`),
  fc.constant('truncate w'),
);
const transaction = fc.record({
  isolation: fc.constantFrom('read committed', 'read committed', 'repeatable read', 'serializable'),
  statements: fc.array(statement, { minLength: 1, maxLength: 6 }),
  savepoint: fc.boolean(),
  commit: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
});

describe(`random writers (KAJA_SEED=${SEED})`, () => {
  let root: TestDatabase;
  let leaf: TestDatabase;
  let pair: Replication;

  beforeAll(async () => {
    root = await createDatabase({ server: 0 });
    leaf = await createDatabase({ server: -1 });
    for (const db of [root, leaf]) {
      await db.sql(`create table k (id int primary key deferrable, v text, u int unique); create table k2 (id int primary key, v text); create table w (a int, b text);
        create table p (id int, part int, v text, primary key (id, part)) partition by list (part);
        create table p_0 partition of p for values in (0); create table p_1 (v text, part int not null, id int not null)`);
      await db.sql(
        db === root
          ? 'alter table p attach partition p_1 for values in (1)'
          : 'drop table p_1; create table p_1 partition of p default',
      );
    }
    pair = await replicate(root, leaf, { batchMaxEvents: 200 });
  });
  afterAll(async () => {
    await pair?.stop();
    await root?.drop();
    await leaf?.drop();
  });

  it('leaves both sides equal whatever is written, while tables are copied and workers restart', async () => {
    const until = Date.now() + SECONDS * 1000;
    let written = 0;
    const writers = Array.from({ length: 4 }, async (_, n) => {
      const session = await root.connect();
      await session.query(`set deadlock_timeout = '50ms'`);
      const stream = fc.sample(transaction, { seed: SEED + n, numRuns: 3000 });
      for (const one of stream) {
        if (Date.now() > until) break;
        try {
          await session.query(`begin isolation level ${one.isolation}`);
          for (const [i, text] of one.statements.entries()) {
            if (one.savepoint && i === 1) await session.query('savepoint s');
            await session.query(text).catch(async (error: { code?: string }) => {
              // Unique conflicts and serialization failures are the writers' business.
              if (!/^(23505|40001|40P01|25P02)$/.test(error.code ?? '')) throw error;
              throw new Error('lost');
            });
          }
          if (one.savepoint && one.statements.length > 2) await session.query('rollback to savepoint s');
          await session.query(one.commit ? 'commit' : 'rollback');
          if (one.commit) written++;
        } catch (error) {
          await session.query('rollback');
          if ((error as Error).message !== 'lost' && (error as { code?: string }).code !== '40001')
            throw error;
        }
      }
    });
    const restarts = (async () => {
      for (let n = 0; Date.now() < until; n++) {
        pair.startWorker();
        if (n === 0) {
          await pair.addTable('k', { key: ['id'] });
          await pair.addTable('k2');
          await pair.addTable('w', { style: 'whole_row' });
          await pair.addTable('p');
        }
        await new Promise((resolve) => setTimeout(resolve, 700));
        await pair.stopWorker();
      }
      pair.startWorker();
    })();
    await Promise.all([...writers, restarts]);
    await pair.settled(60_000);
    expect(written).toBeGreaterThan(50);
    for (const table of ['k', 'k2', 'w', 'p']) await pair.expectEqual(table);
    // Not `w`: TRUNCATE is not MVCC-safe, a copy that reads after one sees an empty table and its deletes find no row.
    const stats = await leaf.sql(
      "select table_name, update_missing, delete_missing, insert_found from kaja.table_stats where table_name <> 'public.w' and update_missing + delete_missing + insert_found > 0",
    );
    expect(stats).toEqual([]);
  }, 120_000);
});
