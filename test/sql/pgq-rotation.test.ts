/** Rotation: what it truncates, what stops it, and that no event is lost over it. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  eagerQueue,
  failure,
  insert,
  pass,
  rotate,
  rows,
  SERVERS,
  tickAndDrain,
  turn,
  value,
} from './queue-support.ts';

describe.each(SERVERS)('rotation on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server });
  });
  afterAll(() => db.drop());

  const currentTable = (queue: string): Promise<string | null> =>
    value(db, 'select queue_cur_table from pgq.queue where queue_name = $1', [queue]);
  const rowsIn = async (queue: string, table: number): Promise<string | null> => {
    const id = await value(db, 'select queue_id from pgq.queue where queue_name = $1', [queue]);
    return value(db, `select count(*) from pgq.event_${id}_${table}`);
  };
  /* Writes where pgq.queue says under the writer's snapshot, as PgQ and direct writers do; pgq.insert_event would know better. */
  const insertStale = (writer: pg.Client, queue: string): Promise<string | null> =>
    value(
      writer,
      `select pgq.insert_event_raw($1, null, now(), null, null, 't', 'late', null, null, null, null)`,
      [queue],
    );

  it('truncates what every consumer has passed, and waits for the slowest', async () => {
    await eagerQueue(db, 'basic', 'c', 'slow');
    await insert(db, 'basic', 'a');
    expect(await pass(db, 'basic', 'c')).toEqual(['a']);
    expect(await rotate(db, 'basic')).toBe('0');
    expect(await turn(db, 'basic', 'slow', 'c')).toEqual(['a']);
    expect(await currentTable('basic')).toBe('1');
    expect(await rotate(db, 'basic')).toBe('1');
    await insert(db, 'basic', 'b');
    expect(await turn(db, 'basic', 'slow', 'c')).toEqual(['b']);
    expect(await currentTable('basic')).toBe('2');
    expect(await rowsIn('basic', 0)).toBe('1');
    await turn(db, 'basic', 'c', 'slow');
    expect(await currentTable('basic')).toBe('0');
    expect(await rowsIn('basic', 0)).toBe('0');
    expect(
      await value(
        db,
        `select min(tick_id) > 1 from pgq.tick t join pgq.queue q on queue_id = tick_queue where queue_name = 'basic'`,
      ),
    ).toBe('true');
  });

  it('says which tables a batch is in', async () => {
    await eagerQueue(db, 'tables', 'c');
    const id = await value(db, `select queue_id from pgq.queue where queue_name = 'tables'`);
    const tables = async (): Promise<string[]> => {
      await rows(db, `select pgq.ticker('tables')`);
      const batch = await value(db, `select pgq.next_batch('tables', 'c')`);
      const found = await rows(db, 'select pgq.batch_event_tables($1) as name', [batch]);
      return found.map((row) => row.name.replace(`pgq.event_${id}_`, ''));
    };
    expect(await tables()).toEqual(['2', '0']);
    await pass(db, 'tables', 'c');
    expect(await tables()).toEqual(['0']);
    // A switch that came after the batch: it can only be in the table before.
    await rows(
      db,
      `update pgq.queue set queue_cur_table = 1, queue_switch_step1 = 1e15, queue_switch_step2 = null where queue_name = 'tables'`,
    );
    expect(await tables()).toEqual(['0']);
    await rows(db, `select pgq.drop_queue('tables', true)`);
  });

  it('does not rotate before its period, before step 2, or without a queue', async () => {
    await eagerQueue(db, 'early');
    await rows(db, `select pgq.set_queue_config('early', 'rotation_period', '1 hour')`);
    expect(await rotate(db, 'early')).toBe('0');
    await rows(db, `select pgq.set_queue_config('early', 'rotation_period', '0')`);
    await rows(db, `select pgq.maint_rotate_tables_step1('early')`);
    await rows(db, `select pgq.maint_rotate_tables_step1('early')`);
    expect(await currentTable('early')).toBe('1');
    expect(
      await value(db, `select queue_switch_step2 is null from pgq.queue where queue_name = 'early'`),
    ).toBe('true');
    expect(await value(db, 'select pgq.maint_rotate_tables_step1(null)')).toBe('0');
    await rows(db, 'select pgq.maint_rotate_tables_step2()');
  });

  it('is put off while somebody uses the next table, and leaves lock_timeout as it was', async () => {
    await eagerQueue(db, 'busy');
    const id = await value(db, `select queue_id from pgq.queue where queue_name = 'busy'`);
    const reader = await db.connect();
    await reader.query(`begin; select 1 from pgq.event_${id}_1`);
    expect(await rotate(db, 'busy')).toBe('0');
    await reader.query('commit');
    await db.sql(`set lock_timeout = '7s'`);
    await db.sql('begin');
    await rows(db, `select pgq.maint_rotate_tables_step1('busy')`);
    expect(await value(db, 'show lock_timeout')).toBe('7s');
    await db.sql('commit; reset lock_timeout');
    expect(await currentTable('busy')).toBe('1');
    await rows(db, 'select pgq.maint_rotate_tables_step2()');
  });

  it('reports ids from the future and vanished ticks', async () => {
    await eagerQueue(db, 'fault', 'c');
    await rows(
      db,
      `delete from pgq.tick t using pgq.queue q where tick_queue = queue_id and queue_name = 'fault'`,
    );
    expect((await failure(db, `select pgq.maint_rotate_tables_step1('fault')`)).message).toBe(
      'queue fault maint failure: tick 1 not found',
    );
    await rows(db, `update pgq.queue set queue_switch_step1 = 1e15 where queue_name = 'fault'`);
    expect((await failure(db, `select pgq.maint_rotate_tables_step1('fault')`)).message).toMatch(
      /^queue fault maint failure: step1=1000000000000000, current=\d+$/,
    );
    await rows(db, `select pgq.drop_queue('fault', true)`);
  });

  it('refuses to rotate with a transaction-wide snapshot', async () => {
    await eagerQueue(db, 'iso');
    await db.sql('begin isolation level repeatable read');
    await rows(db, `select pgq.maint_rotate_tables_step1('iso')`);
    await db.sql('commit');
    expect(await currentTable('iso')).toBe('0');
  });

  it.each([1, 2, 3])('loses nothing of a REPEATABLE READ writer over %i rotations', async (rotations) => {
    const queue = `writer${rotations}`;
    await eagerQueue(db, queue, 'c');
    const writer = await db.connect();
    await writer.query('begin isolation level repeatable read');
    await rows(writer, 'select 1');
    const delivered: string[] = [];
    for (let n = 0; n < rotations; n++) {
      delivered.push(...(await turn(db, queue, 'c')));
      expect(await currentTable(queue)).toBe(String((n + 1) % 3));
    }
    await insert(db, queue, 'between');
    delivered.push(...(await tickAndDrain(db, queue, 'c')), ...(await tickAndDrain(db, queue, 'c')));
    await insertStale(writer, queue);
    await insert(db, queue, 'other');
    delivered.push(...(await tickAndDrain(db, queue, 'c')));
    await writer.query('commit');
    delivered.push(...(await tickAndDrain(db, queue, 'c')));
    expect(delivered).toEqual(['between', 'other', 'late']);
    if (rotations === 2) expect(await rowsIn(queue, 0)).toBe('1');
  });

  it('writes events of a REPEATABLE READ writer into the table that is current now', async () => {
    await eagerQueue(db, 'newer', 'c');
    const writer = await db.connect();
    await writer.query('begin isolation level repeatable read');
    await rows(writer, 'select 1');
    await turn(db, 'newer', 'c');
    await insert(writer, 'newer', 'late');
    await writer.query('commit');
    expect([await rowsIn('newer', 0), await rowsIn('newer', 1)]).toEqual(['0', '1']);
    expect(await tickAndDrain(db, 'newer', 'c')).toEqual(['late']);
  });

  it('does not truncate a table with late events that a consumer has yet to see', async () => {
    await eagerQueue(db, 'kept', 'c');
    const writer = await db.connect();
    await writer.query('begin isolation level repeatable read');
    await rows(writer, 'select 1');
    for (const table of ['1', '2']) {
      await turn(db, 'kept', 'c');
      expect(await currentTable('kept')).toBe(table);
    }
    // The consumer passes the second switch, then the old table gets an event that it has not seen.
    await pass(db, 'kept', 'c');
    await insertStale(writer, 'kept');
    await writer.query('commit');
    expect(await rowsIn('kept', 0)).toBe('1');
    expect(await rotate(db, 'kept')).toBe('2');
    expect(await turn(db, 'kept', 'c')).toEqual(['late']);
    expect(await currentTable('kept')).toBe('0');
  });

  it('does not truncate it while the late writer was seen as running either', async () => {
    await eagerQueue(db, 'running', 'c');
    const writer = await db.connect();
    await writer.query('begin isolation level repeatable read');
    await rows(writer, 'select 1');
    for (const table of ['1', '2']) {
      await turn(db, 'running', 'c');
      expect(await currentTable('running')).toBe(table);
    }
    const writerXid = await value(writer, 'select txid_current()');
    await insert(db, 'running', 'other');
    expect(await pass(db, 'running', 'c')).toEqual(['other']);
    expect(
      await value(
        db,
        `select $1::bigint in (select txid_snapshot_xip(tick_snapshot))
           from pgq.tick t join pgq.queue q on queue_id = tick_queue where queue_name = 'running' order by tick_id desc limit 1`,
        [writerXid],
      ),
    ).toBe('true');
    await insertStale(writer, 'running');
    await writer.query('commit');
    expect(await rotate(db, 'running')).toBe('2');
    expect(await tickAndDrain(db, 'running', 'c')).toEqual(['late']);
  });

  it('loses nothing when both steps run in one transaction', async () => {
    await eagerQueue(db, 'onestep', 'c');
    await pass(db, 'onestep', 'c');
    const rotator = await db.connect();
    await rotator.query('begin');
    await rows(
      rotator,
      `select txid_current(), pgq.maint_rotate_tables_step1('onestep'), pgq.maint_rotate_tables_step2()`,
    );
    await insert(db, 'onestep', 'old table');
    await rotator.query('commit');
    expect(await currentTable('onestep')).toBe('1');
    await insert(db, 'onestep', 'new table');
    expect(await tickAndDrain(db, 'onestep', 'c')).toEqual(['old table', 'new table']);
  });

  it('reading a batch does not keep the next table locked', async () => {
    await eagerQueue(db, 'nolock', 'c');
    await turn(db, 'nolock', 'c');
    await pass(db, 'nolock', 'c');
    await insert(db, 'nolock', 'x');
    await rows(db, `select pgq.ticker('nolock')`);
    const reader = await db.connect();
    await reader.query('begin');
    const batch = await value(reader, `select pgq.next_batch('nolock', 'c')`);
    expect(await rows(reader, 'select ev_data from pgq.get_batch_events($1)', [batch])).toEqual([
      { ev_data: 'x' },
    ]);
    expect(await rotate(db, 'nolock')).toBe('2');
    await reader.query('commit');
  });

  it('keeps the hint also in a session that applies changes', async () => {
    const session = await db.connect();
    await rows(session, 'set session_replication_role = replica');
    await eagerQueue(session, 'applied');
    const id = await value(db, `select queue_id from pgq.queue where queue_name = 'applied'`);
    await rotate(session, 'applied');
    expect(await value(db, `select last_value from kaja.current_table_${id}`)).toBe('1');
    await rows(session, `update pgq.queue set queue_disable_insert = true where queue_name = 'applied'`);
    expect(await value(db, `select last_value from kaja.current_table_${id}`)).toBe('101');
    await rows(session, `select pgq.drop_queue('applied')`);
    expect(await value(db, `select to_regclass('kaja.current_table_${id}')`)).toBeNull();
  });

  it('keeps the current-table hint: moves at step 2, shows disabled inserts, goes with the queue', async () => {
    await eagerQueue(db, 'hint');
    const id = await value(db, `select queue_id from pgq.queue where queue_name = 'hint'`);
    const hint = (): Promise<string | null> => value(db, `select last_value from kaja.current_table_${id}`);
    const disable = (on: boolean): Promise<unknown> =>
      rows(db, `update pgq.queue set queue_disable_insert = $1 where queue_name = 'hint'`, [on]);
    expect(await hint()).toBe('0');
    await rows(db, `select pgq.maint_rotate_tables_step1('hint')`);
    expect(await hint()).toBe('0');
    await disable(true);
    expect(await hint()).toBe('100');
    await disable(false);
    expect(await hint()).toBe('0');
    await rows(db, 'select pgq.maint_rotate_tables_step2()');
    expect(await hint()).toBe('1');

    // A rolled-back change must not let others write where they may not, nor to another table.
    await disable(true);
    await db.sql('begin');
    await disable(false);
    await rows(db, `update pgq.queue set queue_cur_table = 2 where queue_name = 'hint'`);
    expect(await hint()).toBe('101');
    await db.sql('rollback');
    expect(await hint()).toBe('101');
    await rows(db, `select pgq.drop_queue('hint')`);
    expect(await value(db, `select to_regclass('kaja.current_table_${id}')`)).toBeNull();
  });
});
