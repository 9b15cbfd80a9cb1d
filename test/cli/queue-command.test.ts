/** `kaja queue DSN VERB` as a process, as people use it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SERVERS } from '../sql/queue-support.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { killLeftOvers, startKaja } from '../support/kaja-process.ts';
import { runKaja as kaja } from '../support/node-pair.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

describe.each(SERVERS)('kaja queue on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server });
  });
  afterEach(() => killLeftOvers());
  afterAll(() => db?.drop());
  const run = (...words: string[]): ReturnType<typeof kaja> => kaja('queue', db.url, ...words);
  const good = async (...words: string[]): Promise<string> => {
    const { code, out, err } = await run(...words);
    expect(code, err).toBe(0);
    return out;
  };
  const json = async (...words: string[]): Promise<unknown> => JSON.parse(await good(...words, '--json'));
  const withInput = (
    input: string,
    ...words: string[]
  ): Promise<{ code: number | null; out: string; err: string }> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, ['--import', 'tsx', MAIN, 'queue', db.url, ...words]);
      let out = '';
      let err = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
      child.on('close', (code) => resolve({ code, out, err }));
      child.stdin.end(input);
    });

  it('creates, shows, moves and drops', { timeout: 120_000 }, async () => {
    expect(await json('list')).toEqual([]);
    expect(await good('create', 'orders', '--max-lag', '0.5', '--rotation-period', '600')).toBe(
      'queue orders created\n',
    );
    expect(await json('create', 'orders')).toEqual({ queue: 'orders', created: false });
    expect(await json('list')).toMatchObject([
      { name: 'orders', tables: 3, ticker_max_lag_seconds: 0.5, rotation_period_seconds: 600, last_tick: 1 },
    ]);
    expect(await good('register', 'orders', 'mailer')).toBe('consumer mailer registered\n');
    expect(await good('register', 'orders', 'early', '--at', 'start')).toContain('registered');
    expect(await good('produce', 'orders', 'one', 'two', '--type', 't')).toBe('2 events produced\n');
    await db.sql(`select pgq.force_tick('orders')`);
    await db.sql(`select pgq.ticker('orders')`);
    expect(await json('consumers', 'orders')).toMatchObject([
      { queue: 'orders', name: 'early', last_tick: 1, batch: null },
      { name: 'mailer', last_tick: 1 },
    ]);
    expect(await json('seek', 'orders', 'mailer', 'end', '--yes')).toEqual({
      queue: 'orders',
      consumer: 'mailer',
      tick: 2,
    });
    const info = await good('info', 'orders');
    expect(info).toMatch(/ticker_max_lag_seconds +0\.5/);
    expect(info).toMatch(/orders +mailer/);
    expect(await json('info', 'orders')).toMatchObject({
      name: 'orders',
      consumers: [{ name: 'early' }, { name: 'mailer' }],
    });
    expect(await good('tail', 'orders', '--from', 'start', '--once')).toMatch(
      /^1\t\S+\tt\tone\n2\t\S+\tt\ttwo\n$/,
    );
    expect(await good('unregister', 'orders', 'mailer', '--yes')).toBe('consumer mailer unregistered\n');
    expect(await run('drop', 'orders', '--yes')).toMatchObject({
      code: 5,
      err: expect.stringContaining('has consumers: early'),
    });
    expect(await good('drop', 'orders', '--yes', '--force')).toBe('queue orders dropped\n');
    expect(await json('list')).toEqual([]);
  });

  it('does nothing that cannot be undone without --yes', { timeout: 120_000 }, async () => {
    await good('create', 'q');
    await good('register', 'q', 'c');
    for (const words of [
      ['drop', 'q', '--force'],
      ['unregister', 'q', 'c'],
      ['seek', 'q', 'c', 'start'],
    ]) {
      const { code, err } = await run(...words);
      expect(code).toBe(2);
      expect(err).toMatch(/^[^\n]*this (drops|forgets|moves)[^\n]*; add --yes to do that\n$/);
    }
    expect(await json('consumers', 'q')).toMatchObject([{ name: 'c' }]);
    await good('drop', 'q', '--yes', '--force');
  });

  it('produces from stdin, by line and as objects, all or nothing', { timeout: 120_000 }, async () => {
    await good('create', 'q');
    expect(await withInput('a\nb\\n\n\nlast', 'produce', 'q', '--type', 'x')).toMatchObject({
      code: 0,
      out: '4 events produced\n',
    });
    const objects = '{"type":"o","data":"1","extra1":"e"}\n{"data":null}\n';
    expect(await withInput(objects, 'produce', 'q', '--ndjson', '--json')).toMatchObject({ code: 0 });
    const bad = await withInput('{"data":"kept?"}\n{"data":1}\n', 'produce', 'q', '--ndjson');
    expect(bad).toMatchObject({ code: 2, out: '' });
    expect(bad.err).toMatch(/^[^\n]*line 2 of stdin: data of an event must be a string/);
    await db.sql(`select pgq.force_tick('q')`);
    await db.sql(`select pgq.ticker('q')`);
    const lines = (await good('tail', 'q', '--from', 'start', '--once', '--json')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { id: 1, type: 'x', data: 'a', extra1: null, retries: 0 },
      { data: 'b\\n' },
      { data: '' },
      { data: 'last' },
      { type: 'o', data: '1', extra1: 'e' },
      { data: null, type: null },
    ]);
    await good('drop', 'q', '--yes');
  });

  it('follows a queue until it is interrupted, and leaves nothing behind', { timeout: 60_000 }, async () => {
    await good('create', 'q');
    const tail = startKaja('queue', db.url, 'tail', 'q', '--json');
    const listening = `select 1 from pg_stat_activity where application_name = 'kaja queue tail' and datname = current_database()`;
    await eventually(
      async () =>
        (await db.sql(`${listening} and state = 'idle' and query not like '%set_config%'`)).length === 1,
    );
    await eventually(async () => {
      await db.sql(`select pgq.insert_event('q', 't', 'seen')`);
      await db.sql(`select pgq.force_tick('q')`);
      await db.sql(`select pgq.ticker('q')`);
      return tail.out().includes('seen');
    });
    tail.signal('SIGINT');
    expect(await tail.ended()).toMatchObject({ code: 0, err: '' });
    await eventually(async () => (await db.sql(listening)).length === 0);
    expect(await json('consumers', 'q')).toEqual([]);
    await good('drop', 'q', '--yes');
  });

  it('shows, replays and deletes what failed', { timeout: 120_000 }, async () => {
    await good('create', 'q');
    await good('register', 'q', 'c');
    await good('produce', 'q', 'later', 'never', 'gone');
    await db.sql(`select pgq.force_tick('q')`);
    await db.sql(`select pgq.ticker('q')`);
    const [{ id }] = await db.sql(`select pgq.next_batch('q', 'c') as id`);
    await db.sql('select kaja.retry_events($1, array[1], array[900])', [id]);
    await db.sql(`select kaja.bury_events($1, array[2, 3], array['too bad', 'worse'])`, [id]);
    await db.sql('select pgq.finish_batch($1)', [id]);
    expect(await json('retry-list', 'q')).toMatchObject([
      { consumer: 'c', event_id: 1, retries: 1, data: 'later' },
    ]);
    const letters = (await json('dead-list', 'q')) as { id: number }[];
    expect(letters).toMatchObject([
      { consumer: 'c', event_id: 2, data: 'never', reason: 'too bad', deliveries: 1 },
      { event_id: 3, reason: 'worse' },
    ]);
    expect(await good('dead-list', 'q', '--id', String(letters[1]?.id))).toMatch(/gone +worse/);
    expect(await good('replay', 'q', '--id', String(letters[0]?.id))).toBe('1 event goes back\n');
    expect(await json('retry-list', 'q', '--consumer', 'c')).toHaveLength(2);
    expect((await run('dead-delete', 'q')).code).toBe(2);
    expect(await good('dead-delete', 'q', '--yes')).toBe('1 dead letter deleted\n');
    expect(await json('dead-list', 'q')).toEqual([]);
    await good('drop', 'q', '--yes', '--force');
  });

  it('answers mistakes with one line', { timeout: 120_000 }, async () => {
    const line = async (...words: string[]): Promise<string> => {
      const { code, out, err } = await kaja('queue', ...words);
      expect([out, code === 0]).toEqual(['', false]);
      expect(err.trimEnd().split('\n')).toHaveLength(1);
      return err;
    };
    expect(await line('list')).toMatch(/missing required argument|connection string/);
    expect(await line(db.url, 'lst')).toContain('did you mean list?');
    expect(await line(db.url, 'info')).toContain('queue info needs <queue>');
    expect(await line(db.url, 'info', 'none')).toContain('queue "none" does not exist');
    expect(await line(db.url, 'list', 'x')).toContain('does not take "x"');
    expect(await line(db.url, 'list', '--force')).toContain('--force does not go with queue list');
    expect(await line(db.url, 'create', 'q', '--max-lag', 'soon')).toContain(
      '--max-lag soon is not a number of seconds',
    );
    expect(await line(db.url, 'produce', 'none', 'x')).toContain('queue "none" does not exist');
    expect(await line(db.url, 'tail', 'none')).toContain('queue "none" does not exist');
    expect(await line(db.url, 'dead-list', 'none', '--id', 'x')).toContain('--id x is not a number');
    expect(await line('host=127.0.0.1 port=1 dbname=x user=y', 'list')).toContain(
      'cannot connect to x at 127.0.0.1:1',
    );
  });

  it('takes the ini file of a node', { timeout: 60_000 }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'kaja-queue-'));
    try {
      const ini = join(dir, 'node.ini');
      writeFileSync(ini, `[londiste]\nqueue_name = x\ndb = ${db.url}\n`);
      for (const words of [
        [ini, 'queue', 'list', '--json'],
        ['queue', ini, 'list', '--json'],
      ])
        expect(await kaja(...words)).toMatchObject({ code: 0, out: '[]\n' });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
