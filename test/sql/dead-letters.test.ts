/** kaja's functions for programs: many events at once, retries, dead letters; and who may call them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { drain, eagerQueue, failure, rows, SERVERS, tickAndDrain, value } from './queue-support.ts';

describe.each(SERVERS)('functions for programs on the %s', (_name, server) => {
  let db: TestDatabase;
  const suffix = `${process.pid}_${server === 0 ? 'a' : 'b'}`;
  beforeAll(async () => {
    db = await createDatabase({ server });
  });
  afterAll(() => db?.drop());
  beforeEach(async () => {
    await rows(db, `select pgq.drop_queue(queue_name, true) from pgq.queue`);
    await rows(db, 'truncate kaja.dead_letter');
    await eagerQueue(db, 'q', 'c', 'd');
  });
  /** Insert, tick, open a batch of c. */
  const open = async (...data: string[]): Promise<string | null> => {
    await rows(db, `select kaja.insert_events('q', null, $1)`, [data]);
    await rows(db, `select pgq.ticker('q')`);
    return value(db, `select pgq.next_batch('q', 'c')`);
  };

  it('insert arrays of unequal length, nulls and nothing', async () => {
    expect(
      await value(
        db,
        `select kaja.insert_events('q', array['a', null], array['1', '2', '3'], null, '{}', null, array['x'])`,
      ),
    ).toBe('3');
    expect(await value(db, `select kaja.insert_events('q', '{}', null)`)).toBe('0');
    expect(await value(db, `select kaja.insert_events('q', null, null)`)).toBe('0');
    await rows(db, `select pgq.ticker('q')`);
    const batch = await value(db, `select pgq.next_batch('q', 'c')`);
    expect(
      await rows(
        db,
        'select ev_type, ev_data, ev_extra1, ev_extra2, ev_extra4 from pgq.get_batch_events($1)',
        [batch],
      ),
    ).toEqual([
      { ev_type: 'a', ev_data: '1', ev_extra1: null, ev_extra2: null, ev_extra4: 'x' },
      { ev_type: null, ev_data: '2', ev_extra1: null, ev_extra2: null, ev_extra4: null },
      { ev_type: null, ev_data: '3', ev_extra1: null, ev_extra2: null, ev_extra4: null },
    ]);
    expect((await failure(db, `select kaja.insert_events('none', null, array['x'])`)).message).toBe(
      'No such queue',
    );
    expect((await failure(db, `select kaja.insert_events(null, null, array['x'])`)).message).toBe(
      'Queue name must not be NULL',
    );
  });

  it('retry for one consumer only, and keep the time of what waits', async () => {
    const batch = await open('1', '2', '3');
    expect(await value(db, 'select kaja.retry_events($1, array[1, 3, 99], array[0, 100, 0])', [batch])).toBe(
      '2',
    );
    expect(await value(db, 'select kaja.retry_events($1, array[1, 3], array[50, 0])', [batch])).toBe('0');
    expect(
      await rows(db, `select consumer_name, ev_id, ev_retry from kaja.get_retry_events('q', null)`),
    ).toEqual([
      { consumer_name: 'c', ev_id: '1', ev_retry: 1 },
      { consumer_name: 'c', ev_id: '3', ev_retry: 1 },
    ]);
    await rows(db, 'select pgq.finish_batch($1)', [batch]);
    expect(await value(db, 'select pgq.maint_retry_events()')).toBe('1');
    expect(await tickAndDrain(db, 'q', 'c')).toEqual(['1']);
    expect(await drain(db, 'q', 'd')).toEqual(['1', '2', '3']);
    expect((await failure(db, 'select kaja.retry_events(12345, array[1], array[0])')).message).toBe(
      'batch not found',
    );
  });

  it('bury, replay with attempts at zero, and delete', async () => {
    const batch = await open('1', '2');
    expect(
      await value(db, `select kaja.bury_events($1, array[1, 2, 99], array['why', null, 'x'])`, [batch]),
    ).toBe('2');
    expect(await value(db, `select kaja.bury_events($1, array[2], array['later'])`, [batch])).toBe('1');
    await rows(db, 'select pgq.finish_batch($1)', [batch]);
    expect(
      await rows(db, 'select consumer_name, ev_id, ev_data, reason from kaja.dead_letter order by ev_id'),
    ).toEqual([
      { consumer_name: 'c', ev_id: '1', ev_data: '1', reason: 'why' },
      { consumer_name: 'c', ev_id: '2', ev_data: '2', reason: 'later' },
    ]);
    expect(await value(db, `select kaja.replay_dead_letters('q', 'd', null)`)).toBe('0');
    expect(
      await value(
        db,
        `select kaja.replay_dead_letters('q', null, (select array_agg(dead_id) from kaja.dead_letter where ev_id = 1))`,
      ),
    ).toBe('1');
    expect(await value(db, `select ev_retry from kaja.get_retry_events('q', 'c')`)).toBeNull();
    await rows(db, 'select pgq.maint_retry_events()');
    expect(await tickAndDrain(db, 'q', 'c')).toEqual(['1']);
    await rows(db, `select pgq.unregister_consumer('q', 'c')`);
    expect((await failure(db, `select kaja.replay_dead_letters('q', null, null)`)).message).toBe(
      'consumer not registered: c',
    );
    expect((await failure(db, `select kaja.replay_dead_letters('none', null, null)`)).message).toBe(
      'No such queue',
    );
    await rows(db, `select pgq.drop_queue('q', true)`);
    // Another queue of the same name has nothing to do with old letters, but they can be read and deleted.
    await eagerQueue(db, 'q', 'c');
    expect(await value(db, `select kaja.replay_dead_letters('q', null, null)`)).toBe('0');
    expect(await value(db, `select kaja.delete_dead_letters('q', 'c', null)`)).toBe('1');
  });

  it('are there for those who may produce or consume, and for nobody else', async () => {
    const [writer, reader, nobody] = ['w', 'r', 'n'].map((kind) => `kaja_test_${kind}_${suffix}`) as [
      string,
      string,
      string,
    ];
    await db.sql(
      `create role ${writer} in role pgq_writer; create role ${reader} in role pgq_reader; create role ${nobody}`,
    );
    try {
      const calls = {
        writer: [`kaja.insert_events('q', null, array['x'])`],
        reader: [
          'kaja.retry_events(1, null, null)',
          'kaja.bury_events(1, null, null)',
          `kaja.replay_dead_letters('q', null, null)`,
          `kaja.delete_dead_letters('q', null, null)`,
          `kaja.get_retry_events('q', null)`,
        ],
      };
      for (const role of [writer, reader, nobody]) {
        const client = await db.connect();
        await client.query(`set role ${role}`);
        for (const [kind, texts] of Object.entries(calls))
          for (const call of texts) {
            const allowed = (kind === 'writer' && role === writer) || (kind === 'reader' && role === reader);
            const message = await client.query(`select ${call}`).then(
              () => '',
              (error: Error) => error.message,
            );
            expect([role, call, message.startsWith('permission denied for function')]).toEqual([
              role,
              call,
              !allowed,
            ]);
          }
        expect((await failure(client, 'delete from kaja.dead_letter')).code).toBe('42501');
        if (role !== reader)
          expect((await failure(client, 'select * from kaja.dead_letter')).code).toBe('42501');
        else expect(await rows(client, 'select * from kaja.dead_letter')).toEqual([]);
      }
    } finally {
      await db.sql(`drop role ${writer}, ${reader}, ${nobody}`);
    }
  });
});
