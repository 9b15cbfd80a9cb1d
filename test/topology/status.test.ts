/** What `status` and its relatives find out: lag, copies, divergence, errors, nodes that do not answer. */
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { formatStatus } from '../../src/cascade/format-status.ts';
import { type MemberReport, readLocalReport, readSetReport } from '../../src/cascade/set-report.ts';
import { Session } from '../../src/db/session.ts';
import type { TestDatabase } from '../support/database.ts';
import { nodeSet, QUEUE } from '../support/node-set.ts';

const set = nodeSet();
let root: TestDatabase;
let leaf: TestDatabase;
let lazy: TestDatabase;

beforeAll(async () => {
  root = await set.database();
  leaf = await set.database(-1);
  lazy = await set.database();
  await set.root(root, 'r');
  await set.leaf(leaf, 'l', root);
  await set.leaf(lazy, 'z', root);
});
afterAll(() => set.end());

const read = () => readSetReport(set.settings(root, 'r_w'));
const member = (members: readonly MemberReport[], name: string): MemberReport => {
  const found = members.find((one) => one.name === name);
  if (!found) throw new Error(`no member ${name}`);
  return found;
};

describe('lag', () => {
  it('is the age, by the clock of the root, of the tick the node has finished, whatever the provider believes', async () => {
    await root.sql(`select kaja.poll_ticks('0 s')`);
    // Ticks of known age; the provider's position of l_w is older than what the leaf has committed.
    await root.sql(`insert into pgq.tick (tick_queue, tick_id, tick_time, tick_event_seq)
                    select queue_id, 1000 + n, now() - make_interval(secs => 1000 - n * 100), 1 from pgq.queue, generate_series(0, 9) n`);
    await leaf.sql('update pgq_node.local_state set last_tick_id = 1007');
    const { members } = await read();
    expect(member(members, 'r').lagSeconds).toBeGreaterThan(99);
    expect(member(members, 'r').lagSeconds).toBeLessThan(105);
    expect(member(members, 'l').lagSeconds).toBeGreaterThan(299);
    expect(member(members, 'l').lagSeconds).toBeLessThan(305);
    const local = await readLocalReport(set.settings(leaf, 'l_w'));
    expect(local.lagSeconds).toBeGreaterThan(299);
    expect(local.lagSeconds).toBeLessThan(305);
  });

  it('is null, not zero, when the tick is not known on the root', async () => {
    await leaf.sql('update pgq_node.local_state set last_tick_id = 5555');
    expect(member((await read()).members, 'l').lagSeconds).toBeNull();
    expect(formatStatus(await read())).toContain('Lag: (n/a), Tick: 5555');
    await leaf.sql('update pgq_node.local_state set last_tick_id = 1007');
  });
});

describe('tables and errors', () => {
  it('counts tables, shows copies, divergence and errors', async () => {
    await leaf.sql(`
      insert into londiste.table_info (queue_name, table_name, local, merge_state, dropped_ddl) values
        ('${QUEUE}', 'public.fine', true, 'ok', null), ('${QUEUE}', 'public.copied', true, 'in-copy', null),
        ('${QUEUE}', 'public.waits', true, null, null), ('${QUEUE}', 'public.foreign', false, null, null);
      insert into kaja.table_copy (queue_name, table_name, rows_copied, rows_total, started_at, last_error) values
        ('${QUEUE}', 'public.copied', 1000, 3000, clock_timestamp() - interval '10 s', 'disk is full');
      insert into kaja.table_stats (queue_name, table_name, update_missing, delete_missing, insert_found, last_diverged)
        values ('${QUEUE}', 'public.fine', 1, 2, 3, now());
      update pgq_node.local_state set cur_error = E'first line\\nsecond', uptodate = true, paused = true`);
    const report = await read();
    const text = formatStatus(report)
      .split('\n')
      .map((line) => line.slice(30));
    expect(text).toEqual(
      expect.arrayContaining([
        'Tables: 1/2/1',
        expect.stringMatching(/^Lag: \dm\ds?\d?s?, Tick: 1007, PAUSED$/),
        expect.stringMatching(
          /^Copy: public\.copied: in-copy, 1000 of ~3000 rows, \d{2,3} rows\/s, [2-9]\ds left$/,
        ),
        'ERR: public.copied: disk is full',
        'Copy: public.waits: waits',
        'Diverged: public.fine: 1 updates, 2 deletes found no row, 3 inserts found one',
        'ERR: l_w: first line',
      ]),
    );
    const { report: node } = member(report.members, 'l');
    expect(node?.tables).toEqual({ ok: 1, half: 2, ignored: 1 });
    expect(node?.errors).toEqual([{ consumer: 'l_w', error: 'first line\nsecond' }]);
    await leaf.sql(`delete from londiste.table_info; delete from kaja.table_copy; delete from kaja.table_stats;
                    update pgq_node.local_state set cur_error = null, paused = false`);
  });

  it('reads a node that the original Londiste serves, which has no tables of kaja', async () => {
    await leaf.sql(
      `insert into londiste.table_info (queue_name, table_name, local) values ('${QUEUE}', 'public.t', true)`,
    );
    await leaf.sql('alter table kaja.table_stats rename to away');
    const { members } = await read();
    await leaf.sql('alter table kaja.away rename to table_stats; delete from londiste.table_info');
    expect(member(members, 'l').failure).toBeNull();
    expect(member(members, 'l').report).toMatchObject({ tables: { half: 1 }, troubled: [] });
  });
});

describe('nodes that do not answer', () => {
  let silent: Server;
  let port: number;
  beforeAll(async () => {
    // Takes connections and says nothing, as a hung host does.
    silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    port = typeof address === 'object' && address ? address.port : 0;
  });
  afterAll(() => void silent.close());

  it('are shown as dead, below their provider, within the time limit', async () => {
    const move = (name: string, location: string) =>
      root.sql('update pgq_node.node_location set node_location = $2 where node_name = $1', [name, location]);
    await move('l', `host=127.0.0.1 port=${port} dbname=x user=u`);
    await move('z', 'host=127.0.0.1 port=1 dbname=x user=u');
    const started = Date.now();
    const report = await read();
    expect(Date.now() - started).toBeLessThan(5_000);
    expect(member(report.members, 'l')).toMatchObject({ report: undefined, lagSeconds: null, dead: false });
    expect(member(report.members, 'l').failure).toContain('no answer within 3 s');
    const lines = formatStatus(report).split('\n');
    expect(lines[2]).toMatch(
      /^Node 'l' failure: cannot connect to x at 127\.0\.0\.1:\d+ as u: no answer within 3 s/,
    );
    expect(lines[3]).toMatch(/^Node 'z' failure: cannot connect to x at 127\.0\.0\.1:1 as u/);
    expect(lines).toContain('  +--: l (dead)');
    expect(lines).toContain('  +--: z (dead)');
    await move('l', leaf.url);
    await move('z', lazy.url);
  }, 20_000);

  it('are not contacted when tagged dead', async () => {
    await root.sql(
      `update pgq_node.node_location set dead = true, node_location = 'host=127.0.0.1 port=${port}' where node_name = 'z'`,
    );
    const started = Date.now();
    const report = await read();
    expect(Date.now() - started).toBeLessThan(2_000);
    expect(member(report.members, 'z')).toMatchObject({ dead: true, failure: null, report: undefined });
    expect(formatStatus(report)).not.toContain('failure');
    await root.sql(
      `update pgq_node.node_location set dead = false, node_location = '${lazy.url}' where node_name = 'z'`,
    );
  });

  it('leave the rest of the tree, and lags unknown, when it is the root', async () => {
    await leaf.sql(
      `update pgq_node.node_location set node_location = 'host=127.0.0.1 port=1 dbname=x' where node_name = 'r'`,
    );
    const report = await readSetReport(set.settings(leaf, 'l_w'));
    expect(member(report.members, 'l').lagSeconds).toBeNull();
    expect(formatStatus(report)).toContain('r (dead)\n');
    expect((await readLocalReport(set.settings(leaf, 'l_w'))).lagSeconds).toBeNull();
  });
});

it('asks with few statements: it has to be quick', async () => {
  const sent = vi.spyOn(Session.prototype, 'run');
  const { members } = await read();
  // Names of the members and ages of their ticks once; of each node itself, its state, its summary and its tables.
  expect(sent.mock.calls.length).toBeLessThanOrEqual(2 + 3 * members.length);
  sent.mockRestore();
});
