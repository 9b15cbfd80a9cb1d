/** A consumer process that is killed loses no event. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Queue } from '../../src/queue/index.ts';
import { SERVERS } from '../sql/queue-support.ts';
import { killPrograms, startProgram } from '../support/consumer-process.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { startTicking, type Ticking } from '../support/ticking.ts';

describe.each(SERVERS)('a consumer that is killed, on the %s', (_name, server) => {
  let db: TestDatabase;
  let ticking: Ticking;
  let queue: Queue;
  beforeAll(async () => {
    db = await createDatabase({ server });
    ticking = await startTicking(db.url);
    queue = new Queue('work', { connection: db.url });
    await queue.create({ tickerMaxLagSeconds: 0, tickerIdlePeriodSeconds: 0.1 });
    await queue.register('c');
  });
  afterEach(() => killPrograms());
  afterAll(async () => {
    await ticking?.stop();
    await queue?.close();
    await db?.drop();
  });

  it('within a batch: all of the batch comes again, with the verdicts of the end only', {
    timeout: 120_000,
  }, async () => {
    const program = (body: string): string =>
      `await new kaja.Consumer({ connection: url, queue: 'work', name: 'c', pollSeconds: 0.2, attempts: 1 }).run(async (event) => { ${body} });`;
    const all = Array.from({ length: 1_500 }, (_, n) => `${n}`);
    await queue.produceMany(all.map((data) => ({ data })));
    await queue.tick();
    const first = startProgram(
      // A verdict, then a handler that never ends.
      program(
        `say(event.data); if (event.data === '10') throw new Error('dead'); if (event.data === '1200') await new Promise(() => setInterval(() => {}, 1000));`,
      ),
      db.url,
    );
    await eventually(() => first.lines().includes('1200'), Boolean, { timeoutMs: 60_000 });
    first.signal('SIGKILL');
    expect(await first.ended).toBe('SIGKILL');
    expect(await queue.deadLetters()).toEqual([]);
    const second = startProgram(program('say(event.data);'), db.url);
    await eventually(() => second.lines().length >= 1_500, Boolean, { timeoutMs: 60_000 });
    await eventually(async () => (await queue.consumers())[0]?.batch === null);
    second.signal('SIGTERM');
    await second.ended;
    expect(first.lines()).toEqual(all.slice(0, 1_201));
    expect(second.lines()).toEqual(all);
  });
});
