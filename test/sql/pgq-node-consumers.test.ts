import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import { column, events, makeRoot, makeSubscriber, openDatabase, ret, SERVERS } from './londiste-support.ts';

describe.each(SERVERS)('pgq_node subscribers, consumers and watermarks, %s server', (_label, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await openDatabase(server);
  });
  afterAll(() => db.drop());

  /** Make ticks up to `last` on a root. */
  const tickTo = async (queue: string, last: number): Promise<void> => {
    for (let tick = 2; tick <= last; tick++) {
      await db.sql(`select pgq.insert_event($1, 'x', 'y')`, [queue]);
      await db.sql(`select pgq.force_tick($1)`, [queue]);
      await db.sql(`select pgq.ticker($1)`, [queue]);
    }
    expect(await column(db, `select last_tick_id::int from pgq.get_queue_info($1)`, [queue])).toEqual([last]);
  };
  const root = async (queue: string, ticks = 1): Promise<void> => {
    await makeRoot(db, queue);
    await db.sql(`select pgq_node.register_location($1, 'sub', 'dbname=sub', false)`, [queue]);
    await tickTo(queue, ticks);
  };

  it('subscribes a node at the global watermark', async () => {
    await root('s1');
    expect(
      await db.sql(`select * from pgq_node.register_subscriber('s1', 'sub', 'sub_worker', null)`),
    ).toEqual([{ ret_code: 200, ret_note: 'Subscriber registered: sub', global_watermark: '1' }]);
    expect(
      await db.sql(`select consumer_name, last_tick from pgq.get_consumer_info('s1') order by 1`),
    ).toEqual([
      { consumer_name: '.global_watermark', last_tick: '1' },
      { consumer_name: '.sub.watermark', last_tick: '1' },
      { consumer_name: 'sub_worker', last_tick: '1' },
    ]);
    expect(await db.sql(`select * from pgq_node.get_subscriber_info('s1')`)).toEqual([
      { node_name: 'sub', worker_name: 'sub_worker', node_watermark: '1' },
    ]);
    await expect(
      db.sql(`select pgq_node.register_subscriber('s1', 'sub', 'sub_worker', null)`),
    ).rejects.toMatchObject({ code: '23505' });
    await expect(
      db.sql(`select pgq_node.register_subscriber('s1', 'ghost', 'ghost_worker', null)`),
    ).rejects.toMatchObject({ code: '23503' });
    await db.sql(`select pgq.register_consumer('s1', 'plain')`);
    expect(await ret(db, `pgq_node.unregister_subscriber('s1', 'sub')`)).toBe(
      '200 Subscriber unregistered: sub',
    );
    expect(await ret(db, `pgq_node.unregister_subscriber('s1', 'sub')`)).toBe('304 Subscriber not found');
    expect(await column(db, `select consumer_name from pgq.get_consumer_info('s1') order by 1`)).toEqual([
      '.global_watermark',
      'plain',
    ]);
  });

  it('subscribes at a given tick', async () => {
    await root('s2', 3);
    await db.sql(`select pgq_node.register_subscriber('s2', 'sub', 'sub_worker', 2)`);
    expect(await column(db, `select last_tick::int from pgq.get_consumer_info('s2', 'sub_worker')`)).toEqual([
      2,
    ]);
    await expect(
      db.sql(
        `select pgq_node.register_location('s2', 'far', 'x', false); select pgq_node.register_subscriber('s2', 'far', 'far_worker', 77)`,
      ),
    ).rejects.toThrow('tick not found: 77');
  });

  it('lets nobody subscribe to a leaf or an unknown queue', async () => {
    await makeSubscriber(db, 's3', 'leaf');
    expect(await db.sql(`select * from pgq_node.register_subscriber('s3', 'root', 'w', null)`)).toEqual([
      { ret_code: 401, ret_note: 'Cannot subscribe to leaf node', global_watermark: null },
    ]);
    expect(await ret(db, `pgq_node.register_subscriber('nix', 'root', 'w', null)`)).toBe(
      '404 Unknown queue: nix',
    );
  });

  it('moves subscriber watermarks forward only', async () => {
    await root('w1', 4);
    await db.sql(`select pgq_node.register_subscriber('w1', 'sub', 'sub_worker', null)`);
    expect(await ret(db, `pgq_node.set_subscriber_watermark('w1', 'sub', 3)`)).toBe(
      '200 .sub.watermark set to 3',
    );
    expect(await ret(db, `pgq_node.set_subscriber_watermark('w1', 'sub', 3)`)).toBe(
      '100 watermark already set',
    );
    expect(await ret(db, `pgq_node.set_subscriber_watermark('w1', 'sub', 2)`)).toBe(
      '405 watermark must not be moved backwards',
    );
    expect(await ret(db, `pgq_node.set_subscriber_watermark('w1', 'sub', null)`)).toBe(
      '405 watermark must not be NULL',
    );
    expect(await ret(db, `pgq_node.set_subscriber_watermark('w1', 'who', 2)`)).toBe(
      '404 node who not subscribed to queue ',
    );
    await expect(db.sql(`select pgq_node.set_subscriber_watermark('w1', 'sub', 55)`)).rejects.toThrow(
      'tick not found: 55',
    );
    // the worker itself has not moved, so the local watermark has not either
    expect(
      await db.sql(`select local_watermark, worker_last_tick from pgq_node.get_node_info('w1')`),
    ).toEqual([{ local_watermark: '1', worker_last_tick: '4' }]);
  });

  it('publishes the watermark of a root, never backwards', async () => {
    await root('w2', 4);
    await db.sql(`select pgq.register_consumer_at('w2', 'reader', 3)`);
    expect(await ret(db, `pgq_node.set_global_watermark('w2', null)`)).toBe('200 Global watermark set to 3');
    expect((await events(db, 'w2')).at(-1)).toBe('pgq.global-watermark|3|w2');
    expect(await column(db, `select completed_tick::int from pgq_node.get_worker_state('w2')`)).toEqual([3]);
    const before = await events(db, 'w2');
    await db.sql(`select pgq.register_consumer_at('w2', 'reader', 2)`);
    expect(await ret(db, `pgq_node.set_global_watermark('w2', null)`)).toBe(
      '200 Skipping global watermark update to 2',
    );
    expect(await ret(db, `pgq_node.set_global_watermark('w2', 1)`)).toBe(
      '200 Skipping global watermark update to 1',
    );
    expect(await column(db, `select global_watermark::int from pgq_node.get_node_info('w2')`)).toEqual([3]);
    expect(await column(db, `select completed_tick::int from pgq_node.get_worker_state('w2')`)).toEqual([3]);
    expect(await events(db, 'w2')).toEqual(before);
  });

  it('follows the watermark on a branch as far as ticks are there, never backwards', async () => {
    await makeSubscriber(db, 'w3', 'branch');
    await db.sql(`select pgq.ticker('w3', 101, now(), 5), pgq.ticker('w3', 102, now(), 6)`);
    expect(await ret(db, `pgq_node.set_global_watermark('w3', 102)`)).toBe('200 Global watermark set to 102');
    expect(await ret(db, `pgq_node.set_global_watermark('w3', 101)`)).toBe(
      '200 Skipping global watermark update to 101',
    );
    expect(await ret(db, `pgq_node.set_global_watermark('w3', 150)`)).toBe(
      '200 Skipping global watermark update to 150',
    );
    expect(await column(db, `select global_watermark::int from pgq_node.get_node_info('w3')`)).toEqual([102]);
    expect(await ret(db, `pgq_node.set_global_watermark('w3', null)`)).toBe(
      '500 bad usage: wm=null on branch node',
    );
    expect(await ret(db, `pgq_node.set_global_watermark('nix', 1)`)).toBe('404 Queuenix not found');
    await makeSubscriber(db, 'w3leaf', 'leaf');
    expect(await ret(db, `pgq_node.set_global_watermark('w3leaf', 1)`)).toBe(
      '100 Ignoring global watermark in leaf',
    );
  });

  it('counts the newest tick when a root has no consumers', async () => {
    await root('w4', 3);
    expect(await column(db, `select local_watermark::int from pgq_node.get_node_info('w4')`)).toEqual([3]);
  });

  it('publishes a watermark that the worker has left for five minutes', async () => {
    await root('w5', 3);
    expect(await column(db, `select pgq_node.maint_watermark('w5')`)).toEqual([0]);
    expect(await column(db, `select pgq_node.maint_watermark('nix')`)).toEqual([0]);
    expect(await column(db, `select global_watermark::int from pgq_node.get_node_info('w5')`)).toEqual([1]);
    await db.sql(`update pgq.tick set tick_time = now() - interval '6 minutes'
                   where tick_queue = (select queue_id from pgq.queue where queue_name = 'w5') and tick_id = 1`);
    expect(await column(db, `select pgq_node.maint_watermark('w5')`)).toEqual([0]);
    expect(await column(db, `select global_watermark::int from pgq_node.get_node_info('w5')`)).toEqual([3]);
  });

  it('moves the leaf of a partition behind its combined branch, never backwards', async () => {
    await makeSubscriber(db, 'pcomb', 'branch');
    await makeSubscriber(db, 'ppart', 'leaf', 'pcomb');
    const at = () => column(db, `select completed_tick::int from pgq_node.get_worker_state('ppart')`);
    expect(await ret(db, `pgq_node.set_partition_watermark('pcomb', 'ppart', 130)`)).toBe('200 Ok');
    expect(await at()).toEqual([130]);
    await db.sql(`select pgq_node.set_partition_watermark('pcomb', 'ppart', 120)`);
    expect(await at()).toEqual([130]);
    expect(await ret(db, `pgq_node.set_partition_watermark('pcomb', 'nix', 130)`)).toBe(
      '201 Part-queue does not exist',
    );
    await makeRoot(db, 'prootcomb');
    await makeSubscriber(db, 'prpart', 'leaf', 'prootcomb');
    expect(await ret(db, `pgq_node.set_partition_watermark('prootcomb', 'prpart', 130)`)).toBe(
      '201 Part-queue does not exist',
    );
  });

  it('keeps the state of consumers', async () => {
    await makeSubscriber(db, 'c1', 'branch');
    const state = async () => (await db.sql(`select * from pgq_node.get_consumer_state('c1', 'extra')`))[0];
    expect(await ret(db, `pgq_node.register_consumer('c1', 'extra', 'root', 7)`)).toBe(
      '200 Consumer extra registered on queue c1',
    );
    expect(await ret(db, `pgq_node.register_consumer('c1', 'extra', 'root', 8)`)).toBe(
      '201 Consumer already registered: c1/extra',
    );
    expect(await ret(db, `pgq_node.register_consumer('nix', 'extra', 'root', 8)`)).toBe(
      '404 Unknown queue: nix',
    );
    expect(await state()).toEqual({
      ret_code: 100,
      ret_note: 'Ok',
      node_type: 'branch',
      node_name: 'here',
      completed_tick: '8',
      provider_node: 'root',
      provider_location: 'dbname=root',
      paused: false,
      uptodate: false,
      cur_error: null,
    });
    expect(await ret(db, `pgq_node.set_consumer_uptodate('c1', 'extra', true)`)).toBe(
      '200 Consumer uptodate = 1',
    );
    expect(await ret(db, `pgq_node.set_consumer_error('c1', 'extra', 'broken')`)).toBe(
      '100 Consumer extra error = broken',
    );
    expect(await state()).toMatchObject({ cur_error: 'broken', uptodate: true });
    expect(await ret(db, `pgq_node.set_consumer_completed('c1', 'extra', 9)`)).toBe(
      '100 Consumer extra completed tick = 9',
    );
    expect(await state()).toMatchObject({ cur_error: null, completed_tick: '9' });
    expect(await ret(db, `pgq_node.set_consumer_paused('c1', 'extra', true)`)).toBe(
      '200 Consumer extra tagged as paused',
    );
    expect(await state()).toMatchObject({ paused: true, uptodate: false });
    expect(await ret(db, `pgq_node.set_consumer_paused('c1', 'extra', true)`)).toBe(
      '201 Consumer extra already paused',
    );
    await db.sql(
      `select pgq_node.register_location('c1', 'new', 'dbname=new', false), pgq_node.set_consumer_uptodate('c1', 'extra', true)`,
    );
    expect(await ret(db, `pgq_node.change_consumer_provider('c1', 'extra', 'new')`)).toBe(
      '200 Consumer provider node set to : new',
    );
    expect(await state()).toMatchObject({
      provider_node: 'new',
      provider_location: 'dbname=new',
      uptodate: false,
      paused: true,
      completed_tick: '9',
    });
    // a consumer other than the worker still holds its provider's location
    await expect(db.sql(`select pgq_node.unregister_location('c1', 'new')`)).rejects.toMatchObject({
      code: '23503',
    });
    expect(await ret(db, `pgq_node.set_consumer_paused('c1', 'extra', false)`)).toBe(
      '200 Consumer extra tagged as resumed',
    );
    expect(await ret(db, `pgq_node.unregister_consumer('c1', 'extra')`)).toBe(
      '200 Consumer extra unregistered from c1',
    );
    expect(await state()).toMatchObject({
      ret_code: 404,
      ret_note: 'Unknown consumer: c1/extra',
      node_type: 'branch',
      node_name: 'here',
    });
  });

  it.each([
    [`set_consumer_uptodate('c9', 'no', true)`, '404 Consumer not known: c9/no'],
    [`set_consumer_paused('c9', 'no', true)`, '404 Unknown consumer: no'],
    [`set_consumer_completed('c9', 'no', 1)`, '404 Consumer not known: c9/no'],
    [`set_consumer_error('c9', 'no', 'x')`, '101 Consumer not known, ignoring: c9/no'],
    [`change_consumer_provider('c9', 'no', 'where')`, '404 New node not found: where'],
    [`get_consumer_state('c9', 'no')`, '404 Unknown queue: c9'],
    [`unregister_consumer('c9', 'no')`, '404 Unknown queue: c9'],
  ])('answers for an unknown consumer: %s', async (call, answer) => {
    expect(await ret(db, `pgq_node.${call}`)).toBe(answer);
  });

  describe('role switch', () => {
    it('demotes a root in steps and promotes it again', async () => {
      await root('d1', 3);
      const demote = (step: number | null) => ret(db, `pgq_node.demote_root('d1', $1, 'sub')`, [step]);
      await expect(demote(2)).rejects.toThrow('steps in wrong order');
      await expect(demote(0)).rejects.toThrow('incorrect step number');
      await expect(demote(null)).rejects.toThrow('incorrect step number');
      expect(await demote(1)).toBe('200 Step 1: Writing disabled for: d1');
      expect(await demote(1)).toBe('200 Step 1: Writing disabled for: d1');
      await expect(db.sql(`select pgq_node.set_global_watermark('d1', null)`)).rejects.toThrow(
        'Insert into queue disallowed',
      );
      expect(await db.sql(`select * from pgq_node.demote_root('d1', 2, 'sub')`)).toEqual([
        { ret_code: 200, ret_note: 'Step 2: Inserted last tick: d1', last_tick: '4' },
      ]);
      expect(await column(db, `select last_tick::int from pgq_node.demote_root('d1', 2, 'sub')`)).toEqual([
        5,
      ]);
      expect(await column(db, `select current_setting('session_replication_role')`)).toEqual(['origin']);
      expect(await db.sql(`select * from pgq_node.demote_root('d1', 3, 'sub')`)).toEqual([
        { ret_code: 200, ret_note: 'Step 3: Demoted root to branch: d1', last_tick: '5' },
      ]);
      expect(await demote(3)).toBe('301 Node not root');
      expect(
        await db.sql(`select node_type, provider_node, worker_last_tick from pgq_node.get_node_info('d1')`),
      ).toEqual([{ node_type: 'branch', provider_node: 'sub', worker_last_tick: '5' }]);
      expect(await ret(db, `pgq_node.promote_branch('d1')`)).toBe('200 Branch node promoted to root');
      expect(await ret(db, `pgq_node.promote_branch('d1')`)).toBe('301 Node not branch');
      expect(await db.sql(`select node_type, provider_node from pgq_node.get_node_info('d1')`)).toEqual([
        { node_type: 'root', provider_node: 'root' },
      ]);
      expect(await ret(db, `pgq_node.promote_branch('nix')`)).toBe('404 Node not initialized for queue: nix');
      expect(await ret(db, `pgq_node.demote_root('nix', 1, 'sub')`)).toBe(
        '404 Node not initialized for queue: nix',
      );
    });

    it('gives a promoted branch ticks after those it copied', async () => {
      await makeSubscriber(db, 'd2', 'branch');
      await db.sql(`select pgq.ticker('d2', 120, now(), 5)`);
      await db.sql(`select pgq_node.promote_branch('d2')`);
      await db.sql(`select pgq.insert_event('d2', 'x', 'y'), pgq.force_tick('d2')`);
      expect(await column(db, `select pgq.ticker('d2')::int`)).toEqual([121]);
      expect(
        await db.sql(`select completed_tick, provider_node, uptodate from pgq_node.get_worker_state('d2')`),
      ).toEqual([{ completed_tick: '120', provider_node: 'here', uptodate: false }]);
    });

    it('makes the last tick only after writers are through', async () => {
      await root('d3', 2);
      const writer = await db.connect();
      const demoter = await db.connect();
      await writer.query(`begin; select pgq.insert_event('d3', 'late', 'z')`);
      await db.sql(`select pgq_node.demote_root('d3', 1, 'sub')`);
      const [{ pid }] = (await demoter.query(`select pg_backend_pid() as pid`)).rows;
      const done = demoter.query(`select last_tick from pgq_node.demote_root('d3', 2, 'sub')`);
      const deadline = Date.now() + 20_000;
      while (
        (await db.sql(`select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'`, [pid]))
          .length === 0
      ) {
        if (Date.now() > deadline) throw new Error('demote_root did not wait for the writer');
      }
      await writer.query('commit');
      const tick = (await done).rows[0].last_tick;
      const [{ inside }] = await db.sql(
        `select bool_and(txid_visible_in_snapshot(e.ev_txid, t.tick_snapshot)) as inside
           from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue, pgq.event_template e
          where q.queue_name = 'd3' and t.tick_id = $1 and e.ev_type = 'late'`,
        [tick],
      );
      expect(inside).toBe(true);
    });
  });
});
