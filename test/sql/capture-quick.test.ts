/** The shortest way through the capture functions must take nothing that needs the longer ones. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, serverCount, type TestDatabase } from '../support/database.ts';

describe.each(Array.from({ length: serverCount() }, (_, n) => n))('quick capture, server %i', (server) => {
  let db: TestDatabase;
  let seen = 0n;

  beforeAll(async () => {
    db = await createDatabase({ server, install: true });
    await db.sql(`select pgq.create_queue('q')`);
  });
  afterAll(() => db.drop());

  const capture = async (table: string, key: string[], style = 'key'): Promise<void> => {
    await db.sql('select kaja.create_capture($1, $2, null, $3, $4, null)', [
      'q',
      `public.${table}`,
      key,
      style,
    ]);
  };

  /** What a statement logs. */
  const logged = async (statement: string): Promise<string[]> => {
    await db.sql(statement);
    const rows = await db.sql(
      'select ev_id, left(ev_type, 1) || ev_data as event from pgq.event_1 where ev_id > $1 order by ev_id',
      [seen],
    );
    if (rows.length > 0) seen = BigInt(rows.at(-1).ev_id);
    return rows.map((row) => row.event);
  };

  it('sees a key change after an earlier column is gone, before the functions are made anew', async () => {
    await db.sql('create table later (v text, w text, id int primary key)');
    await capture('later', ['id']);
    expect(await logged(`insert into later values ('v', 'w', 1)`)).toEqual(['I(v,w,1)']);
    expect(await logged('update later set w = w')).toEqual(['U(v,w,1)']);
    // The key is now where an unchanged column was.
    await db.sql('alter table later drop column v; alter table later add column x text');
    expect(await logged('update later set id = 2')).toEqual(['D(w,1,)', 'I(w,2,)']);
    await db.sql('alter table later drop column w, drop column x');
    expect(await logged('update later set id = 3')).toEqual(['D(2)', 'I(3)']);
  });

  it('tells keys apart by their text, in every column of the key', async () => {
    await db.sql('create table num (a numeric, b text, v int, primary key (a, b))');
    await capture('num', ['a', 'b']);
    await logged(`insert into num values (1, 'xy', 0), (2, 'x', 0)`);
    expect(await logged('update num set v = 1')).toEqual(['U(1,xy,1)', 'U(2,x,1)']);
    expect(await logged('update num set a = 1.0 where a = 1')).toEqual(['D(1,xy,1)', 'I(1.0,xy,1)']);
    expect(await logged(`update num set b = 'y' where a = 2`)).toEqual(['D(2,x,1)', 'I(2,y,1)']);
  });

  it('looks at the settings that matter to the columns there are now', async () => {
    await db.sql('create table plain (id int primary key, v text)');
    await capture('plain', ['id']);
    await db.sql(
      `set DateStyle = 'German, DMY'; set IntervalStyle = sql_standard; set extra_float_digits = -15`,
    );
    try {
      expect(await logged(`insert into plain values (1, 'a')`)).toEqual(['I(1,a)']);
      await db.sql('alter table plain add column d date, add column i interval, add column f float8');
      expect(await logged(`update plain set d = '03.04.2024', i = '-1 day 02:00:00', f = 0.1`)).toEqual([
        'U(1,a,2024-04-03,"-1 days -02:00:00",0.1)',
      ]);
      await db.sql(`select kaja.refresh_captures('q')`);
      expect(await logged('update plain set f = 0.2')).toEqual(['U(1,a,2024-04-03,"-1 days -02:00:00",0.2)']);
      expect(await logged('delete from plain')).toEqual(['D(1,a,2024-04-03,"-1 days -02:00:00",0.2)']);
    } finally {
      await db.sql('reset all');
    }
  });

  it('is silent for whoever applies, in every style', async () => {
    await db.sql('create table whole (a int); create table only_new (a int)');
    await capture('whole', [], 'whole_row');
    await capture('only_new', [], 'insert_only');
    const statements = `insert into whole values (1); update whole set a = 2; delete from whole; insert into only_new values (1)`;
    for (const setting of [`set session_replication_role = local`, `set kaja.applying = '1'`]) {
      await db.sql(setting);
      expect(await logged(statements)).toEqual([]);
      await db.sql('reset all');
    }
    expect(await logged(statements)).toEqual(['I(1)', 'D(1)', 'I(2)', 'D(2)', 'I(1)']);
  });
});
