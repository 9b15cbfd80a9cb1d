import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openReadersAtTick } from '../../src/queue/snapshot-readers.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';

describe('readers at a tick', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server: 0 });
    await db.sql(`select pgq_node.register_location('q', 'root', $1, false)`, [db.url]);
    await db.sql(`select pgq_node.create_node('q', 'root', 'root', 'root', null, null, null)`);
    await db.sql('create table rewritten (id int primary key); insert into rewritten values (1), (2)');
    await db.sql(`select londiste.local_add_table('q', 'public.rewritten')`);
  });
  afterAll(() => db.drop());

  it('keep tables from being rewritten under them, but not from being written', async () => {
    const readers = await openReadersAtTick({
      location: db.url,
      queue: 'q',
      tables: ['public.rewritten'],
      readers: 2,
      consumer: 'c',
      applicationName: 'test',
    });
    try {
      await db.sql('insert into rewritten values (3)');
      const rewriter = await db.connect();
      await rewriter.query(`set lock_timeout = '100ms'`);
      for (const statement of ['alter table rewritten alter column id type bigint', 'truncate rewritten']) {
        await expect(rewriter.query(statement)).rejects.toThrow('lock timeout');
      }
      for (const session of readers.sessions)
        expect(await session.value('select count(*)::int from public.rewritten')).toBe(2);
    } finally {
      await readers.close();
    }
    expect((await db.sql(`select last_tick::int as tick from pgq.get_consumer_info('q', 'c')`))[0].tick).toBe(
      Number(readers.tick),
    );
  });

  it('give up soon when a table is locked, and let ticks go on', async () => {
    const other = await db.connect();
    await other.query('begin; lock table rewritten in access exclusive mode');
    const request = {
      location: db.url,
      queue: 'q',
      tables: ['public.rewritten'],
      readers: 1,
      applicationName: 'test',
    };
    await expect(openReadersAtTick(request)).rejects.toThrow('lock timeout');
    await other.query('rollback');
    await db.sql(`select pgq.force_tick('q')`);
    expect((await db.sql(`select pgq.ticker('q') as tick`))[0].tick).not.toBeNull();
  });
});
