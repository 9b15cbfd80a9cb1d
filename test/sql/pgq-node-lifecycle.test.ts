import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { column, events, makeRoot, makeSubscriber, openDatabase, ret, SERVERS } from './londiste-support.ts';

describe.each(SERVERS)('pgq_node nodes and locations, %s server', (_label, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openDatabase(server);
  });
  afterAll(() => db.drop());

  it('registers locations before a node exists and replaces connection strings', async () => {
    expect(await ret(db, `pgq_node.register_location('loc', 'n4', 'dbname=node44', false)`)).toBe(
      '200 Location registered',
    );
    expect(await ret(db, `pgq_node.register_location('loc', 'n4', 'dbname=node4', false)`)).toBe(
      '200 Location registered',
    );
    expect(await ret(db, `pgq_node.register_location('loc', 'n4', null, true)`)).toBe(
      '200 Location registered',
    );
    expect(await ret(db, `pgq_node.register_location('loc', 'ghost', null, true)`)).toBe(
      '200 Location registered',
    );
    expect(await db.sql(`select * from pgq_node.get_queue_locations('loc')`)).toEqual([
      { node_name: 'n4', node_location: 'dbname=node4', dead: true },
    ]);
    expect(await ret(db, `pgq_node.unregister_location('loc', 'n4')`)).toBe('200 Ok');
    expect(await ret(db, `pgq_node.unregister_location('loc', 'n4')`)).toBe('301 Location not found: loc/n4');
    await expect(db.sql(`select pgq_node.register_location('loc', 'n5', 'x', null)`)).rejects.toMatchObject({
      code: '23502',
    });
  });

  it('passes locations on as events of the root only', async () => {
    await makeRoot(db, 'locev');
    await db.sql(`select pgq_node.register_location('locev', 'n2', 'dbname=n2', false)`);
    await db.sql(`select pgq_node.register_location('locev', 'nobody', null, true)`);
    await db.sql(`select pgq_node.unregister_location('locev', 'n2')`);
    await db.sql(`select pgq_node.unregister_location('locev', 'n2')`);
    expect(await events(db, 'locev')).toEqual([
      'pgq.location-info|n2|locev',
      'pgq.location-info|nobody|locev',
      'pgq.unregister-location|n2|locev',
      'pgq.unregister-location|n2|locev',
    ]);
    const [{ pfx }] = await db.sql(`select queue_data_pfx as pfx from pgq.queue where queue_name = 'locev'`);
    expect(await db.sql(`select ev_extra2, ev_extra3 from ${pfx} order by ev_id limit 2`)).toEqual([
      { ev_extra2: 'dbname=n2', ev_extra3: 'false' },
      { ev_extra2: null, ev_extra3: 'true' },
    ]);
    expect(await ret(db, `pgq_node.unregister_location('locev', 'root')`)).toBe(
      `403 Cannot drop node's own location`,
    );
  });

  it('keeps the location of the provider, and drops a subscriber with its location', async () => {
    await makeSubscriber(db, 'parent', 'branch');
    expect(await ret(db, `pgq_node.unregister_location('parent', 'root')`)).toBe(
      `403 Cannot drop location of node's parent`,
    );
    await db.sql(`select pgq_node.register_location('parent', 'sub', 'x', false)`);
    await db.sql(`select pgq_node.register_subscriber('parent', 'sub', 'sub_worker', null)`);
    expect(await ret(db, `pgq_node.unregister_location('parent', 'sub')`)).toBe('200 Ok');
    expect(await column(db, `select consumer_name from pgq.get_consumer_info('parent')`)).toEqual([
      '.global_watermark',
    ]);
  });

  it('creates a root with its watermark consumer', async () => {
    await db.sql(`select pgq_node.register_location('r1', 'root', 'dbname=root', false)`);
    expect(await ret(db, `pgq_node.create_node('r1', 'root', 'root', 'w', null, null, null)`)).toBe(
      '200 Node "root" initialized for queue "r1" with type "root"',
    );
    expect(await db.sql(`select * from pgq_node.get_consumer_info('r1')`)).toEqual([
      {
        consumer_name: 'w',
        provider_node: 'root',
        last_tick_id: '1',
        paused: false,
        uptodate: false,
        cur_error: null,
      },
    ]);
    expect(await db.sql(`select consumer_name, last_tick from pgq.get_consumer_info('r1')`)).toEqual([
      { consumer_name: '.global_watermark', last_tick: '1' },
    ]);
    expect(await db.sql(`select * from pgq_node.get_worker_state('r1')`)).toMatchObject([
      {
        ret_code: 100,
        ret_note: 'Ok',
        node_type: 'root',
        completed_tick: '1',
        provider_node: 'root',
        local_queue_top: '1',
        global_watermark: '1',
      },
    ]);
    expect(await ret(db, `pgq_node.create_node('r1', 'root', 'root', 'w', null, null, null)`)).toBe(
      '401 Node already initialized',
    );
  });

  it('creates a branch at the watermark: closed queue, ticks 1 and the watermark', async () => {
    await makeSubscriber(db, 'b1', 'branch');
    expect(
      await db.sql(
        `select queue_external_ticker as ticker, queue_disable_insert as closed from pgq.queue where queue_name = 'b1'`,
      ),
    ).toEqual([{ ticker: true, closed: true }]);
    expect(
      await column(
        db,
        `select tick_id::int from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue where queue_name = 'b1' order by 1`,
      ),
    ).toEqual([1, 100]);
    expect(await db.sql(`select * from pgq_node.get_node_info('b1')`)).toMatchObject([
      {
        node_type: 'branch',
        global_watermark: '100',
        local_watermark: '100',
        worker_last_tick: '100',
        provider_node: 'root',
        provider_location: 'dbname=root',
      },
    ]);
  });

  it('creates a leaf without a queue', async () => {
    await makeSubscriber(db, 'l1', 'leaf');
    expect(await db.sql(`select * from pgq.get_queue_info('l1')`)).toEqual([]);
    expect(await db.sql(`select * from pgq_node.get_node_info('l1')`)).toMatchObject([
      { node_type: 'leaf', global_watermark: null, local_watermark: '100', worker_last_tick: '100' },
    ]);
    expect(
      await db.sql(`select pgq_node.is_leaf_node('l1') as leaf, pgq_node.is_root_node('l1') as root`),
    ).toEqual([{ leaf: true, root: false }]);
    await expect(db.sql(`select pgq_node.is_root_node('nix')`)).rejects.toThrow('queue does not exist: nix');
    await expect(db.sql(`select pgq_node.is_leaf_node(null)`)).rejects.toThrow(
      'queue does not exist: <NULL>',
    );
  });

  it.each([
    [`'root', 'n', 'w', 'p', null, null`, '401 unexpected args for root'],
    [`'root', 'n', 'w', null, 1, null`, '401 unexpected args for root'],
    [`'branch', 'n', 'w', null, 1, null`, '401 provider not set for branch'],
    [`'branch', 'n', 'w', 'p', null, null`, '401 global watermark not set for branch'],
    [`'leaf', 'n', 'w', 'p', 1, 'nowhere'`, '401 non-existing queue on leaf side: nowhere'],
    [`'twig', 'n', 'w', null, null, null`, '401 bad node type: twig'],
  ])('refuses create_node(%s) and leaves nothing', async (args, answer) => {
    await db.sql(
      `select pgq_node.register_location('bad', 'n', 'x', false), pgq_node.register_location('bad', 'p', 'x', false)`,
    );
    expect(await ret(db, `pgq_node.create_node('bad', ${args})`)).toBe(answer);
    expect(await db.sql(`select * from pgq.get_queue_info('bad')`)).toEqual([]);
  });

  it('does not know unknown queues', async () => {
    expect(await db.sql(`select * from pgq_node.get_node_info('nix')`)).toMatchObject([
      { ret_code: 404, ret_note: 'Unknown queue: nix', node_type: null, target_for: null },
    ]);
    expect(await ret(db, `pgq_node.get_node_info(null)`)).toBe('404 null');
    expect(await ret(db, `pgq_node.get_worker_state('nix')`)).toBe('404 Unknown queue: nix');
    expect(await ret(db, `pgq_node.set_node_attrs('nix', 'a=b')`)).toBe('404 Node not found');
  });

  it('stores node attributes', async () => {
    await makeRoot(db, 'attr');
    expect(await ret(db, `pgq_node.set_node_attrs('attr', 'test=1')`)).toBe('200 Node attributes updated');
    expect(await column(db, `select node_attrs from pgq_node.get_node_info('attr')`)).toEqual(['test=1']);
  });

  it('shows the combined queue of a merge leaf and the leafs of a combined queue', async () => {
    await makeRoot(db, 'comb');
    await makeSubscriber(db, 'part2', 'leaf', 'comb');
    await makeSubscriber(db, 'part1', 'leaf', 'comb');
    expect(await column(db, `select target_for from pgq_node.get_node_info('comb')`)).toEqual([
      ['part1', 'part2'],
    ]);
    expect(
      await db.sql(
        `select combined_queue, combined_type, local_watermark from pgq_node.get_node_info('part1')`,
      ),
    ).toEqual([{ combined_queue: 'comb', combined_type: 'root', local_watermark: '100' }]);
    expect(
      await db.sql(
        `select ret_code, combined_queue, combined_type, local_queue_top from pgq_node.get_worker_state('part1')`,
      ),
    ).toEqual([{ ret_code: 100, combined_queue: 'comb', combined_type: 'root', local_queue_top: null }]);
    expect(await ret(db, `pgq_node.drop_node('comb', 'root')`)).toBe('200 Node dropped: root');
    expect(await ret(db, `pgq_node.get_worker_state('part1')`)).toBe('100 Ok');
  });

  describe('drop_node', () => {
    it('answers 200 for whatever is not there', async () => {
      await makeRoot(db, 'drop1');
      await db.sql(`select pgq_node.register_location('drop1', 'other', 'x', false)`);
      await db.sql(`select pgq_node.register_subscriber('drop1', 'other', 'other_worker', null)`);
      expect(await ret(db, `pgq_node.drop_node('nix', 'nobody')`)).toBe('200 Node dropped: nobody');
      expect(await ret(db, `pgq_node.drop_node('drop1', 'nobody')`)).toBe('200 Node dropped: nobody');
      expect(await ret(db, `pgq_node.drop_node('drop1', 'other')`)).toBe('200 Node dropped: other');
      expect(await db.sql(`select * from pgq_node.get_subscriber_info('drop1')`)).toEqual([]);
      await db.sql(`select pgq_node.register_location('drop1', 'third', 'x', false)`);
      expect(await ret(db, `pgq_node.drop_node('drop1', 'root')`)).toBe('200 Node dropped: root');
      expect(await db.sql(`select * from pgq_node.node_location where queue_name = 'drop1'`)).toEqual([]);
      expect(await db.sql(`select * from pgq.get_queue_info('drop1')`)).toEqual([]);
      expect(await ret(db, `pgq_node.drop_node('drop1', 'root')`)).toBe('200 Node dropped: root');
    });

    it('refuses to drop the provider and a node without name', async () => {
      await makeSubscriber(db, 'drop2', 'branch');
      expect(await ret(db, `pgq_node.drop_node('drop2', 'root')`)).toBe(
        '405 Cannot drop provider node: root',
      );
      expect(await ret(db, `pgq_node.drop_node('drop2', null)`)).toBe('400 Node name must be given');
      expect(await ret(db, `pgq_node.drop_node('nix', null)`)).toBe('400 Node name must be given');
    });

    it('never drops a plain queue', async () => {
      await db.sql(`select pgq.create_queue('plain'), pgq.register_consumer('plain', 'reader')`);
      expect(await ret(db, `pgq_node.drop_node('plain', 'n')`)).toBe('200 Node dropped: n');
      expect(await column(db, `select consumer_name from pgq.get_consumer_info('plain')`)).toEqual([
        'reader',
      ]);
    });

    it('drops a plain queue neither for a leaf of that name', async () => {
      await db.sql(`select pgq.create_queue('leafq'), pgq.register_consumer('leafq', 'reader')`);
      await makeSubscriber(db, 'leafq', 'leaf');
      expect(await ret(db, `pgq_node.drop_node('leafq', 'here')`)).toBe('200 Node dropped: here');
      expect(await column(db, `select consumer_name from pgq.get_consumer_info('leafq')`)).toEqual([
        'reader',
      ]);
    });

    it('removes the queue that a node left behind', async () => {
      await makeRoot(db, 'left');
      await db.sql(
        `delete from pgq_node.local_state where queue_name = 'left'; delete from pgq_node.node_info where queue_name = 'left'`,
      );
      await db.sql(`select pgq_node.drop_node('left', 'root')`);
      expect(await db.sql(`select * from pgq.get_queue_info('left')`)).toEqual([]);
    });

    it('takes tables and triggers along even in role replica', async () => {
      await makeRoot(db, 'repl');
      await db.sql(`create table public.repl (id int primary key)`);
      await db.sql(`select londiste.local_add_table('repl', 'repl')`);
      expect(
        await column(db, `select count(*)::int from pg_trigger where tgrelid = 'public.repl'::regclass`),
      ).not.toEqual([0]);
      await db.sql(
        `begin; set local session_replication_role = replica; select pgq_node.drop_node('repl', 'root'); commit`,
      );
      expect(
        await column(db, `select count(*)::int from pg_trigger where tgrelid = 'public.repl'::regclass`),
      ).toEqual([0]);
      expect(await db.sql(`select * from londiste.table_info where queue_name = 'repl'`)).toEqual([]);
    });
  });
});
