/** Consumer of the library: handlers, iterators, retries, dead letters, stops, lost connections. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Batch,
  type ConsumedEvent,
  Consumer,
  type ConsumerOptions,
  type KajaError,
  Queue,
} from '../../src/queue/index.ts';
import { SERVERS } from '../sql/queue-support.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { openProxy } from '../support/proxy.ts';
import { startTicking, type Ticking } from '../support/ticking.ts';

describe.each(SERVERS)('Consumer on the %s', (_name, server) => {
  let db: TestDatabase;
  let queue: Queue;
  let ticking: Ticking;
  let stop: AbortController;
  const log: string[] = [];
  const note = (text: string): void => void log.push(text);
  const logger = { info: note, warn: note, error: note };
  const running: Promise<void>[] = [];
  beforeAll(async () => {
    db = await createDatabase({ server });
    ticking = await startTicking(db.url);
  });
  afterAll(async () => {
    await ticking?.stop();
    await db?.drop();
  });
  beforeEach(async () => {
    stop = new AbortController();
    log.length = 0;
    queue = new Queue('work', { connection: db.url });
    await queue.create({ tickerMaxLagSeconds: 0, tickerIdlePeriodSeconds: 0.1 });
  });
  afterEach(async () => {
    stop.abort();
    await Promise.allSettled(running.splice(0));
    await queue.drop({ force: true });
    await db.sql('truncate kaja.dead_letter');
    await queue.close();
  });
  const consumer = (name: string, options: Partial<ConsumerOptions> = {}): Consumer =>
    new Consumer({ connection: db.url, queue: 'work', name, logger, pollSeconds: 0.2, ...options });
  /** Run in the background until the test ends; failures show up in `over`. */
  const background = (run: Promise<void>): Promise<void> => {
    running.push(run);
    run.catch(() => {});
    return run;
  };
  const produce = (...data: string[]): Promise<number> =>
    queue.produceMany(data.map((one) => ({ type: 't', data: one })));
  const registered = (name: string): Promise<unknown> =>
    eventually(
      () => queue.consumers(),
      (all) => all.some((one) => one.name === name),
    );
  const caughtUp = (name: string): Promise<unknown> =>
    eventually(async () => {
      const [me] = (await queue.consumers()).filter((one) => one.name === name);
      return me?.batch === null && me?.pendingEvents === 0n;
    });

  it('hands over events with all their fields', async () => {
    const seen: ConsumedEvent[] = [];
    void background(consumer('c').run((event) => seen.push(event), { signal: stop.signal }));
    await registered('c');
    const before = Date.now();
    const id = await queue.produce({ type: 'greeting', data: '{"to":"you"}', extra1: 'a', extra4: 'd' });
    const [event] = await eventually(
      () => seen,
      (all) => all.length === 1,
    );
    expect(event).toMatchObject({ id, type: 'greeting', extra1: 'a', extra2: null, extra4: 'd', retries: 0 });
    expect(event?.json<{ to: string }>().to).toBe('you');
    expect(Math.abs((event?.time.getTime() ?? 0) - before)).toBeLessThan(60_000);
    expect(typeof event?.txid).toBe('bigint');
    await produce('not json');
    await eventually(() => seen.length === 2);
    expect(() => seen[1]?.json()).toThrow(expect.objectContaining({ code: 'payload-invalid' }));
    expect(() => seen[1]?.json()).not.toThrow(/not json/);
  });

  it('gives two consumers all events each, a consumer of two processes each event once', async () => {
    const seen = new Map<string, string[]>([
      ['a', []],
      ['b', []],
    ]);
    for (const name of ['a', 'b', 'b'])
      void background(
        consumer(name).run((event) => void seen.get(name)?.push(event.data ?? ''), { signal: stop.signal }),
      );
    await registered('a');
    await registered('b');
    await eventually(() => log.some((line) => line.includes('standing by')));
    const all = Array.from({ length: 500 }, (_, n) => `${n}`);
    for (let at = 0; at < all.length; at += 50) await produce(...all.slice(at, at + 50));
    await eventually(
      () => [...seen.values()],
      (lists) => lists.every((list) => list.length >= 500),
    );
    await caughtUp('b');
    expect(seen.get('a')).toEqual(all);
    expect(seen.get('b')).toEqual(all);
  });

  it('shares batches among workers, with their retries and dead letters', async () => {
    const seen = new Map<string, string[]>();
    for (const worker of ['w1', 'w2'])
      void background(
        consumer('c', { worker, attempts: 2, retryDelaySeconds: 0 }).run(
          (event) => {
            seen.set(worker, [...(seen.get(worker) ?? []), event.data ?? '']);
            if (event.data === 'bad') throw new Error('bad');
          },
          { signal: stop.signal },
        ),
      );
    await eventually(async () => (await queue.consumers()).length === 3);
    const all = Array.from({ length: 60 }, (_, n) => `${n}`);
    for (const data of all) await produce(data);
    await produce('bad');
    const [letter] = await eventually(
      () => queue.deadLetters(),
      (letters) => letters.length === 1,
    );
    expect(letter).toMatchObject({ consumer: 'c', data: 'bad', deliveries: 2 });
    await eventually(() => [...seen.values()].flat().length >= 62);
    expect([...seen.values()].flat().sort()).toEqual([...all, 'bad', 'bad'].sort());
    expect(await queue.replay()).toBe(1);
    await eventually(() => [...seen.values()].flat().filter((data) => data === 'bad').length === 4);
  });

  it('takes the batch of a worker that died', async () => {
    await queue.register('c');
    await db.sql(`select pgq_coop.register_subconsumer('work', 'c', 'dead')`);
    await produce('x');
    await queue.tick();
    // The worker takes the batch with the event and is never heard of again.
    await eventually(async () => {
      const [{ id }] = await db.sql(`select pgq_coop.next_batch('work', 'c', 'dead') as id`);
      if (id === null) return false;
      if ((await db.sql('select ev_id from pgq.get_batch_events($1)', [id])).length === 1) return true;
      await db.sql('select pgq_coop.finish_batch($1)', [id]);
      return false;
    });
    const seen: string[] = [];
    void background(
      consumer('c', { worker: 'alive', workerTimeoutSeconds: 0.5 }).run(
        (event) => void seen.push(event.data ?? ''),
        {
          signal: stop.signal,
        },
      ),
    );
    await eventually(
      () => seen,
      (all) => all.length === 1,
    );
    expect((await queue.consumers()).map((one) => one.name)).toEqual(['c', 'c.alive']);
  });

  it('lets the process that stands by take over', async () => {
    const first: string[] = [];
    const second: string[] = [];
    const stopFirst = new AbortController();
    const run = background(
      consumer('c').run((event) => void first.push(event.data ?? ''), { signal: stopFirst.signal }),
    );
    await registered('c');
    await produce('1');
    await eventually(() => first.length === 1);
    void background(
      consumer('c').run((event) => void second.push(event.data ?? ''), { signal: stop.signal }),
    );
    await eventually(() => log.some((line) => line.includes('standing by')));
    stopFirst.abort();
    await run;
    await produce('2');
    await eventually(() => second.length === 1);
    expect([first, second]).toEqual([['1'], ['2']]);
  });

  it('retries with a delay, buries after the last attempt, and replays', async () => {
    const tries: { data: string; retries: number; at: number }[] = [];
    let healed = false;
    const failing = consumer('c', { attempts: 3, retryDelaySeconds: (failures) => failures * 0.3 });
    void background(
      failing.run(
        (event) => {
          tries.push({ data: event.data ?? '', retries: event.retries, at: performance.now() });
          if (event.data === 'bad' && !healed) throw new Error('password=hunter2 is wrong\nsecond line');
        },
        { signal: stop.signal },
      ),
    );
    await registered('c');
    await produce('good', 'bad', 'fine');
    const [letter] = await eventually(
      () => queue.deadLetters(),
      (all) => all.length === 1,
    );
    expect(letter).toMatchObject({ queue: 'work', consumer: 'c', type: 't', data: 'bad', deliveries: 3 });
    expect(letter?.reason).toBe('password=*** is wrong second line');
    const bad = tries.filter((one) => one.data === 'bad');
    expect(bad.map((one) => one.retries)).toEqual([0, 1, 2]);
    expect((bad[1]?.at ?? 0) - (bad[0]?.at ?? 0)).toBeGreaterThanOrEqual(290);
    expect((bad[2]?.at ?? 0) - (bad[1]?.at ?? 0)).toBeGreaterThanOrEqual(590);
    expect(tries.filter((one) => one.data !== 'bad').map((one) => one.data)).toEqual(['good', 'fine']);

    healed = true;
    expect(await queue.replay({ consumer: 'other' })).toBe(0);
    expect(await queue.replay({ ids: [letter?.id ?? 0n] })).toBe(1);
    expect(await queue.deadLetters()).toEqual([]);
    await eventually(() => tries.filter((one) => one.data === 'bad').length === 4);
    expect(tries.at(-1)).toMatchObject({ data: 'bad', retries: 0 });
    await caughtUp('c');
    expect(await queue.waiting()).toEqual([]);
  });

  it('keeps dead letters of consumers that are gone, until they are deleted', async () => {
    const c = consumer('c');
    void background(c.run((event) => event.bury('never again'), { signal: stop.signal }));
    await registered('c');
    await produce('x', 'y');
    await eventually(
      () => queue.deadLetters({ consumer: 'c' }),
      (all) => all.length === 2,
    );
    stop.abort();
    await Promise.all(running);
    await queue.unregister('c');
    await expect(queue.replay()).rejects.toEqual(
      expect.objectContaining({ code: 'consumer-missing', message: expect.stringContaining('"c"') }),
    );
    const [first] = await queue.deadLetters();
    expect(await queue.deleteDeadLetters({ ids: [first?.id ?? 0n] })).toBe(1);
    expect((await queue.deadLetters()).map((one) => [one.data, one.reason])).toEqual([['y', 'never again']]);
    expect(await queue.deleteDeadLetters()).toBe(1);
  });

  it('shows what waits for another delivery', async () => {
    void background(
      consumer('c', { retryDelaySeconds: 3_000 }).run(() => Promise.reject('no'), { signal: stop.signal }),
    );
    await registered('c');
    await produce('x');
    const [waiting] = await eventually(
      () => queue.waiting('c'),
      (all) => all.length === 1,
    );
    expect(waiting).toMatchObject({ consumer: 'c', data: 'x', retries: 1 });
    expect((waiting?.retryAt.getTime() ?? 0) - Date.now()).toBeGreaterThan(2_900_000);
    expect(await queue.waiting('other')).toEqual([]);
  });

  it('puts a whole batch of failures aside at once', async () => {
    void background(
      consumer('c', { attempts: 1 }).run(
        () => {
          throw new Error('down');
        },
        { signal: stop.signal },
      ),
    );
    await registered('c');
    await produce(...Array.from({ length: 5_000 }, (_, n) => `${n}`));
    const letters = await eventually(
      () => queue.deadLetters(),
      (all) => all.length === 5_000,
      { timeoutMs: 30_000 },
    );
    expect(letters.map((one) => one.data)).toEqual(Array.from({ length: 5_000 }, (_, n) => `${n}`));
  });

  it('returns at once when it is stopped while it waits', async () => {
    const run = background(consumer('c', { pollSeconds: 3_600 }).run(() => {}, { signal: stop.signal }));
    await registered('c');
    await produce('x');
    await caughtUp('c');
    stop.abort();
    await run;
    const already = new AbortController();
    already.abort();
    await consumer('c').run(() => {}, { signal: already.signal });
  });

  it('is woken by ticks, not by polling', async () => {
    const seen: string[] = [];
    void background(
      consumer('c', { pollSeconds: 3_600 }).run((event) => void seen.push(event.data ?? ''), {
        signal: stop.signal,
      }),
    );
    await registered('c');
    for (const data of ['a', 'b', 'c']) {
      await produce(data);
      await eventually(() => seen.includes(data));
    }
  });

  it('finishes the batch in hand when it is stopped', async () => {
    const seen: string[] = [];
    await queue.register('c');
    await produce('1', '2', '3');
    await consumer('c').run(
      async (event) => {
        stop.abort();
        seen.push(event.data ?? '');
      },
      { signal: stop.signal },
    );
    expect(seen).toEqual(['1', '2', '3']);
    await caughtUp('c');
  });

  it('leaves the batch open when the grace time is over', async () => {
    const seen: string[] = [];
    await queue.register('c');
    await produce('1', '2', '3');
    await consumer('c', { graceSeconds: 0 }).run(
      async (event, context) => {
        seen.push(event.data ?? '');
        stop.abort();
        await eventually(() => context.signal.aborted);
        throw new Error('given up');
      },
      { signal: stop.signal },
    );
    expect(seen).toEqual(['1']);
    expect(await queue.waiting()).toEqual([]);
    const again: string[] = [];
    const next = new AbortController();
    void background(consumer('c').run((event) => void again.push(event.data ?? ''), { signal: next.signal }));
    await eventually(() => again.length === 3);
    next.abort();
    expect(again).toEqual(['1', '2', '3']);
  });

  it('iterates events, which are done when the next one is asked for', async () => {
    await queue.register('c');
    const all = Array.from({ length: 2_500 }, (_, n) => `${n}`);
    await produce(...all);
    const seen: string[] = [];
    for await (const event of consumer('c').events({ signal: stop.signal })) {
      if (event.data === '7' && event.retries === 0) event.retry(0);
      else seen.push(event.data ?? '');
      if (seen.length === all.length) stop.abort();
    }
    expect(seen).toEqual([...all.filter((data) => data !== '7'), '7']);
    await caughtUp('c');
    await produce('left');
    for await (const event of consumer('c').events()) {
      expect(event.data).toBe('left');
      break;
    }
    for await (const event of consumer('c').events()) {
      expect(event.data).toBe('left');
      break;
    }
  });

  it('iterates and handles batches', async () => {
    await queue.register('c');
    await queue.register('d');
    await produce('1', '2');
    const c = consumer('c');
    let first: Batch | undefined;
    for await (const batch of c.batches({ signal: stop.signal })) {
      const events = await batch.all();
      expect(batch.tick).toBeGreaterThan(batch.previousTick);
      expect(batch.end.getTime()).toBeGreaterThanOrEqual(batch.start.getTime());
      if (events.length === 0) continue;
      first = batch;
      expect(events.map((event) => event.data)).toEqual(['1', '2']);
      stop.abort();
    }
    expect(typeof first?.id).toBe('bigint');
    await caughtUp('c');

    const next = new AbortController();
    const attempts: string[][] = [];
    await consumer('d').runBatches(
      async (batch) => {
        const data = (await batch.all()).map((event) => event.data ?? '');
        if (data.length === 0) return;
        attempts.push(data);
        if (attempts.length === 1) throw new Error('once');
        next.abort();
      },
      { signal: next.signal },
    );
    expect(attempts).toEqual([
      ['1', '2'],
      ['1', '2'],
    ]);
    expect(log.some((line) => /^once \(attempt 1/.test(line))).toBe(true);
  });

  it('handles events of a batch at the same time when asked to', async () => {
    await queue.register('c');
    await produce(...Array.from({ length: 40 }, (_, n) => `${n}`));
    let now = 0;
    let most = 0;
    let done = 0;
    await consumer('c', { concurrency: 4 }).run(
      async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setImmediate(resolve));
        now--;
        if (++done === 40) stop.abort();
      },
      { signal: stop.signal },
    );
    expect([most, done]).toEqual([4, 40]);
  });

  it('comes back after its connection was lost, within a batch and between', async () => {
    const seen: string[] = [];
    void background(
      consumer('c', { pollSeconds: 0.2 }).run(
        async (event) => {
          seen.push(event.data ?? '');
          if (event.data === '1500' && seen.length < 2_000)
            await db.sql(
              `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'kaja consumer c' and datname = current_database()`,
            );
        },
        { signal: stop.signal },
      ),
    );
    await registered('c');
    const all = Array.from({ length: 3_000 }, (_, n) => `${n}`);
    await produce(...all);
    await eventually(() => new Set(seen).size === 3_000, Boolean, { timeoutMs: 30_000 });
    await caughtUp('c');
    expect(seen.slice(-3_000)).toEqual(all);
    expect(log.some((line) => /lost|terminat/.test(line))).toBe(true);
    await db.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'kaja consumer c' and datname = current_database()`,
    );
    await produce('after');
    await eventually(() => seen.includes('after'), Boolean, { timeoutMs: 30_000 });
  });

  it('waits for a server that does not answer, and tells at once what waiting does not heal', async () => {
    const proxy = await openProxy(db.url);
    try {
      proxy.refuse();
      const seen: string[] = [];
      await queue.register('c');
      await produce('x');
      const through = `${proxy.url.replace(/\/$/, '')}/${db.name}`;
      void background(
        consumer('c', { connection: through }).run((event) => void seen.push(event.data ?? ''), {
          signal: stop.signal,
        }),
      );
      await eventually(() => log.some((line) => line.includes('cannot connect')));
      await proxy.accept();
      await eventually(
        () => seen,
        (all) => all.length === 1,
      );
    } finally {
      stop.abort();
      await Promise.all(running);
      await proxy.close();
    }
    const code = (options: Partial<ConsumerOptions>): Promise<string> =>
      consumer('c', options)
        .run(() => {})
        .then(
          () => 'none',
          (error: KajaError) => error.code,
        );
    expect(await code({ queue: 'nowhere' })).toBe('queue-missing');
    expect(await code({ name: 'nobody', register: false })).toBe('consumer-missing');
    expect(await code({ connection: `${db.url}_not` })).toBe('database-missing');
  });

  it('ends when it is unregistered, and warns when its batch is taken away', async () => {
    const run = background(
      consumer('c').run(async (event) => {
        if (event.data === 'move') await queue.seek('c', 'end');
        event.fail('verdicts of a lost batch must not stay');
      }),
    );
    await registered('c');
    await produce('move');
    await eventually(() => log.some((line) => line.includes('closed by somebody else')));
    expect(await queue.waiting()).toEqual([]);
    await queue.unregister('c');
    await expect(run).rejects.toEqual(expect.objectContaining({ code: 'consumer-missing' }));
    expect(await queue.consumers()).toEqual([]);
  });
});

describe('Consumer', () => {
  it('refuses wrong options with one line each', async () => {
    const good = { connection: 'host=127.0.0.1', queue: 'q', name: 'c' };
    const make = (options: object) => () => new Consumer({ ...good, ...options } as never);
    expect(() => new Consumer({} as never)).toThrow('Consumer needs option connection');
    expect(make({ queue: undefined })).toThrow('Consumer needs option queue: a string that is not empty');
    expect(make({ atempts: 3 })).toThrow('Consumer has no option "atempts"');
    expect(make({ attempts: 0 })).toThrow(
      'option attempts of Consumer must be a whole number from 1 on, or Infinity',
    );
    expect(make({ retryDelaySeconds: '30' })).toThrow(
      'option retryDelaySeconds of Consumer must be a number of seconds or a function',
    );
    expect(make({ pollSeconds: 0 })).toThrow(
      'option pollSeconds of Consumer must be a number of seconds above 0',
    );
    expect(make({ workerTimeoutSeconds: 5 })).toThrow(
      'option workerTimeoutSeconds of Consumer goes with worker',
    );
    expect(make({ logger: {} })).toThrow('option logger of Consumer must be an object with the functions');
    const consumer = new Consumer({ ...good, attempts: Number.POSITIVE_INFINITY });
    await expect(consumer.run('x' as never)).rejects.toThrow('handler of run must be a function');
    await expect(consumer.run(() => {}, { sinal: 1 } as never)).rejects.toThrow('run has no option "sinal"');
    await expect(consumer.runExactlyOnce({ into: 'x' })).rejects.toThrow('needs one of event and batch');
  });
});
