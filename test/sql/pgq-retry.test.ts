/** Retry of events: who gets them again, and that one queue does not hold up another. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eagerQueue, insert, nextEvents, rows, SERVERS, tickAndDrain, value } from './queue-support.ts';

describe.each(SERVERS)('retry on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server });
  });
  afterAll(() => db.drop());

  const retryAll = async (queue: string, consumer: string): Promise<void> => {
    await rows(db, 'select pgq.ticker($1)', [queue]);
    const batch = await value(db, 'select pgq.next_batch($1, $2)', [queue, consumer]);
    await rows(db, 'select pgq.batch_retry($1, 0)', [batch]);
    await rows(db, 'select pgq.finish_batch($1)', [batch]);
  };

  it('delivers again to the owner only, with a count', async () => {
    await eagerQueue(db, 'q', 'c1', 'c2');
    await insert(db, 'q', 'x');
    await retryAll('q', 'c1');
    expect(await nextEvents(db, 'q', 'c2')).toEqual(['x']);
    for (const count of [1, 2]) {
      expect(await value(db, 'select pgq.maint_retry_events()')).toBe('1');
      await rows(db, `select pgq.ticker('q')`);
      const batch = await value(db, `select pgq.next_batch('q', 'c1')`);
      expect(await rows(db, 'select ev_id::int, ev_retry from pgq.get_batch_events($1)', [batch])).toEqual([
        { ev_id: 1, ev_retry: count },
      ]);
      expect(await nextEvents(db, 'q', 'c2')).toEqual([]);
      expect(await value(db, `select pgq.event_retry($1, 1, now() - interval '1 second')`, [batch])).toBe(
        '1',
      );
      await rows(db, 'select pgq.finish_batch($1)', [batch]);
    }
    expect(await value(db, `select pgq.unregister_consumer('q', 'c1')`)).toBe('1');
    expect(await value(db, 'select count(*) from pgq.retry_queue')).toBe('0');
  });

  it('moves ten at a time, when due', async () => {
    await eagerQueue(db, 'ten', 'c');
    await rows(db, `select pgq.insert_event('ten', 't', 'x') from generate_series(1, 23)`);
    await retryAll('ten', 'c');
    await rows(db, `update pgq.retry_queue set ev_retry_after = now() + interval '1 hour' where ev_id = 23`);
    const moved: (string | null)[] = [];
    for (let n = 0; n < 4; n++) moved.push(await value(db, 'select pgq.maint_retry_events()'));
    expect(moved).toEqual(['10', '10', '2', '0']);
    expect(await tickAndDrain(db, 'ten', 'c')).toHaveLength(22);
    await rows(db, `select pgq.drop_queue('ten', true)`);
  });

  it('is not held up by a queue that refuses inserts', async () => {
    for (const queue of ['disabled', 'zero', 'two', 'fine']) {
      await eagerQueue(db, queue, 'c');
      await rows(db, `select pgq.insert_event($1, 't', 'x') from generate_series(1, 12)`, [queue]);
      await retryAll(queue, 'c');
    }
    await rows(db, `update pgq.queue set queue_disable_insert = true where queue_name = 'disabled'`);
    await rows(db, `update pgq.queue set queue_per_tx_limit = 0 where queue_name = 'zero'`);
    await rows(db, `update pgq.queue set queue_per_tx_limit = 2 where queue_name = 'two'`);
    for (let moved: string | null = null; moved !== '0'; )
      moved = await value(db, 'select pgq.maint_retry_events()');
    expect(await tickAndDrain(db, 'fine', 'c')).toHaveLength(12);
    expect(await tickAndDrain(db, 'two', 'c')).toHaveLength(12);
    expect(await value(db, 'select count(*) from pgq.retry_queue')).toBe('24');
    await rows(db, `update pgq.queue set queue_disable_insert = false, queue_per_tx_limit = null`);
    for (let moved: string | null = null; moved !== '0'; )
      moved = await value(db, 'select pgq.maint_retry_events()');
    expect(await tickAndDrain(db, 'disabled', 'c')).toHaveLength(12);
    expect(await tickAndDrain(db, 'zero', 'c')).toHaveLength(12);
  });
});
