/** remove-table, resync, tables, missing, wait-sync and the sequence commands. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { createPair, type NodePair } from '../support/node-pair.ts';

let pair: NodePair;
let counter = 0;
/** A table of its own for each test. */
let table = '';

beforeAll(async () => {
  pair = await createPair();
});
afterAll(async () => {
  await pair.drop();
});
beforeEach(() => {
  table = `t${++counter}`;
});

const ok = async (
  run: Promise<{ code: number; err: string; out: string }>,
): Promise<{ err: string; out: string }> => {
  const result = await run;
  expect(result.code, result.err).toBe(0);
  return result;
};
const refused = async (
  run: Promise<{ code: number; err: string }>,
  code: number,
  text: RegExp,
): Promise<void> => {
  const result = await run;
  expect(result.err).toMatch(text);
  expect(result.code).toBe(code);
};

async function replicated(rows: number, ...options: string[]): Promise<void> {
  const definition = `create table public.${table} (id int primary key, v text)`;
  await pair.root.sql(
    `${definition}; insert into public.${table} select n, 'v' from generate_series(1, ${rows}) n`,
  );
  await pair.leaf.sql(definition);
  await ok(pair.onRoot('add-table', table));
  await ok(pair.onLeaf('add-table', table, ...options));
}

const countHere = async (): Promise<number> =>
  (await pair.leaf.sql(`select count(*)::int as n from public.${table}`))[0].n;

describe('remove-table', () => {
  it('leaves nothing behind but the rows', async () => {
    await replicated(3);
    pair.startWorker();
    await pair.sync();
    await pair.stopWorker();
    await pair.root.sql(`select pgq.register_consumer($1, $2)`, [
      pair.queue,
      `leaf_job.copy.public.${table}`,
    ]);
    const { err } = await ok(pair.onLeaf('remove-table', table));
    expect(err).toContain(`Table removed: public.${table}`);
    expect(err).toContain(`Unregistering consumer leaf_job.copy.public.${table}`);
    expect(
      await pair.root.sql(`select 1 from pgq.get_consumer_info($1) where consumer_name like '%.copy.%'`, [
        pair.queue,
      ]),
    ).toEqual([]);
    for (const name of ['column_map', 'table_copy', 'table_stats']) {
      expect(
        await pair.leaf.sql(`select 1 from kaja.${name} where table_name = $1`, [`public.${table}`]),
      ).toEqual([]);
    }
    await pair.leaf.sql(`insert into public.${table} values (100, 'mine')`);
    expect(await countHere()).toBe(4);
    expect((await ok(pair.onLeaf('remove-table', table))).err).toContain('already processed');
    await refused(pair.onLeaf('remove-table', 'nothing'), 2, /not available: public\.nothing/);
  });

  it('removes all or nothing', async () => {
    await replicated(1);
    await refused(pair.onLeaf('remove-table', table, 'nothing', '--force'), 5, /public\.nothing/);
    expect(
      await pair.leaf.sql('select local from londiste.table_info where table_name = $1', [`public.${table}`]),
    ).toEqual([{ local: true }]);
    await ok(pair.onLeaf('remove-table', '--all'));
  });
});

describe('resync', () => {
  it('copies again, with the columns as they are now', async () => {
    await replicated(5);
    pair.startWorker();
    await pair.sync();
    await pair.leaf.sql(
      `set session_replication_role = replica; delete from public.${table} where id < 3; insert into public.${table} values (77); reset session_replication_role`,
    );
    await pair.leaf.sql(
      `alter table public.${table} rename v to renamed; alter table public.${table} add extra int`,
    );
    await pair.root.sql(`alter table public.${table} add extra int default 9`);
    await ok(pair.onLeaf('resync', table));
    await pair.sync();
    await pair.stopWorker();
    expect(
      await pair.leaf.sql(
        `select min(id) as a, max(id) as b, min(renamed) as r, min(extra) as e from public.${table}`,
      ),
    ).toEqual([{ a: 1, b: 5, r: 'v', e: 9 }]);
    const map = await pair.leaf.sql(
      `select source_name, dest_attnum from kaja.column_map where table_name = $1 order by 1`,
      [`public.${table}`],
    );
    expect(map).toEqual([
      { source_name: 'extra', dest_attnum: 3 },
      { source_name: 'id', dest_attnum: 1 },
      { source_name: 'v', dest_attnum: 2 },
    ]);
  });

  it('keeps left-out columns left out and refuses what does not fit', async () => {
    await replicated(1);
    await ok(pair.onLeaf('remove-table', table));
    await pair.root.sql(`alter table public.${table} add w int`);
    await ok(pair.onLeaf('add-table', table, '--skip-columns', 'w'));
    await ok(pair.onLeaf('resync', table));
    await pair.root.sql(`alter table public.${table} add x int`);
    await refused(pair.onLeaf('resync', table), 5, /lacks columns of public\.t\d+: x;/);
    await refused(pair.onRoot('resync', table), 5, /is the root/);
    await refused(pair.onLeaf('resync', 'nothing'), 2, /not available/);
    await pair.root.sql(`alter table public.${table} drop x`);
  });
});

describe('tables, missing, wait-sync', () => {
  it('shows states, copies, errors and divergence', async () => {
    await replicated(4, '--where', 'id > 1');
    const name = `public.${table}`;
    await pair.leaf.sql(
      `update kaja.table_copy set started_at = clock_timestamp() - interval '10 s', rows_copied = 1000, rows_total = 5000, last_error = 'no luck' where table_name = $1`,
      [name],
    );
    await pair.leaf.sql(`update londiste.table_info set merge_state = 'in-copy' where table_name = $1`, [
      name,
    ]);
    await pair.leaf.sql(
      `insert into kaja.table_stats (queue_name, table_name, update_missing, insert_found) values ($1, $2, 2, 1)`,
      [pair.queue, name],
    );
    const { out } = await ok(pair.onLeaf('tables'));
    expect(out).toMatch(/^Tables on node\ntable_name +merge_state +table_attrs/);
    expect(out).toMatch(
      new RegExp(`${name} +in-copy +where=id > 1 +1000/5000 +(99|100) +2 updates, 1 inserts +no luck\n`),
    );
    const json = JSON.parse((await ok(pair.onLeaf('tables', '--json'))).out);
    expect(json.find((one: { table_name: string }) => one.table_name === name)).toMatchObject({
      merge_state: 'in-copy',
      table_attrs: { where: 'id > 1' },
      style: 'key',
      rows_copied: 1000,
      rows_total: 5000,
      copying: true,
      update_missing: 2,
      last_error: 'no luck',
    });
    expect((await ok(pair.onLeaf('tables', '--names-only'))).out).toContain(`${name}\n`);
    const waited = await pair.onLeaf('wait-sync', '--timeout', '1');
    expect(waited.code).toBe(1);
    expect(waited.err).toContain(`${name}: no luck`);
    expect(waited.err).toMatch(new RegExp(`${name}, \\d+ rows/s, \\d+s left: 20% \\(1000/5000\\)`));
    expect(waited.err).toMatch(new RegExp(`not in sync after 1 s: .*${name} \\(in-copy\\)`));
    await ok(pair.onLeaf('remove-table', '--all'));
  });

  it('lists what is missing', async () => {
    await pair.root.sql(`create table public.${table} (id serial primary key)`);
    const onRoot = (await ok(pair.onRoot('missing'))).out;
    expect(onRoot).toMatch(new RegExp(`r +public\\.${table}\n`));
    expect(onRoot).toMatch(new RegExp(`S +public\\.${table}_id_seq\n`));
    await ok(pair.onRoot('add-table', table));
    await ok(pair.onRoot('add-seq', `${table}_id_seq`));
    expect((await ok(pair.onRoot('missing'))).out).not.toContain(table);
    await ok(pair.onLeaf('add-table', `${table}*`, '--skip-non-existing'));
    expect(JSON.parse((await ok(pair.onLeaf('missing', '--json'))).out)).toContainEqual({
      obj_kind: 'r',
      obj_name: `public.${table}`,
    });
  });

  it('waits for the copies', async () => {
    await replicated(50);
    const waiting = pair.onLeaf('wait-sync');
    pair.startWorker();
    const ticking = eventually(
      async () => {
        await pair.tick();
        return (
          await pair.leaf.sql('select merge_state as s from londiste.table_info where table_name = $1', [
            `public.${table}`,
          ])
        )[0].s;
      },
      (state) => state === 'ok',
    );
    const { err } = await ok(waiting);
    await ticking;
    await pair.stopWorker();
    expect(err).toContain('1/1 table(s) to copy');
    expect(err).toContain(`public.${table}: finished (1/1)`);
    expect(err).toContain('All done');
    expect((await ok(pair.onLeaf('wait-sync'))).err).toContain('0/1 table(s) to copy');
  });
});

describe('sequences', () => {
  it('registers, creates and removes them', async () => {
    await pair.root.sql(`create schema "S q"; create sequence "S q"."Odd""one" increment by 2 maxvalue 900000 cycle; select nextval('"S q"."Odd""one"');
      create table public.${table} (id int generated always as identity primary key, n serial); select nextval('public.${table}_id_seq')`);
    await ok(pair.onRoot('add-seq', 'S q.*', `${table}_*`));
    expect((await ok(pair.onRoot('add-seq', 'S q.Odd"one'))).err).toContain('already processed');
    const { err } = await pair.onLeaf('add-seq', 'S q.*');
    expect(err).toMatch(
      /Sequence S q\.Odd"one info missing from subscriber, adding[\s\S]*Sequence 'S q\.Odd"one' missing on local node; create it, or use --create/,
    );
    expect((await ok(pair.onLeaf('add-seq', '--all', '--skip-non-existing'))).err).toContain(
      'does not exist on local node, skipping',
    );
    await ok(pair.onLeaf('add-seq', '--all', '--create-full'));
    const [row] = await pair.leaf.sql(
      `select nextval('"S q"."Odd""one"')::int as next, s.increment_by::int as by, s.cycle, s.max_value::int as max from pg_sequences s where s.sequencename = 'Odd"one'`,
    );
    expect(row).toEqual({ next: 30003, by: 2, cycle: true, max: 900000 });
    const { out } = await ok(pair.onLeaf('seqs'));
    expect(out).toMatch(new RegExp(`public\\.${table}_id_seq +True +30001\n`));
    expect(out).toMatch(/^Sequences on node\nseq_name +local +last_value/);
    await ok(pair.onLeaf('remove-seq', 'S q.Odd"one'));
    expect((await ok(pair.onLeaf('seqs'))).out).toMatch(/S q\.Odd"one +False/);
    await ok(pair.onRoot('remove-seq', '--all'));
    expect((await ok(pair.onRoot('seqs'))).out).toBe('');
    expect((await ok(pair.onLeaf('add-seq', '--all'))).err).toContain(
      'gone but exists on subscriber, removing',
    );
    await refused(pair.onRoot('add-seq', 'nothing'), 2, /not available: public\.nothing/);
  });
});
