/** `kaja CONFIG.ini worker`: when it ends, repositioning, and as a process. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/runtime/pidfile.ts';
import { eventually } from '../support/eventually.ts';
import { kaja, killLeftOvers } from '../support/kaja-process.ts';
import { createPair, type NodePair, runKaja } from '../support/node-pair.ts';

let pair: NodePair;
let nextId = 1;

beforeAll(async () => {
  pair = await createPair();
  for (const db of [pair.root, pair.leaf]) await db.sql('create table public.t (id int primary key)');
  expect(await pair.onRoot('add-table', 'public.t')).toMatchObject({ code: 0 });
  expect(await pair.onLeaf('add-table', 'public.t')).toMatchObject({ code: 0 });
  pair.startWorker();
  await pair.sync();
  await pair.stopWorker();
});
afterAll(() => pair?.drop());
afterEach(async () => {
  await pair.stopWorker();
  killLeftOvers();
});

/** Write a row and tick. @returns its id and the tick */
async function write(): Promise<{ id: number; tick: bigint }> {
  const id = nextId++;
  await pair.root.sql('insert into public.t values ($1)', [id]);
  return { id, tick: await pair.tick() };
}
const arrived = async (id: number): Promise<boolean> =>
  (await pair.leaf.sql('select from public.t where id = $1', [id])).length === 1;
const leafTick = async (): Promise<bigint> =>
  BigInt(
    (
      await pair.leaf.sql(
        `select last_tick_id::text as t from pgq_node.local_state where consumer_name = 'leaf_job'`,
      )
    )[0].t,
  );
const providerTick = async (): Promise<bigint> =>
  BigInt(
    (
      await pair.root.sql(`select last_tick::text as t from pgq.get_consumer_info($1, 'leaf_job')`, [
        pair.queue,
      ])
    )[0].t,
  );
const worker = (...words: string[]): ReturnType<NodePair['onLeaf']> => pair.onLeaf('worker', ...words);
const untilIdle = ['--set', 'loop_delay=0'];

describe('loop_delay', () => {
  it('0 ends the worker when nothing is left to do', async () => {
    const rows = [await write(), await write(), await write()];
    expect(await worker(...untilIdle)).toMatchObject({ code: 0 });
    for (const { id } of rows) expect(await arrived(id)).toBe(true);
    expect(await leafTick()).toBe(rows.at(-1)?.tick);
    expect(await providerTick()).toBe(rows.at(-1)?.tick);
  });

  it('below 0 makes one pass', async () => {
    const { id, tick } = await write();
    expect(await worker('--set', 'loop_delay=-1')).toMatchObject({ code: 0 });
    expect(await arrived(id)).toBe(true);
    expect(await leafTick()).toBe(tick);
  });

  it('of both kinds ends with the code of a failure', async () => {
    const ini = join(pair.leafIni, '../dead.ini');
    writeFileSync(ini, '[londiste]\ndb = host=127.0.0.1 port=1 user=u\nqueue_name = q\nloop_delay = 0\n');
    const { code, err } = await runKaja(ini, 'worker');
    expect(code).toBe(4);
    expect(err).toMatch(/ERROR .*127\.0\.0\.1:1/);
  });
});

describe('a wrong node', () => {
  it('is refused before the worker starts', async () => {
    const { code, err } = await worker('--set', 'queue_name=none');
    expect(code).toBe(5);
    expect(err).not.toContain('worker started');
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect((await worker('--set', `db=${pair.leaf.url}_none`)).code).toBe(4);
  });
});

describe('--rewind', () => {
  it("sets the provider back to the node's tick, so that nothing is lost", async () => {
    await worker(...untilIdle);
    const at = await leafTick();
    const { id } = await write();
    const { tick } = await write();
    await pair.root.sql(`select pgq.register_consumer_at($1, 'leaf_job', $2)`, [pair.queue, tick]);
    await write();
    expect((await worker(...untilIdle)).err).toContain('lost position');
    const { code, err } = await worker('--rewind');
    expect(code).toBe(0);
    expect(err).toContain('INFO Rewinding queue');
    expect(err).toContain(`tick ${tick} → ${at}`);
    expect(await providerTick()).toBe(at);
    expect(await worker(...untilIdle)).toMatchObject({ code: 0 });
    expect(await arrived(id)).toBe(true);
  });

  it('fails when the provider has no such tick any more', async () => {
    const at = await leafTick();
    await pair.leaf.sql(
      `update pgq_node.local_state set last_tick_id = 1000000 where consumer_name = 'leaf_job'`,
    );
    const { code, err } = await worker('--rewind');
    expect(code).not.toBe(0);
    expect(err).toContain('tick not found: 1000000');
    await pair.leaf.sql(
      `update pgq_node.local_state set last_tick_id = $1 where consumer_name = 'leaf_job'`,
      [at],
    );
  });
});

describe('--reset', () => {
  it("sets the node to the provider's tick; what lies between is skipped", async () => {
    await worker(...untilIdle);
    const skipped = await write();
    await pair.root.sql(`select pgq.register_consumer_at($1, 'leaf_job', $2)`, [pair.queue, skipped.tick]);
    const { code, err } = await worker('--reset');
    expect(code).toBe(0);
    expect(err).toContain('INFO Resetting queue tracking on dst side');
    expect(await leafTick()).toBe(skipped.tick);
    const next = await write();
    expect(await worker(...untilIdle)).toMatchObject({ code: 0 });
    expect(await arrived(next.id)).toBe(true);
    expect(await arrived(skipped.id)).toBe(false);
  });

  it('is refused when the provider does not know the consumer', async () => {
    await pair.leaf.sql(`select pgq_node.register_consumer($1, 'other', 'root', 1)`, [pair.queue]);
    const { code, err } = await worker('--reset', '--set', 'job_name=other');
    expect(code).toBe(5);
    expect(err).toContain('consumer other is not registered on queue pair_q');
    await pair.leaf.sql(`select pgq_node.unregister_consumer($1, 'other')`, [pair.queue]);
  });
});

describe('repositioning', () => {
  it('is refused on the root, with both options, and while a worker is running', async () => {
    expect(await pair.onRoot('worker', '--rewind')).toMatchObject({
      code: 5,
      err: expect.stringContaining('node root is the root'),
    });
    expect((await worker('--rewind', '--reset')).code).toBe(2);
    pair.startWorker();
    const { id } = await write();
    await eventually(() => arrived(id));
    expect(await worker('--reset')).toMatchObject({
      code: 5,
      err: expect.stringContaining('a worker of node leaf is running'),
    });
  });
});

describe('as a process', () => {
  it('goes to the background, takes a changed ini, and ends', async () => {
    const dir = join(pair.leafIni, '..');
    const ini = join(dir, 'own.ini');
    const text = `${readFileSync(pair.leafIni, 'utf8')}pidfile = ${dir}/w.pid\nlogfile = ${dir}/w.log\n`;
    writeFileSync(ini, text);
    const log = (): string => readFileSync(`${dir}/w.log`, 'utf8');
    expect(await kaja(ini, 'worker', '-d')).toEqual({ code: 0, out: '', err: '' });
    const pid = Number(readFileSync(`${dir}/w.pid`, 'utf8'));
    try {
      const first = await write();
      await eventually(() => arrived(first.id));
      writeFileSync(ini, text.replace('loop_delay = 0.05', 'loop_delay = 0.06'));
      expect((await kaja(ini, '-r')).err).toBe(`SIGHUP sent to ${pid}\n`);
      await eventually(() => /INFO Config reloaded\n/.test(log()));
      const second = await write();
      await eventually(() => arrived(second.id));
    } finally {
      expect((await kaja(ini, '-k')).err).toBe(`SIGTERM sent to ${pid}\n`);
      await eventually(() => !isAlive(pid));
    }
    expect(existsSync(`${dir}/w.pid`)).toBe(false);
    expect(log()).toContain('INFO worker stopped');
  });
});
