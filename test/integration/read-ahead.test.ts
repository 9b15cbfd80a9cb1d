/** A backlog of big batches: while one is applied the next is read. Nothing that happens in between may lose or repeat an event. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { type Replication, replicate } from '../support/replication.ts';

const BATCHES = 8;

describe('reading ahead', () => {
  let root: TestDatabase;
  let leaf: TestDatabase;
  let pair: Replication;

  beforeAll(async () => {
    // Older planners make the worse plans.
    root = await createDatabase({ server: -1 });
    leaf = await createDatabase({ server: 0 });
    pair = await replicate(root, leaf, { batchMaxEvents: 3000 });
    for (const db of [root, leaf])
      await db.sql(
        'create table a (id int primary key, v text); create table b (id int primary key, v text)',
      );
    await pair.addTable('a');
    await pair.addTable('b');
    pair.startWorker();
    await pair.settled();
  });
  afterAll(async () => {
    await pair?.stop();
    await root?.drop();
    await leaf?.drop();
  });

  let from = 0;
  /** Batches of 4000 events each, with a tick behind each; `between` comes in the middle. */
  const backlog = async (between?: () => Promise<unknown>): Promise<void> => {
    for (let n = 0; n < BATCHES; n++) {
      if (n === BATCHES / 2) await between?.();
      await root.sql(
        `insert into a select g, 'new' from generate_series(${from} + 1, ${from} + 2000) g;
         update a set v = v || g from generate_series(${from} + 1, ${from} + 2000, 2) g where id = g;
         insert into b select g, repeat('b', 40) from generate_series(${from} + 1, ${from} + 1000) g`,
      );
      from += 2000;
      await root.sql('select pgq.force_tick($1)', [pair.queue]);
      await root.sql('select pgq.ticker($1)', [pair.queue]);
    }
  };
  const equal = async (): Promise<void> => {
    await pair.settled(45_000);
    for (const table of ['a', 'b']) await pair.expectEqual(table);
    expect(
      await leaf.sql(
        'select * from kaja.table_stats where update_missing + delete_missing + insert_found > 0',
      ),
    ).toEqual([]);
  };
  const readAhead = (): number => pair.log.filter((line) => line.endsWith('in pieces, read ahead}')).length;
  /** Sessions that read ahead, and what they do. */
  const readers = (): Promise<{ state: string }[]> =>
    root.sql(
      `select state from pg_stat_activity where application_name = 'kaja leaf ahead' and datname = current_database()`,
    ) as Promise<{ state: string }[]>;

  it('happens in a backlog, and ends with it', async () => {
    await pair.stopWorker();
    await backlog();
    pair.startWorker();
    await equal();
    expect(readAhead(), pair.log.join('\n')).toBeGreaterThanOrEqual(BATCHES - 3);
    // A COPY left open would keep the provider's vacuum from removing anything.
    await eventually(readers, (rows) => rows.every((row) => row.state === 'idle'));
  });

  it('is given up where a batch has to end earlier, and bears tables that change', async () => {
    await pair.stopWorker();
    await backlog(async () => {
      await root.sql('create table c (id int primary key); insert into c values (1)');
      await leaf.sql('create table c (id int primary key)');
      await pair.addTable('c');
    });
    const [{ tick }] = await root.sql('select max(tick_id) - 2 as tick from pgq.tick');
    await leaf.sql(
      `insert into kaja.hold (queue_name, tick_id, expires_at) values ($1, $2, now() + interval '1 minute')`,
      [pair.queue, tick],
    );
    pair.startWorker();
    const stands = `select h.reached_at is not null and s.last_tick_id = h.tick_id as exactly from kaja.hold h, pgq_node.local_state s`;
    await eventually(
      async () => (await leaf.sql(stands))[0].exactly,
      (exactly) => exactly === true,
      { timeoutMs: 30_000 },
    );
    expect((await readers()).filter((row) => row.state === 'active')).toEqual([]);
    await leaf.sql('delete from kaja.hold');
    await equal();
    await pair.expectEqual('c');
  });

  it('outlives the end of its sessions', async () => {
    await pair.stopWorker();
    await backlog();
    pair.startWorker();
    const before = readAhead();
    let killed = 0;
    await eventually(
      async () => {
        const [row] = await root.sql(
          `select count(pg_terminate_backend(pid))::int as n from pg_stat_activity where application_name like 'kaja leaf%' and datname = current_database() and state = 'active'`,
        );
        killed += row.n;
        return killed;
      },
      (n) => n > 0,
      { timeoutMs: 10_000 },
    );
    await equal();
    expect(readAhead()).toBeGreaterThan(before);
  });

  it('does not stage a batch because it has many tables', async () => {
    const names = Array.from({ length: 110 }, (_, n) => `many${n}`);
    const make = names.map((name) => `create table ${name} (id int primary key, n int)`).join(';');
    await Promise.all([root.sql(make), leaf.sql(make)]);
    for (const name of names) await pair.addTable(name, { expectSync: true });
    await pair.settled(45_000);
    const staged = (): number => pair.log.filter((line) => line.endsWith('staged}')).length;
    await pair.stopWorker();
    await leaf.sql('delete from kaja.table_stats');
    const before = staged();
    for (let round = 0; round < 2; round++)
      await root.sql(
        names
          .map(
            (name) =>
              `insert into ${name} select g + ${100 * round}, 0 from generate_series(1, 20) g; update ${name} set n = n + 1; delete from ${name} where id % 7 = 0`,
          )
          .join(';'),
      );
    pair.startWorker();
    await equal();
    for (const name of ['many0', 'many55', 'many109']) await pair.expectEqual(name);
    expect(staged()).toBe(before);
    // Rows that come and go in one batch are not counted; where batches end is up to ticks.
    const counters = await leaf.sql(
      `select distinct inserted - deleted as rows, update_missing + delete_missing + insert_found as diverged, count(*) over () as tables from kaja.table_stats`,
    );
    expect(counters).toEqual([{ rows: '35', diverged: '0', tables: String(names.length) }]);
  });

  it('carries news that leave the tables alone out with the rows', async () => {
    const news = (value: number): string =>
      `select pgq.insert_event('${pair.queue}', 'londiste.update-seq', '${value}', 'public.some_seq', null, null, null);
       select pgq.insert_event('${pair.queue}', 'pgq.global-watermark', '1', '${pair.queue}', null, null, null)`;
    const arrived = async (): Promise<unknown> =>
      (await leaf.sql(`select last_value from londiste.seq_info where seq_name = 'public.some_seq'`))[0]
        ?.last_value;
    const from = pair.log.length;
    await root.sql(`insert into a values (-1, 'with news'); ${news(7)}`);
    await equal();
    expect(await arrived()).toBe('7');
    await pair.stopWorker();
    await backlog(() => root.sql(news(8)));
    pair.startWorker();
    await equal();
    expect(await arrived()).toBe('8');
    const how = pair.log.slice(from).filter((line) => line.includes('count:'));
    expect(how.filter((line) => /staged|event order/.test(line))).toEqual([]);
    expect(how.some((line) => line.includes('in pieces'))).toBe(true);
  });

  it('looks keys up, also in a table that was empty when its statement was prepared', async () => {
    // All rows have the same first column of the key: looked up by it alone, a row costs the whole index.
    const make =
      'create table fresh (id int, part int, n int, primary key (part, id)); create index on fresh (n)';
    await Promise.all([root.sql(make), leaf.sql(make)]);
    await pair.addTable('fresh', { expectSync: true });
    await leaf.sql('analyze fresh; alter table fresh set (autovacuum_enabled = off)');
    await pair.settled(45_000);
    // One transaction for each batch, so that the plan would be kept while the table grows.
    await pair.stopWorker();
    await root.sql(
      `do $$ begin
         for i in 1..10000 loop
           insert into fresh values (i, 1, 0);
           update fresh set n = n + 1 where id = greatest(1, i - 50);
         end loop;
       end $$`,
    );
    pair.startWorker();
    await equal();
    const [scans] = await leaf.sql(
      `select pg_sleep(1.5), (select idx_tup_read::int from pg_stat_user_indexes where indexrelname = 'fresh_pkey') as read`,
    );
    // Each row a few times. Reading the whole index with each piece of 2,000 events adds up.
    expect(scans?.read).toBeLessThan(150_000);
  });
});
