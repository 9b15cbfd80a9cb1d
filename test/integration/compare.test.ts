/** compare: one moment on both sides, every difference found and nothing else. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rowHash } from '../../src/compare/row-sql.ts';
import { readSideColumns } from '../../src/compare/side-columns.ts';
import { openSession } from '../../src/db/session.ts';
import { type ComparePair, comparePair } from '../support/compare-fixture.ts';
import { eventually } from '../support/eventually.ts';

let db: ComparePair;

beforeAll(async () => {
  db = await comparePair();
});
afterAll(async () => {
  await db?.drop();
});

/** Result of `compare --json`. */
async function compared(
  ...words: string[]
): Promise<{ code: number; err: string; tables: Record<string, unknown>[] }> {
  const { code, out, err } = await db.kaja('compare', '--json', ...words);
  if (!out.startsWith('{')) throw new Error(`no JSON, exit code ${code}: ${err}`);
  return { code, err, tables: JSON.parse(out).tables };
}

describe('equal tables', () => {
  it('are equal while writers write, and no writer waits', async () => {
    const { root, leaf, pair } = db;
    await root.sql(`create table busy (id int primary key, n int not null, note text);
      insert into busy select n, 0, 'row ' || n from generate_series(1, 3000) n`);
    await leaf.sql('create table busy (note text, n int not null, id int primary key)');
    await pair.addTable('busy');
    await pair.settled();
    const writer = await root.connect();
    await writer.query(`set lock_timeout = '500ms'`);
    let writing = true;
    let writes = 0;
    let slowest = 0;
    const load = (async () => {
      while (writing) {
        const started = Date.now();
        await writer.query('update busy set n = n + 1 where id % 10 = $1', [writes % 10]);
        slowest = Math.max(slowest, Date.now() - started);
        writes++;
      }
    })();
    try {
      for (let round = 0; round < 3; round++) {
        const before = writes;
        const { code, err } = await db.kaja('compare', 'busy', '-v');
        expect({ code, err }).toMatchObject({ code: 0 });
        expect(err).toContain('Counting public.busy');
        expect(err).toMatch(/srcdb: 3000 rows, checksum=[0-9a-f]{32}/);
        expect(err).toMatch(/dstdb: 3000 rows, checksum=[0-9a-f]{32}/);
        expect(err).toMatch(/worker stood for \d+\.\d\d s/);
        expect(writes).toBeGreaterThan(before);
      }
    } finally {
      writing = false;
      await load;
    }
    expect(slowest).toBeLessThan(3000);
    expect(await leaf.sql('select * from kaja.hold')).toEqual([]);
    await pair.settled();
  });
});

describe('differences', () => {
  it('are found one by one, whatever they are, and nothing else', async () => {
    const { root, leaf, pair } = db;
    const columns =
      'id int primary key, t text, c char(5), n numeric, f float8, at timestamptz, j json, a int[], b bool, i inet';
    await root.sql(`create table one (${columns});
      insert into one select n, 'x', 'ab', n / 7.0, n / 7.0::float8, '2026-01-01 12:00+00', '{"a":  1}', array[1, null, n], n % 2 = 0, '10.0.0.1'
        from generate_series(1, 2000) n`);
    await leaf.sql(`create table one (${columns})`);
    await pair.addTable('one');
    await pair.settled();
    expect((await compared('one')).code).toBe(0);
    const changes: [string, string, number][] = [
      [`update one set t = null where id = 7`, 'different', 7],
      [`update one set t = '' where id = 8`, 'different', 8],
      [`update one set n = 9 / 7.0 + 0.00000000000000000001 where id = 9`, 'different', 9],
      [`update one set f = f + 1e-15 where id = 2`, 'different', 2],
      [`update one set j = '{"a": 1}' where id = 11`, 'different', 11],
      [`update one set a = array[1, null, null]::int[] where id = 12`, 'different', 12],
      [`update one set at = at + '1 microsecond' where id = 13`, 'different', 13],
      [`update one set b = not b where id = 14`, 'different', 14],
      [`update one set i = '10.0.0.1/8' where id = 15`, 'different', 15],
      [`delete from one where id = 2000`, 'missing', 2000],
      [`insert into one (id) values (-1)`, 'extra', -1],
    ];
    for (const [change, kind, id] of changes) {
      const [good] = await root.sql('select quote_literal(o::text) as row from one o where id = $1', [id]);
      await db.tamper(change);
      const { code, tables } = await compared('one');
      expect({ change, code, table: tables[0] }).toMatchObject({
        code: 1,
        table: {
          equal: false,
          missing: kind === 'missing' ? 1 : 0,
          extra: kind === 'extra' ? 1 : 0,
          different: kind === 'different' ? 1 : 0,
          rows: [{ kind, row: { id: String(id) } }],
        },
      });
      await db.tamper(
        `delete from one where id = ${id}${good ? `; insert into one select (${good.row}::one).*` : ''}`,
      );
      expect((await compared('one')).code).toBe(0);
    }
  }, 180_000);

  it('swapped values are seen although the sums of their parts are the same', async () => {
    const { root, leaf, pair } = db;
    await root.sql(
      `create table swap (id int primary key, v text); insert into swap values (1, 'a'), (2, 'b'), (3, 'c')`,
    );
    await leaf.sql('create table swap (id int primary key, v text)');
    await pair.addTable('swap');
    await pair.settled();
    await db.tamper(`update swap set v = case id when 1 then 'b' else 'a' end where id < 3`);
    const { code, out, err } = await db.kaja('compare', 'swap');
    expect({ code, err }).toMatchObject({ code: 1 });
    expect(err).toContain('public.swap: Results do not match!');
    expect(err).toContain('2 rows differ');
    expect(out).toBe('public.swap: different in v: id=1\npublic.swap: different in v: id=2\n');
    expect((await db.kaja('compare', 'swap', '--count-only')).code).toBe(0);
    expect((await db.kaja('compare', 'swap', '--show', '1')).out).toBe('public.swap: different in v: id=1\n');
  });

  it('without a key rows count as often as they are there', async () => {
    const { root, leaf, pair } = db;
    await root.sql(
      `create table bag (a text, b int); insert into bag values ('x', 1), ('x', 1), ('y', null), (null, null)`,
    );
    await leaf.sql('create table bag (b int, a text)');
    await pair.addTable('bag', { style: 'whole_row' });
    await pair.settled();
    expect((await compared('bag')).code).toBe(0);
    await db.tamper(
      `delete from bag where ctid = (select min(ctid) from bag where a = 'x'); insert into bag values (null, 'y')`,
    );
    const { code, tables } = await compared('bag');
    expect(code).toBe(1);
    expect(tables[0]).toMatchObject({ missing: 1, extra: 1, different: 0 });
    expect(tables[0]?.rows).toMatchObject([
      { kind: 'missing', row: { a: 'x', b: '1' } },
      { kind: 'extra', row: { a: 'y', b: null } },
    ]);
  });
});

describe('what takes part', () => {
  it('follows filters, other names, other column orders, skipped and generated columns and hostile names', async () => {
    const { root, leaf, pair } = db;
    await root.sql(`create schema "we ird"; create table "we ird"."T'a""b.l" ("I d" int primary key, "va'l" text, secret text, "sum" int generated always as (length("va'l")) stored);
      insert into "we ird"."T'a""b.l" values (1, 'keep', 's'), (2, 'dropped', 's'), (3, 'keep', null)`);
    await leaf.sql(
      `create schema other; create table other."d%e""s't" (own int default 5, "value" text, "sum" int generated always as (length("value")) stored, "key" int primary key)`,
    );
    const name = `we ird.T'a"b.l`;
    const dest = `other.d%e"s't`;
    await pair.stopWorker();
    await pair.addTable(name, { dest, attrs: `where=${encodeURIComponent(`"sum" = 4`)}` });
    const attnum = async (column: string): Promise<number> =>
      (
        await leaf.sql('select attnum from pg_attribute where attrelid = to_regclass($1) and attname = $2', [
          `other."d%e""s't"`,
          column,
        ])
      )[0].attnum;
    await leaf.sql('delete from kaja.column_map where table_name = $1', [name]);
    await leaf.sql(
      `insert into kaja.column_map values ($1, $2, 1, 'I d', $3, 1), ($1, $2, 2, 'va''l', $4, null), ($1, $2, 3, 'secret', null, null), ($1, $2, 4, 'sum', $5, null)`,
      [pair.queue, name, await attnum('key'), await attnum('value'), await attnum('sum')],
    );
    pair.startWorker();
    await pair.settled();
    expect(await leaf.sql(`select "key", "value", "sum" from other."d%e""s't" order by 1`)).toEqual([
      { key: 1, value: 'keep', sum: 4 },
      { key: 3, value: 'keep', sum: 4 },
    ]);
    const same = await compared(name);
    expect(same).toMatchObject({ code: 0, tables: [{ source_rows: 2, dest_rows: 2, dest_table: dest }] });
    expect(same.err).toContain('Ignoring some columns: own');
    // A row of this node that is not the provider's to give.
    await db.tamper(`insert into other."d%e""s't" ("key", "value") values (9, 'own row')`);
    expect((await compared(name)).code).toBe(0);
    await db.tamper(`update other."d%e""s't" set "value" = 'keep', own = 6 where "key" = 9`);
    expect(await compared(name)).toMatchObject({ code: 1, tables: [{ extra: 1, missing: 0, different: 0 }] });
    await db.tamper(`delete from other."d%e""s't" where "key" = 9`);
    expect((await compared('we ird.*')).code).toBe(0);
  });

  it('reads partitions as one table and leaves inheritance children out', async () => {
    const { root, leaf, pair } = db;
    await root.sql(`create table parts (id int primary key, v text) partition by range (id);
      create table parts_1 partition of parts for values from (0) to (100); create table parts_2 partition of parts default;
      insert into parts select n, 'v' from generate_series(1, 200) n;
      create table inh (id int primary key); create table inh_child () inherits (inh); insert into inh values (1); insert into inh_child values (2)`);
    await leaf.sql(`create table parts (id int primary key, v text);
      create table inh (id int primary key); create table inh_child () inherits (inh); insert into inh_child values (3)`);
    await pair.addTable('parts');
    await pair.addTable('inh');
    await pair.settled();
    const { code, tables } = await compared('parts', 'inh');
    expect(code).toBe(0);
    expect(tables.map((table) => table.source_rows)).toEqual([200, 1]);
  });

  it('honours compare_sql and compare_fmt', async () => {
    const { code, err } = await db.kaja(
      'compare',
      'swap',
      '--set',
      'compare_sql=select max(id) as top, max(_COLS_::text) as m from _TABLE_',
      '--set',
      'compare_fmt=top %%(top)d',
    );
    expect(code).toBe(0);
    expect(err).toContain('srcdb: top 3');
  });
});

describe('exit code 2', () => {
  it('when nothing can be compared, with a line for each reason', async () => {
    const { leaf } = db;
    const unknown = await db.kaja('compare', 'nothing.like_it');
    expect(unknown).toMatchObject({ code: 2 });
    expect(unknown.err).toContain('Table not subscribed: nothing.like_it');
    await leaf.sql(
      `update londiste.table_info set merge_state = 'wanna-sync:999999999' where table_name = 'public.swap'`,
    );
    const waiting = await db.kaja('compare', 'swap');
    await leaf.sql(`update londiste.table_info set merge_state = 'ok' where table_name = 'public.swap'`);
    expect(waiting).toMatchObject({ code: 2 });
    expect(waiting.err).toContain('Table public.swap not synced yet, no point');
  });

  it('when the worker does not run; --force compares anyway', async () => {
    const { leaf, pair } = db;
    await pair.stopWorker();
    const result = await db.kaja('compare', 'busy', '--wait', '0.3');
    expect(result).toMatchObject({ code: 2 });
    expect(result.err).toMatch(/^.*worker leaf is not running; start it.*$/m);
    expect(await leaf.sql('select * from kaja.hold')).toEqual([]);
    const forced = await db.kaja('compare', 'busy', '--wait', '0.3', '--force', '--json');
    expect(forced.code).toBe(0);
    expect(forced.err).toContain('differences may be lag');
    expect(JSON.parse(forced.out)).toMatchObject({ exact: false });
    pair.startWorker();
  });

  it('while the worker is paused', async () => {
    const { leaf } = db;
    await leaf.sql('update pgq_node.local_state set paused = true');
    const result = await db.kaja('compare', 'busy');
    await leaf.sql('update pgq_node.local_state set paused = false');
    expect(result).toMatchObject({ code: 2 });
    expect(result.err).toContain('worker of node leaf is paused');
  });

  it('on the root', async () => {
    const { root } = db;
    const result = await db.kaja('compare', '--set', `db=${root.url}`);
    expect(result).toMatchObject({ code: 2 });
    expect(result.err).toContain('root is the root');
  });
});

describe('the hold', () => {
  const main = join(import.meta.dirname, '../../src/main.ts');
  const start = (words: string[], env: Record<string, string> = {}): ChildProcess =>
    spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, db.ini, ...words], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
  const holds = (): Promise<{ tick_id: string; left: number }[]> =>
    db.leaf.sql(
      `select tick_id, extract(epoch from expires_at - clock_timestamp())::float8 as left from kaja.hold`,
    );

  it('of a comparer that was killed ends with its session, and the worker goes on', async () => {
    const { root, pair } = db;
    const child = start(['compare', 'busy'], { KAJA_FAILPOINT: 'hold-reached' });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    const [hold] = await holds();
    expect(hold?.left).toBeGreaterThan(30);
    await root.sql('update busy set n = n + 1');
    await pair.settled();
    expect((await db.kaja('compare', 'busy')).code).toBe(0);
    expect(await holds()).toEqual([]);
  });

  it('expires where its session hangs about, and the worker goes on', async () => {
    const { root, leaf, pair } = db;
    const child = start(['compare', 'busy'], { KAJA_FAILPOINT: 'hold-reached' });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    await leaf.sql(
      'update kaja.hold set backend_pid = pg_backend_pid(), tick_id = (select last_tick_id from pgq_node.local_state)',
    );
    const [hold] = await holds();
    expect(hold?.left).toBeLessThanOrEqual(60);
    const [{ tick }] = await leaf.sql('select last_tick_id as tick from pgq_node.local_state');
    expect(tick).toBe(hold?.tick_id);
    await root.sql('update busy set n = n + 1');
    // A second comparer is held by the dead one's hold too: it says so instead of comparing at another tick.
    const second = await db.kaja('compare', 'busy', '--wait', '0.5');
    expect(second).toMatchObject({ code: 2 });
    expect(second.err).toMatch(/worker leaf is lagging: stands at tick \d+, wanted is \d+/);
    expect((await leaf.sql('select last_tick_id as tick from pgq_node.local_state'))[0].tick).toBe(tick);
    await leaf.sql(`update kaja.hold set expires_at = clock_timestamp() + interval '0.2 seconds'`);
    await pair.settled();
    expect((await db.kaja('compare', 'busy')).code).toBe(0);
    expect(await holds()).toEqual([]);
  }, 180_000);

  it('is removed when the comparer is interrupted', async () => {
    await db.pair.stopWorker();
    const child = start(['compare', 'busy', '--wait', '60']);
    await eventually(async () => (await holds()).length === 1, undefined, { timeoutMs: 60_000 });
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([130, null]);
    expect(await holds()).toEqual([]);
    db.pair.startWorker();
  });

  it('ends by itself for a worker that idles', async () => {
    const { root, leaf, pair } = db;
    await leaf.sql(
      `insert into kaja.hold (queue_name, tick_id, expires_at) values ($1, 0, clock_timestamp() + interval '1 second')`,
      [pair.queue],
    );
    await root.sql('update busy set n = n + 1');
    await pair.settled();
    expect((await compared('busy')).code).toBe(0);
    expect(await holds()).toEqual([]);
  });
});

it('big tables are read in ranges, and one row in 200,000 is found', async () => {
  const { root, leaf, pair } = db;
  const columns = 'id bigint primary key, pad text, n int';
  await root.sql(
    `create table big (${columns}); insert into big select g, repeat('x', 180), g from generate_series(1, 200000) g`,
  );
  await leaf.sql(`create table big (${columns})`);
  await pair.addTable('big');
  await pair.settled(60_000);
  await db.tamper(`update big set n = 0 where id = 123456; delete from big where id = 5`);
  const { code, tables } = await compared('big');
  expect(code).toBe(1);
  expect(tables[0]).toMatchObject({
    missing: 1,
    different: 1,
    extra: 0,
    source_rows: 200000,
    dest_rows: 199999,
  });
  expect(tables[0]?.rows).toMatchObject([
    { kind: 'different', row: { id: '123456' } },
    { kind: 'missing', row: { id: '5' } },
  ]);
});

describe('the hash of a row', () => {
  it('is the same in another encoding', async () => {
    const admin = await db.leaf.connect();
    const name = `${db.leaf.name}_latin1`;
    await admin.query(`create database "${name}" encoding 'LATIN1' locale 'C' template template0`);
    const url = new URL(db.leaf.url);
    url.pathname = `/${name}`;
    const hashes: string[] = [];
    for (const location of [db.leaf.url, url.href]) {
      await using session = await openSession(location, { purpose: 'read' });
      await session.query(
        `create table public.enc (id int, t text); insert into public.enc values (1, 'é "ß" \u00a0')`,
      );
      const columns = await readSideColumns(session, 'public.enc');
      const side = {
        name: 'public.enc',
        from: 'public.enc',
        columns,
        keys: [],
        filter: null,
        tableFilter: null,
        toUtf8: true,
        portable: false,
      };
      hashes.push(String(await session.value(`select ${rowHash(side)} from public.enc t`)));
    }
    await admin.query(`drop database "${name}" with (force)`);
    expect(hashes[0]).toBe(hashes[1]);
  });
});
