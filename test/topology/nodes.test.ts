/** Nodes come, go and wait: create-root, create-leaf, pause, resume, wait-*, drop-node, tag-*, through the functions of src/cascade. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLeaf } from '../../src/cascade/create-leaf.ts';
import { createRoot } from '../../src/cascade/create-root.ts';
import { dropNode } from '../../src/cascade/drop-node.ts';
import { forceTick, newestTick } from '../../src/cascade/force-tick.ts';
import { openHere } from '../../src/cascade/open-node.ts';
import { setPaused } from '../../src/cascade/pause-node.ts';
import { readSetReport } from '../../src/cascade/set-report.ts';
import { tagNode } from '../../src/cascade/tag-node.ts';
import { waitForTick } from '../../src/cascade/wait-for-tick.ts';
import { serverCount, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { failureOf, type NodeSet, nodeSet, QUEUE } from '../support/node-set.ts';

let set: NodeSet;
beforeAll(() => {
  set = nodeSet();
});
afterAll(() => set.end());

const nodeTables = (db: TestDatabase) =>
  db.sql(
    `select (select json_agg(l order by node_name) from pgq_node.node_location l) as locations,
            (select json_agg(i) from pgq_node.node_info i) as info,
            (select json_agg(s) from pgq_node.local_state s) as state,
            (select json_agg(s order by subscriber_node) from pgq_node.subscriber_info s) as subscribers,
            (select json_agg(c.consumer_name order by c.consumer_name) from pgq.get_consumer_info() c) as consumers`,
  );

describe.each(serverCount() > 1 ? [0, -1] : [0])('create on server %i', (server) => {
  it('makes a root of an empty database, and leaves an existing node as it is', async () => {
    const db = await set.database(server);
    expect(await createRoot(set.request(db, 'r'))).toBe('created');
    const [queue] = await db.sql('select * from pgq.queue');
    expect(queue).toMatchObject({ queue_name: QUEUE, queue_ticker_max_count: 500 });
    const [timing] = await db.sql(
      'select queue_ticker_max_lag::text as lag, queue_ticker_idle_period::text as idle from pgq.queue',
    );
    expect(timing).toEqual({ lag: '00:00:00.1', idle: '00:01:00' });
    const before = await nodeTables(db);
    expect(before[0]).toMatchObject({
      info: [{ node_type: 'root', node_name: 'r', worker_name: 'r_w' }],
      locations: [{ node_name: 'r', node_location: db.url, dead: false }],
    });
    expect(await createRoot(set.request(db, 'r'))).toBe('exists');
    await expect(createRoot(set.request(db, 'other'))).rejects.toThrow(
      'Node is already initialized as root r, not as root other',
    );
    await expect(createLeaf(set.leafRequest(db, 'r', db))).rejects.toThrow(
      'Node is already initialized as root r, not as leaf r',
    );
    expect(set.messages).toContain('Node is already initialized as root');
    expect(await nodeTables(db)).toEqual(before);
  });

  it('keeps the settings of a queue that was there before', async () => {
    const db = await set.database(server);
    await set.root(db, 'r');
    await db.sql(`select pgq_node.drop_node($1, 'r')`, [QUEUE]);
    await db.sql('select pgq.create_queue($1)', [QUEUE]);
    await db.sql(`select pgq.set_queue_config($1, 'ticker_max_lag', '7 seconds')`, [QUEUE]);
    await set.root(db, 'r');
    expect((await db.sql('select queue_ticker_max_lag::text as lag from pgq.queue'))[0].lag).toBe('00:00:07');
  });

  it('makes a leaf that begins at the newest tick and knows tables, sequences and members', async () => {
    const root = await set.database(server);
    const leaf = await set.database(-1);
    await set.root(root, 'r');
    await root.sql(
      'create table public.a (id int primary key); create table public.b (id int primary key); create sequence public.s1; create sequence public.s2',
    );
    for (const table of ['a', 'b'])
      await root.sql('select londiste.local_add_table($1, $2)', [QUEUE, `public.${table}`]);
    for (const seq of ['s1', 's2'])
      await root.sql('select londiste.local_add_seq($1, $2)', [QUEUE, `public.${seq}`]);
    await root.sql(`select kaja.poll_ticks('0 s'); insert into public.a values (1)`);
    await createLeaf(
      set.leafRequest(leaf, 'l', root, {
        filters: { onlyTables: [], skipTables: ['public.b'], onlySeqs: ['public.s2'], skipSeqs: [] },
      }),
    );
    const [here] = await nodeTables(leaf);
    expect(here.info).toMatchObject([
      { node_type: 'leaf', node_name: 'l', worker_name: 'l_w', combined_queue: null },
    ]);
    expect(here.locations).toMatchObject([
      { node_name: 'l', node_location: leaf.url },
      { node_name: 'r', node_location: root.url },
    ]);
    const [there] = await nodeTables(root);
    expect(there.subscribers).toMatchObject([
      { subscriber_node: 'l', worker_name: 'l_w', watermark_name: '.l.watermark' },
    ]);
    expect(there.locations).toHaveLength(2);
    const [position] = await root.sql(
      `select c.last_tick::int, w.last_tick::int as watermark,
              (select max(event.ev_id) filter (where event.ev_type like 'I%') <= t.tick_event_seq
                 from pgq.event_template event, pgq.tick t where t.tick_id = c.last_tick and t.tick_queue = 1
                group by t.tick_event_seq) as covers_insert
         from pgq.get_consumer_info($1, 'l_w') c, pgq.get_consumer_info($1, '.global_watermark') w`,
      [QUEUE],
    );
    expect(position.last_tick).toBeGreaterThan(position.watermark);
    expect(position.covers_insert).toBe(true);
    expect(here.state).toMatchObject([
      { consumer_name: 'l_w', provider_node: 'r', last_tick_id: position.last_tick },
    ]);
    expect(await leaf.sql('select table_name, local from londiste.table_info')).toEqual([
      { table_name: 'public.a', local: false },
    ]);
    expect(await leaf.sql('select seq_name, local from londiste.seq_info')).toEqual([
      { seq_name: 'public.s2', local: false },
    ]);
  });
});

describe.each(serverCount() > 1 ? [0, -1] : [0])(
  'nodes of an ordinary database owner on server %i',
  (server) => {
    it('are created, waited for and dropped without superuser', async () => {
      const root = await set.database(server);
      const leaf = await set.database(server);
      const other = await set.database(server);
      const role = `owner_${process.pid}_${server + 1}`;
      await root.sql(`create role ${role} login`);
      for (const db of [root, leaf]) await root.sql(`alter database "${db.name}" owner to ${role}`);
      const as = (db: TestDatabase): TestDatabase => ({
        ...db,
        url: db.url.replace(/\/\/[^@]+@/, `//${role}@`),
      });
      const [ownedRoot, ownedLeaf] = [as(root), as(leaf)];
      expect(await createRoot(set.request(ownedRoot, 'r'))).toBe('created');
      const wrong = set.leafRequest(ownedLeaf, 'l', ownedRoot, { publicLocation: other.url });
      expect((await failureOf(createLeaf(wrong))).message).toContain('points to different database');
      await set.leaf(ownedLeaf, 'l', ownedRoot);
      const stop = set.startWorker(set.ini(ownedLeaf, 'l_w', ['loop_delay = 0.1']));
      const settings = set.settings(ownedLeaf, 'l_w');
      expect(await waitForTick({ settings, upTo: 'root', timeoutMs: 10_000, log: set.log })).toBeGreaterThan(
        1n,
      );
      const { members } = await readSetReport(settings);
      expect(members.map((one) => [one.name, one.failure, (one.lagSeconds ?? 99) < 30])).toEqual([
        ['l', null, true],
        ['r', null, true],
      ]);
      await stop();
      await dropNode({ settings, node: 'l', log: set.log });
      expect((await nodeTables(root))[0].subscribers).toBeNull();
      for (const db of [root, leaf]) {
        await db.sql(`reassign owned by ${role} to current_user; drop owned by ${role}`);
      }
      await root.sql(`drop role ${role}`);
    });
  },
);

describe('create-leaf that fails', () => {
  let root: TestDatabase;
  let leaf: TestDatabase;
  beforeAll(async () => {
    root = await set.database();
    leaf = await set.database(-1);
    await set.root(root, 'r');
    await set.leaf(leaf, 'l', root);
  });

  it('takes everything back when the local step fails, so that a retry works', async () => {
    const db = await set.database();
    await createRoot(set.request(db, 'tmp'));
    await db.sql('select pgq_node.drop_node($1, $2)', [QUEUE, 'tmp']);
    await db.sql(`create function public.no() returns trigger language plpgsql as 'begin raise exception ''not today''; end';
                  create trigger no before insert on pgq_node.local_state for each row execute function public.no()`);
    const before = await nodeTables(root);
    const error = await failureOf(createLeaf(set.leafRequest(db, 'l2', root)));
    expect(error.message).toContain('not today');
    expect(await nodeTables(root)).toEqual(before);
    expect((await nodeTables(db))[0]).toMatchObject({ info: null, locations: null });
    await db.sql('drop trigger no on pgq_node.local_state');
    expect(await createLeaf(set.leafRequest(db, 'l2', root))).toBe('created');
    await dropNode({ settings: set.settings(db, 'l2_w'), node: 'l2', log: set.log });
  });

  it('takes registrations back also when the user stops it', async () => {
    const db = await set.database();
    const before = await nodeTables(root);
    // The provider's lists are what creation waits for; then it is stopped.
    const blocker = await root.connect();
    await blocker.query('begin; lock table londiste.table_info in access exclusive mode');
    const stop = new AbortController();
    const creation = failureOf(createLeaf(set.leafRequest(db, 'l3', root, { signal: stop.signal })));
    await eventually(
      async () =>
        (await root.sql(`select from pgq_node.subscriber_info where subscriber_node = 'l3'`)).length === 1,
    );
    stop.abort();
    expect((await creation).code).toBe('aborted');
    await blocker.query('rollback');
    expect(await nodeTables(root)).toEqual(before);
  });

  it('refuses a name or a consumer that is taken, and changes nothing', async () => {
    const db = await set.database();
    const before = await nodeTables(root);
    const taken = await failureOf(createLeaf(set.leafRequest(db, 'l', root)));
    expect(taken.message).toBe("Node 'l' already exists");
    expect(taken.exitCode).toBe(5);
    const consumer = await failureOf(
      createLeaf(set.leafRequest(db, 'l4', root, { settings: set.settings(db, 'l_w') })),
    );
    expect(consumer.message).toMatch(/^consumer name 'l_w' is already in use by node l on queue/);
    expect(await nodeTables(root)).toEqual(before);
    expect((await db.sql(`select to_regclass('pgq.queue') as r`))[0].r).toBeNull();
  });

  it('refuses a provider that is a leaf, no node, or without kaja', async () => {
    const db = await set.database();
    const fromLeaf = await failureOf(createLeaf(set.leafRequest(db, 'x', leaf)));
    expect(fromLeaf.message).toContain('Cannot subscribe to leaf node l');
    const bare = await set.database();
    expect((await failureOf(createLeaf(set.leafRequest(db, 'x', bare)))).code).toBe('not-installed');
    const settings = { ...set.settings(db, 'x_w'), queue: 'nonsense' };
    expect((await failureOf(createLeaf(set.leafRequest(db, 'x', root, { settings })))).code).toBe(
      'not-a-node',
    );
    expect((await db.sql(`select to_regclass('pgq.queue') as r`))[0].r).toBeNull();
  });

  it('refuses a public connect string of another database, unless told not to look', async () => {
    const db = await set.database();
    for (const elsewhere of [root, leaf, await set.database()]) {
      const error = await failureOf(createRoot(set.request(db, 'p', { publicLocation: elsewhere.url })));
      expect(error.message).toMatch(/^Public connect string points to different database.*\(fail=[1-7]\)$/);
    }
    expect((await db.sql(`select to_regclass('pgq.queue') as r`))[0].r).toBeNull();
    expect(await createRoot(set.request(db, 'p', { publicLocation: root.url, check: false }))).toBe(
      'created',
    );
  });

  it('warns about a public connect string without a host', async () => {
    const db = await set.database();
    set.messages.length = 0;
    await createRoot(set.request(db, 'p', { publicLocation: 'dbname=x', check: false }));
    expect(set.messages).toContain('No host= in public connect string, bad idea');
  });
});

describe('pause, resume and waits', () => {
  let root: TestDatabase;
  let leaf: TestDatabase;
  let stopWorker: () => Promise<void>;
  beforeAll(async () => {
    root = await set.database();
    leaf = await set.database(-1);
    await set.root(root, 'r');
    await set.leaf(leaf, 'l', root);
    stopWorker = set.startWorker(set.ini(leaf, 'l_w', ['loop_delay = 0.1']));
  });
  const flags = async () => (await leaf.sql('select paused, uptodate from pgq_node.local_state'))[0];
  const pause = (paused: boolean, timeoutMs: number) =>
    setPaused({ settings: set.settings(leaf, 'l_w'), paused, timeoutMs, log: set.log });
  const wait = (db: TestDatabase, consumer: string, upTo: 'root' | 'provider', timeoutMs = 10_000) =>
    waitForTick({ settings: set.settings(db, consumer), upTo, timeoutMs, log: set.log });

  it('waits for what the root has committed, without a ticker and without a minute', async () => {
    const started = Date.now();
    const [event] = await root.sql(
      `select pgq.insert_event($1, 'pgq.location-info', 'later', $1, 'dbname=later', 'false', null) as id`,
      [QUEUE],
    );
    expect(Number(event.id)).toBeGreaterThan(0);
    const reached = await wait(leaf, 'l_w', 'root');
    expect(await leaf.sql(`select from pgq_node.node_location where node_name = 'later'`)).toHaveLength(1);
    expect(await wait(leaf, 'l_w', 'provider')).toBeGreaterThan(reached ?? 0n);
    expect(Date.now() - started).toBeLessThan(8_000);
    await leaf.sql(`delete from pgq_node.node_location where node_name = 'later'`);
  });

  it('asks the ticker where it may not tick itself', async () => {
    const session = await openHere(set.settings(root, 'r_w'));
    const before = await newestTick(session, QUEUE);
    expect(await forceTick(session, QUEUE)).toEqual({ tick: before + 1n, made: true });
    await root.sql('alter function kaja.poll_ticks(interval) rename to away');
    expect(await forceTick(session, QUEUE)).toEqual({ tick: before + 2n, made: false });
    await root.sql('select pgq.ticker()');
    expect(await newestTick(session, QUEUE)).toBe(before + 2n);
    await root.sql('alter function kaja.away(interval) rename to poll_ticks');
    await session.close();
  });

  it('has nothing to wait for on the root', async () => {
    expect(await wait(root, 'r_w', 'root')).toBeUndefined();
    expect(set.messages).toContain('Current node is root, no need to wait');
  });

  it('pauses and resumes the worker, and waits for its answer', async () => {
    await pause(true, 10_000);
    expect(await flags()).toEqual({ paused: true, uptodate: true });
    const stuck = await failureOf(wait(leaf, 'l_w', 'root', 500));
    expect(stuck.code).toBe('timeout');
    expect(stuck.hint).toBe('the node is paused');
    await pause(true, 10_000); // again is no error
    await pause(false, 10_000);
    expect(await flags()).toEqual({ paused: false, uptodate: true });
    await wait(leaf, 'l_w', 'root');
  });

  it('says so when no worker answers, and leaves the flag set', async () => {
    await stopWorker();
    const error = await failureOf(pause(true, 300));
    expect(error.code).toBe('timeout');
    expect(error.message).toBe(
      'worker l_w did not answer within 0.3 s (it is not running); it stays tagged as paused',
    );
    expect(await flags()).toEqual({ paused: true, uptodate: false });
    await pause(false, 0);
    expect(await flags()).toEqual({ paused: false, uptodate: false });
    const late = await failureOf(wait(leaf, 'l_w', 'root', 300));
    expect(late.message).toMatch(/^tick \d+ was not reached within 0.3 s, l_w stands at \d+$/);
  });

  it('knows only consumers of this node', async () => {
    const error = await failureOf(
      setPaused({ settings: set.settings(leaf, 'nobody'), paused: true, timeoutMs: 100, log: set.log }),
    );
    expect(error.message).toContain('Unknown consumer: nobody');
  });
});

describe('drop-node and tags', () => {
  const drop = (db: TestDatabase, worker: string, node: string) =>
    dropNode({ settings: set.settings(db, worker), node, log: set.log });
  const names = async (db: TestDatabase) =>
    (await db.sql('select node_name from pgq_node.node_location order by 1')).map((row) => row.node_name);
  const trio = async () => {
    const root = await set.database();
    const [one, two] = [await set.database(), await set.database(-1)];
    await set.root(root, 'r');
    await set.leaf(one, 'l1', root);
    await set.leaf(two, 'l2', root);
    return { root, one, two };
  };

  it('drops a node from anywhere, with consumers and traces of its copies; the name is free again', async () => {
    const { root, one, two } = await trio();
    await root.sql(
      `create table public.t (id int primary key); select londiste.local_add_table('${QUEUE}', 'public.t')`,
    );
    await two.sql('create table public.t (id int primary key)');
    await two.sql('select londiste.global_add_table($1, $2)', [QUEUE, 'public.t']);
    await two.sql('select londiste.local_add_table($1, $2)', [QUEUE, 'public.t']);
    await two.sql(
      `insert into kaja.table_stats (queue_name, table_name, insert_found) values ($1, 'public.t', 3)`,
      [QUEUE],
    );
    await root.sql(
      `select pgq.register_consumer($1, 'l2_w.copy.public.t'), pgq.register_consumer($1, 'l2_watcher')`,
      [QUEUE],
    );
    await drop(one, 'l1_w', 'l2');
    expect(await names(root)).toEqual(['l1', 'r']);
    expect(await names(one)).toEqual(['l1', 'r']);
    expect(await names(two)).toEqual([]);
    expect((await nodeTables(two))[0]).toMatchObject({ info: null, state: null });
    expect(await two.sql('select from kaja.table_stats')).toHaveLength(0);
    expect(await two.sql(`select from pg_trigger where tgrelid = 'public.t'::regclass`)).toHaveLength(0);
    expect((await nodeTables(root))[0].consumers).toEqual([
      '.global_watermark',
      '.l1.watermark',
      'l1_w',
      'l2_watcher',
    ]);
    await set.leaf(two, 'l2', root);
    expect(await names(root)).toEqual(['l1', 'l2', 'r']);
    await drop(two, 'l2_w', 'l2'); // also from itself
    expect(await names(root)).toEqual(['l1', 'r']);
  });

  it('refuses a node that provides for others, and unknown ones', async () => {
    const { root, one } = await trio();
    for (const [db, worker] of [
      [root, 'r_w'],
      [one, 'l1_w'],
    ] as const) {
      const error = await failureOf(drop(db, worker, 'r'));
      expect(error.message).toBe('node still has subscribers: r provides for l1, l2');
      expect(error.exitCode).toBe(5);
    }
    expect((await failureOf(drop(root, 'r_w', 'l9'))).message).toBe('Unknown node: l9');
    expect(await names(root)).toEqual(['l1', 'l2', 'r']);
  });

  it('drops a node whose database is gone, and a lonely root', async () => {
    const { root, one, two } = await trio();
    await two.sql('select pgq_node.drop_node($1, $2)', [QUEUE, 'l2']);
    await drop(root, 'r_w', 'l2'); // the database answers but is no node any more
    await set.discard(one);
    set.messages.length = 0;
    await drop(root, 'r_w', 'l1');
    expect(set.messages.some((text) => text.startsWith('Node l1 failure: cannot connect'))).toBe(true);
    expect(await names(root)).toEqual(['r']);
    expect((await nodeTables(root))[0].consumers).toEqual(['.global_watermark']);
    await drop(root, 'r_w', 'r');
    expect(await root.sql('select from pgq.queue')).toHaveLength(0);
  });

  it('leaves everything when the root cannot be told, unless the root is dead', async () => {
    const { one, two } = await trio();
    // What its worker would have heard by now.
    await one.sql('select pgq_node.register_location($1, $2, $3, false)', [QUEUE, 'l2', two.url]);
    await one.sql(
      `update pgq_node.node_location set node_location = 'host=127.0.0.1 port=1 dbname=x' where node_name = 'r'`,
    );
    const error = await failureOf(drop(one, 'l1_w', 'l1'));
    expect(error.exitCode).toBe(4);
    expect(error.hint).toContain('tag-dead r');
    expect((await nodeTables(one))[0].info).toHaveLength(1);
    expect(
      await tagNode({ settings: set.settings(one, 'l1_w'), node: 'r', dead: true, log: set.log }),
    ).toEqual([]);
    await drop(one, 'l1_w', 'l1');
    expect((await nodeTables(one))[0].info).toBeNull();
    expect(await names(two)).toEqual(['l2', 'r']);
  });

  it('tags a node dead and alive on all members', async () => {
    const { root, one, two } = await trio();
    const tag = (db: TestDatabase, worker: string, node: string, dead: boolean) =>
      tagNode({ settings: set.settings(db, worker), node, dead, log: set.log });
    const dead = async (db: TestDatabase) =>
      (await db.sql('select node_name from pgq_node.node_location where dead')).map((row) => row.node_name);
    await tag(one, 'l1_w', 'l2', true);
    expect([await dead(root), await dead(one), await dead(two)]).toEqual([['l2'], ['l2'], []]);
    expect(
      (
        await root.sql(
          `select ev_data, ev_extra3 from pgq.event_template where ev_type = 'pgq.location-info' order by ev_id desc limit 1`,
        )
      )[0],
    ).toEqual({ ev_data: 'l2', ev_extra3: 'true' });
    await tag(root, 'r_w', 'l2', false);
    expect([await dead(root), await dead(one), await dead(two)]).toEqual([[], [], []]);
    expect((await failureOf(tag(root, 'r_w', 'r', true))).message).toContain('is the local node');
    expect((await failureOf(tag(root, 'r_w', 'l9', true))).message).toBe('Unknown node: l9');
  });
});
