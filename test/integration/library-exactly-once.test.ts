/** runExactlyOnce of the library: what is written into another database is written once, whatever happens in between. */
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Consumer, type ExactlyOnce, Queue, type TargetClient } from '../../src/queue/index.ts';
import { killPrograms, startProgram } from '../support/consumer-process.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { startTicking, type Ticking } from '../support/ticking.ts';

describe.each([
  ['oldest to newest server', 0, -1],
  ['newest to oldest server', -1, 0],
] as const)('runExactlyOnce, %s', (_name, from, to) => {
  let source: TestDatabase;
  let target: TestDatabase;
  let queue: Queue;
  let ticking: Ticking;
  let stop: AbortController;
  const log: string[] = [];
  const note = (text: string): void => void log.push(text);
  const logger = { info: note, warn: note, error: note };
  beforeAll(async () => {
    [source, target] = await Promise.all([createDatabase({ server: from }), createDatabase({ server: to })]);
    ticking = await startTicking(source.url);
    await target.sql('create table got (data text)');
  });
  afterAll(async () => {
    await ticking?.stop();
    await Promise.all([source?.drop(), target?.drop()]);
  });
  beforeEach(async () => {
    stop = new AbortController();
    log.length = 0;
    queue = new Queue('work', { connection: source.url });
    await queue.create({ tickerMaxLagSeconds: 0, tickerIdlePeriodSeconds: 0.1 });
    await queue.register('c');
  });
  afterEach(async () => {
    killPrograms();
    stop.abort();
    await eventually(() => queue.drop({ force: true }).then(() => true));
    await queue.close();
    await target.sql('truncate got');
    await target.sql(
      'truncate pgq_ext.completed_batch, pgq_ext.completed_tick, pgq_ext.completed_event, pgq_ext.partial_batch',
    );
    await source.sql('truncate kaja.dead_letter');
  });
  const consumer = (): Consumer =>
    new Consumer({
      connection: source.url,
      queue: 'work',
      name: 'c',
      logger,
      attempts: 2,
      retryDelaySeconds: 0,
      pollSeconds: 0.2,
      batchEvents: 1,
    });
  /** Produce, and make sure that a tick has them. */
  const produce = async (...data: string[]): Promise<void> => {
    await queue.produceMany(data.map((one) => ({ data: one })));
    await queue.tick();
  };
  const got = async (): Promise<string[]> =>
    (await target.sql('select data from got order by data')).map((row) => row.data);
  const caughtUp = (): Promise<unknown> =>
    eventually(async () => {
      const [me] = await queue.consumers();
      return me?.batch === null && me.pendingEvents === 0n;
    });
  /** Run until everything was consumed. */
  const drained = async <C = TargetClient>(work: ExactlyOnce<C>): Promise<void> => {
    const run = consumer().runExactlyOnce(work, { signal: stop.signal });
    run.catch(() => {});
    await Promise.race([run, caughtUp()]);
    stop.abort();
    await run;
    stop = new AbortController();
  };
  const insert = 'insert into got values ($1)';

  it('writes by event and by batch, over a connection string, a pool and kysely', async () => {
    const pool = new pg.Pool({ connectionString: target.url });
    const db = new Kysely<{ got: { data: string | null } }>({ dialect: new PostgresDialect({ pool }) });
    try {
      await produce('1');
      await drained({ into: target.url, event: (event, tx) => tx.query(insert, [event.data]) });
      await produce('2');
      await drained({ into: pool, event: (event, tx) => tx.query(insert, [event.data]) });
      await produce('3');
      await drained({
        into: db,
        event: (event, trx) => trx.insertInto('got').values({ data: event.data }).execute(),
      });
      for (const [data, into] of [
        ['4', target.url],
        ['5', pool],
      ] as const) {
        await produce(data);
        await drained({
          into,
          batch: async (batch, tx) => {
            for await (const event of batch) await tx.query(insert, [event.data]);
          },
        });
      }
      await produce('6');
      await drained({
        into: db,
        position: 'tick',
        batch: async (batch, trx) => {
          for await (const event of batch) await trx.insertInto('got').values({ data: event.data }).execute();
        },
      });
      expect(await got()).toEqual(['1', '2', '3', '4', '5', '6']);
    } finally {
      await db.destroy();
    }
  });

  it('rolls a failed event back, retries it, buries it, and applies it once after replay', async () => {
    let healed = false;
    await produce('good', 'bad', 'fine');
    const work: ExactlyOnce = {
      into: target.url,
      event: async (event, tx) => {
        await tx.query(insert, [event.data]);
        if (event.data === 'bad' && !healed) throw new Error('not yet');
      },
    };
    const run = consumer().runExactlyOnce(work, { signal: stop.signal });
    await eventually(
      () => queue.deadLetters(),
      (all) => all.length === 1,
    );
    expect(await got()).toEqual(['fine', 'good']);
    healed = true;
    await queue.replay();
    await eventually(got, (all) => all.length === 3);
    await caughtUp();
    stop.abort();
    await run;
    expect(await got()).toEqual(['bad', 'fine', 'good']);
  });

  it('counts a constraint that the commit refuses as the event failing', async () => {
    await target.sql('create table strict (id int unique deferrable initially deferred)');
    await produce('1', '1', '2');
    const work: ExactlyOnce = {
      into: target.url,
      event: (event, tx) => tx.query('insert into strict values ($1)', [event.data]),
    };
    const run = consumer().runExactlyOnce(work, { signal: stop.signal });
    const [letter] = await eventually(
      () => queue.deadLetters(),
      (all) => all.length === 1,
    );
    expect(letter?.reason).toMatch(/duplicate key/);
    await caughtUp();
    stop.abort();
    await run;
    expect(await target.sql('select id from strict order by id')).toEqual([{ id: 1 }, { id: 2 }]);
    await target.sql('drop table strict');
  });

  it('rolls a failed batch back as a whole and tries it again', async () => {
    await produce('1', '2');
    let tries = 0;
    const run = consumer().runExactlyOnce(
      {
        into: target.url,
        batch: async (batch, tx) => {
          for await (const event of batch) {
            await tx.query(insert, [event.data]);
            if (event.data === '2' && ++tries === 1) throw new Error('once');
          }
        },
      },
      { signal: stop.signal },
    );
    await eventually(got, (all) => all.length === 2);
    stop.abort();
    await run;
    expect(tries).toBe(2);
    expect(log.some((line) => /^once \(attempt 1/.test(line))).toBe(true);
  });

  const PROGRAM = (kind: 'event' | 'batch', position: string): string => `
    const consumer = new kaja.Consumer({ connection: url, queue: 'work', name: 'c', pollSeconds: 0.2 });
    await consumer.runExactlyOnce({
      into: process.env.TARGET, ${position}
      ${
        kind === 'event'
          ? `event: (event, tx) => tx.query('insert into got values ($1)', [event.data]),`
          : `batch: async (batch, tx) => { for await (const event of batch) await tx.query('insert into got values ($1)', [event.data]); },`
      }
    });`;

  it.each([
    ['event', ''],
    ['batch', ''],
    ['batch', `position: 'tick',`],
  ] as const)(
    'applies nothing twice when the process dies between the two commits: %s %s',
    { timeout: 120_000 },
    async (kind, position) => {
      const all = Array.from({ length: 30 }, (_, n) => `${n}`);
      await produce(...all);
      const env = { TARGET: target.url, KAJA_FAILPOINT: 'target-committed:2' };
      const dying = startProgram(PROGRAM(kind, position), source.url, env);
      expect(await dying.ended).toBe('SIGKILL');
      await produce('later');
      const second = startProgram(PROGRAM(kind, position), source.url, { TARGET: target.url });
      await eventually(got, (list) => list.length >= 31, { timeoutMs: 60_000 });
      await caughtUp();
      second.signal('SIGKILL');
      await second.ended;
      expect(await got()).toEqual([...all, 'later'].sort());
    },
  );

  it('applies nothing twice and loses nothing under kills at any moment', { timeout: 240_000 }, async () => {
    let produced = 0;
    for (let round = 0; round < 3; round++) {
      const program = startProgram(PROGRAM('event', ''), source.url, { TARGET: target.url });
      const before = (await got()).length;
      await produce(...Array.from({ length: 400 }, () => String(produced++)));
      await eventually(async () => (await got()).length > before + 50 * round, Boolean, {
        timeoutMs: 30_000,
      });
      program.signal('SIGKILL');
      await program.ended;
    }
    const last = startProgram(PROGRAM('event', ''), source.url, { TARGET: target.url });
    await eventually(async () => (await got()).length >= produced, Boolean, { timeoutMs: 60_000 });
    await caughtUp();
    last.signal('SIGKILL');
    await last.ended;
    expect((await got()).map(Number).sort((a, b) => a - b)).toEqual(
      Array.from({ length: produced }, (_, n) => n),
    );
  });

  it('does not blame events for a target that is away', async () => {
    await target.sql('create role away login');
    const url = new URL(target.url);
    url.username = 'away';
    await target.sql('grant insert on got to away; grant pgq_writer to away');
    await produce(...Array.from({ length: 20 }, (_, n) => `${n}`));
    let seen = 0;
    const run = consumer().runExactlyOnce(
      {
        into: url.href,
        event: async (event, tx) => {
          if (++seen === 5)
            await target.sql(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'away'`);
          await tx.query(insert, [event.data]);
        },
      },
      { signal: stop.signal },
    );
    await eventually(got, (all) => all.length >= 20, { timeoutMs: 60_000 });
    await caughtUp();
    stop.abort();
    await run;
    expect(await got()).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`).sort());
    expect(await queue.deadLetters()).toEqual([]);
    await target.sql('revoke all on got from away; drop role away');
  });

  it('refuses a consumer that was moved, when it stores ticks', async () => {
    const work: ExactlyOnce = {
      into: target.url,
      position: 'tick',
      batch: async (batch, tx) => {
        for await (const event of batch) await tx.query(insert, [event.data]);
      },
    };
    await produce('1');
    await produce('2');
    await drained(work);
    await queue.seek('c', 'start');
    const run = consumer().runExactlyOnce(work, { signal: stop.signal });
    await eventually(() => log.some((line) => line.includes('does not follow tick')));
    stop.abort();
    await run;
    expect(await got()).toEqual(['1', '2']);
  });

  it('needs the schemas in the target', async () => {
    const bare = await createDatabase({ server: to, install: false });
    try {
      await produce('1');
      const run = consumer().runExactlyOnce({ into: bare.url, event: () => {} }, { signal: stop.signal });
      await eventually(() =>
        log.some((line) => line.includes('the target database') && line.includes('kaja install')),
      );
      stop.abort();
      await run;
    } finally {
      await bare.drop();
    }
  });
});
