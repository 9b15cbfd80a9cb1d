/** `kaja run`: root, leaf and ticker in one process. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../src/runtime/pidfile.ts';
import { eventually } from '../support/eventually.ts';
import { kaja, killLeftOvers, startKaja } from '../support/kaja-process.ts';
import { createPair, type NodePair } from '../support/node-pair.ts';

let pair: NodePair;
let dir: string;
let tickerIni: string;

beforeAll(async () => {
  pair = await createPair();
  dir = join(pair.rootIni, '..');
  tickerIni = join(dir, 'pgqd.ini');
  writeFileSync(tickerIni, `[pgqd]\ndb = ${pair.root.url}\njob_name = the_ticker\n`);
  for (const db of [pair.root, pair.leaf])
    await db.sql('create table public.t (id int primary key, data text)');
  expect(await pair.onRoot('add-table', 'public.t')).toMatchObject({ code: 0 });
  expect(await pair.onLeaf('add-table', 'public.t')).toMatchObject({ code: 0 });
  pair.startWorker();
  await pair.sync();
  await pair.stopWorker();
});
afterAll(() => pair?.drop());
afterEach(killLeftOvers);

/** Write a row on the root. @returns milliseconds until the leaf has it */
async function delayOf(id: number): Promise<number> {
  await pair.root.sql('insert into public.t values ($1, $2)', [id, `row ${id}`]);
  const from = performance.now();
  await eventually(
    async () => (await pair.leaf.sql('select from public.t where id = $1', [id])).length === 1,
    Boolean,
    {
      intervalMs: 5,
      what: `row ${id} on the leaf`,
    },
  );
  return performance.now() - from;
}

describe('kaja run', () => {
  it('runs root, leaf and ticker; a row arrives within a second; SIGTERM ends all', async () => {
    const child = startKaja('run', pair.rootIni, pair.leafIni, tickerIni);
    await delayOf(1);
    expect(await delayOf(2)).toBeLessThan(1000);
    expect(child.err()).toContain('INFO running root_job, leaf_job, the_ticker');
    expect(child.err()).not.toContain('no ticker is configured');
    const from = performance.now();
    child.signal('SIGTERM');
    const { code, err } = await child.ended();
    expect(code).toBe(0);
    expect(performance.now() - from).toBeLessThan(5000);
    expect(err).toContain('INFO all stopped');
    expect(err).not.toMatch(/ERROR|WARNING/);
  });

  it('ticks the database of the root itself when no ticker is given', async () => {
    const child = startKaja('run', pair.leafIni, pair.rootIni);
    await delayOf(10);
    expect(await delayOf(11)).toBeLessThan(1000);
    expect(child.err()).toContain('no ticker is configured: ticking the database of the root too');
    child.signal('SIGINT');
    expect((await child.ended()).code).toBe(0);
  });

  it('starts nothing when one ini is wrong', async () => {
    const wrong = join(dir, 'wrong.ini');
    writeFileSync(wrong, `[londiste]\ndb = ${pair.leaf.url}\n`);
    const first = await kaja('run', pair.rootIni, wrong, tickerIni);
    expect(first.code).toBe(3);
    expect(first.err.trimEnd()).toMatch(/ERROR .*wrong\.ini: queue_name is missing in \[londiste\]; .*$/);
    expect(first.err).not.toContain('running');

    writeFileSync(wrong, `[londiste]\ndb = ${pair.leaf.url}\nqueue_name = none\n`);
    const second = await kaja('run', pair.rootIni, wrong, tickerIni);
    expect(second.code).toBe(5);
    expect(second.err).toMatch(/ERROR .*wrong\.ini: /);
    expect(second.err).not.toContain('running');

    expect((await kaja('run', pair.rootIni, pair.rootIni)).err).toContain('is given twice');
    expect((await kaja('run', pair.rootIni, '--set', 'ticker_period=1')).err).toContain(
      'none of the files knows the key "ticker_period"',
    );
  });

  it('goes to the background with a logfile of its own, and holds the pidfiles of all', async () => {
    const own = join(dir, 'own.ini');
    writeFileSync(
      own,
      `${readFileSync(pair.leafIni, 'utf8')}pidfile = ${dir}/leaf.pid\nlogfile = ${dir}/leaf.log\n`,
    );
    const words = [
      'run',
      tickerIni,
      own,
      '--set',
      `pidfile=${dir}/run.pid`,
      '--set',
      `logfile=${dir}/run.log`,
    ];
    expect(await kaja(...words, '-d')).toEqual({ code: 0, out: '', err: '' });
    const pid = Number(readFileSync(join(dir, 'run.pid'), 'utf8'));
    try {
      expect(Number(readFileSync(join(dir, 'leaf.pid'), 'utf8'))).toBe(pid);
      await delayOf(20);
      const worker = await kaja(own, 'worker');
      expect(worker.code).toBe(5);
      expect(worker.err).toContain('Pidfile exists, another process running?');
      expect(readFileSync(join(dir, 'run.log'), 'utf8')).toContain('pgq version ok');

      writeFileSync(own, `${readFileSync(own, 'utf8')}copy_jobs = 2\n`);
      expect((await kaja('-r', own)).err).toBe(`SIGHUP sent to ${pid}\n`);
      await eventually(() =>
        readFileSync(join(dir, 'leaf.log'), 'utf8').includes('[leaf_job] Config reloaded'),
      );
      await delayOf(21);
    } finally {
      expect((await kaja('-s', own)).err).toBe(`SIGINT sent to ${pid}\n`);
      await eventually(() => !isAlive(pid));
    }
    expect(existsSync(join(dir, 'leaf.pid'))).toBe(false);
    expect(existsSync(join(dir, 'run.pid'))).toBe(false);
  });
});
