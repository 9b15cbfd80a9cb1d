import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '../support/database.ts';
import {
  column,
  events,
  makeRoot,
  makeSubscriber,
  openDatabase,
  ret,
  SERVERS,
  triggers,
} from './londiste-support.ts';

interface CopyRow {
  state: 'in-copy' | 'catching-up' | 'ok' | null;
  ddl: boolean;
}

/** What _coordinate_copy answers for member `at` of a group, as the table in its specification says. */
function expectedRole(group: CopyRow[], at: number): string | null {
  const me = group[at];
  const open = group.map((row, index) => ({ ...row, index })).filter((row) => row.state !== 'ok');
  const copied = open.filter((row) => row.state !== null && row.state !== 'in-copy').length;
  const lead = (open.find((row) => row.ddl) ?? open[0])?.index;
  if (!me || me.state === 'ok' || open.length <= 1) return null;
  if (me.state === 'in-copy') {
    if (at === lead) return !me.ddl && copied > 0 ? 'wait-replay' : 'lead';
    return open.some((row) => row.ddl) || copied > 0 ? 'wait-replay' : 'wait-copy';
  }
  if (me.state === 'catching-up') {
    if (at === lead) return me.ddl && copied < open.length ? 'wait-replay' : null;
    return open.some((row) => row.ddl) ? 'wait-replay' : null;
  }
  return null;
}

describe.each(SERVERS)('londiste merge of partitions, %s server', (_label, server) => {
  let db: TestDatabase;
  let number = 0;
  beforeAll(async () => {
    db = await openDatabase(server);
    await makeRoot(db, 'comb');
    await makeSubscriber(db, 'p1', 'leaf', 'comb');
    await makeSubscriber(db, 'p2', 'leaf', 'comb');
    await makeSubscriber(db, 'p3', 'leaf', 'comb');
  });
  afterAll(() => db.drop());

  /** A fresh table that the queues know. */
  const table = async (...queues: string[]): Promise<string> => {
    const name = `m${++number}`;
    await db.sql(`create table public.${name} (id int primary key, v text)`);
    for (const queue of queues) await db.sql(`select londiste.global_add_table($1, $2)`, [queue, name]);
    return name;
  };
  const add = (queue: string, name: string, args: string[] | null, attrs: string | null = null) =>
    ret(db, `londiste.local_add_table($1, $2, $3, $4)`, [queue, name, args, attrs]);
  const rows = async (name: string) =>
    column(
      db,
      `select concat_ws(' ', queue_name, local, coalesce(merge_state, '-'), table_attrs) from londiste.table_info
                 where table_name = $1 order by queue_name`,
      [`public.${name}`],
    );
  const setCopy = async (queue: string, name: string, row: CopyRow) => {
    await db.sql(
      `update londiste.table_info set merge_state = $3, dropped_ddl = $4 where queue_name = $1 and table_name = $2`,
      [queue, `public.${name}`, row.state, row.ddl ? 'select 1' : null],
    );
  };

  it('lets the combined queue know the tables of its partitions, and forget them', async () => {
    const name = await table('p1', 'p2');
    expect(await rows(name)).toEqual(['comb f -', 'p1 f -', 'p2 f -']);
    await db.sql(`select londiste.global_remove_table('p1', $1)`, [name]);
    expect(await rows(name)).toEqual(['comb f -', 'p2 f -']);
    await db.sql(`select londiste.global_remove_table('p2', $1)`, [name]);
    expect(await rows(name)).toEqual([]);
    const kept = await table('p1');
    await add('p1', kept, null);
    await db.sql(`select londiste.global_remove_table('p1', $1)`, [kept]);
    expect(await rows(kept)).toEqual(['comb t ok']);
  });

  it('publishes the table on the combined root, and protects it', async () => {
    const name = await table('p1');
    const before = (await events(db, 'comb')).length;
    expect(await add('p1', name, null)).toBe(`200 Table added: public.${name}`);
    expect(await rows(name)).toEqual(['comb t ok', 'p1 t -']);
    expect((await events(db, 'comb')).slice(before)).toEqual([`londiste.add-table|public.${name}|`]);
    const made = await triggers(db, `public.${name}`);
    expect(made).toContain('_londiste_comb');
    expect(made).toContain('_londiste_p1');
    await expect(db.sql(`insert into public.${name} values (1)`)).rejects.toThrow(
      `to queue 'p1': change not allowed`,
    );
  });

  it('asks what to do when several partitions know the table, changing nothing', async () => {
    const name = await table('p1', 'p2');
    const before = await events(db, 'comb');
    expect(await add('p1', name, null)).toBe(
      `405 Found multiple sources for table public.${name}, use merge-all or no-merge to continue`,
    );
    expect(await rows(name)).toEqual(['comb f -', 'p1 f -', 'p2 f -']);
    expect(await triggers(db, `public.${name}`)).toEqual([]);
    expect(await events(db, 'comb')).toEqual(before);
  });

  it('changes nothing when the combined queue refuses', async () => {
    const name = await table('p1');
    await db.sql(
      `create trigger own before insert on public.${name} for each row execute function pgq.logutriga('comb', 'SKIP')`,
    );
    const before = await events(db, 'comb');
    expect(await add('p1', name, null)).toBe(
      `403 Trigger creation failed for table public.${name}: AFTER trigger cannot work with SKIP trigger(s)`,
    );
    expect(await rows(name)).toEqual(['comb f -', 'p1 f -']);
    expect(await events(db, 'comb')).toEqual(before);
  });

  it('subscribes on all partitions with merge_all, with triggers for each', async () => {
    const name = await table('p1', 'p2');
    expect(await add('p1', name, ['merge_all'])).toBe(`200 Table added: public.${name}`);
    expect(await rows(name)).toEqual(['comb t ok', 'p1 t -', 'p2 t -']);
    expect(await triggers(db, `public.${name}`)).toContain('_londiste_p2');
    await db.sql(`select londiste.local_remove_table('p1', $1)`, [name]);
    await expect(db.sql(`insert into public.${name} values (1)`)).rejects.toThrow(
      `to queue 'p2': change not allowed`,
    );
    expect(await add('p1', name, null)).toBe(
      `405 Found local table public.${name} in queue p2, use remove-table first to remove all previous table subscriptions`,
    );
    expect(await add('p1', name, ['no_merge'])).toBe(`200 Table added: public.${name}`);
  });

  it('makes indexes again and empties the table when the partition that leads the copy is removed', async () => {
    const name = await table('p1', 'p2');
    await add('p1', name, ['merge_all']);
    await db.sql(
      `begin; set local session_replication_role = replica; insert into public.${name} values (1, 'half'); commit`,
    );
    await setCopy('p1', name, { state: 'in-copy', ddl: false });
    const ddl = `create index ${name}_a on public.${name} (v); create index ${name}_b on public.${name} (v, id)`;
    await db.sql(`select londiste.local_set_table_struct('p1', $1, $2)`, [name, ddl]);
    expect(await ret(db, `londiste.local_remove_table('p1', $1)`, [name])).toBe(
      `200 Table removed: public.${name}`,
    );
    expect(
      await column(db, `select count(*)::int from pg_index where indrelid = $1::regclass`, [
        `public.${name}`,
      ]),
    ).toEqual([3]);
    expect(await column(db, `select count(*)::int from public.${name}`)).toEqual([0]);
    // the other partition still refuses changes
    await expect(db.sql(`truncate public.${name}`)).rejects.toThrow(
      `to queue 'p2': change not allowed (TRUNCATE)`,
    );
  });

  it('takes attributes and virtual tables to all partitions', async () => {
    await db.sql(`select londiste.global_add_table('p1', 'virt'), londiste.global_add_table('p2', 'virt')`);
    expect(await add('p1', 'virt', ['virtual_table', 'merge_all'], 'handler=vt')).toBe(
      '200 Table added with no triggers: public.virt',
    );
    expect(await rows('virt')).toEqual(['comb t ok handler=vt', 'p1 t ok handler=vt', 'p2 t ok handler=vt']);
  });

  it('does not force a partition that is being copied to ok', async () => {
    const name = await table('p1', 'p2');
    await add('p2', name, ['no_merge']);
    await setCopy('p2', name, { state: 'in-copy', ddl: true });
    expect(await add('p1', name, ['expect_sync'])).toMatch(/^405 Found local table/);
    expect(await rows(name)).toContain('p2 t in-copy');
  });

  it('accepts that a copy in progress has dropped the key', async () => {
    const name = await table('p1', 'p2');
    await add('p2', name, ['no_merge']);
    await db.sql(`alter table public.${name} drop constraint ${name}_pkey`);
    await setCopy('p2', name, { state: 'in-copy', ddl: false });
    expect(await add('p1', name, ['no_merge'])).toBe(`400 Primary key missing on table: public.${name}`);
    await setCopy('p2', name, { state: 'in-copy', ddl: true });
    expect(await add('p1', name, ['no_merge'])).toBe(`200 Table added: public.${name}`);
  });

  it('follows a combined branch without a copy', async () => {
    await makeSubscriber(db, 'bcomb', 'branch');
    await makeSubscriber(db, 'bp', 'leaf', 'bcomb');
    const name = await table('bp');
    await add('bp', name, null);
    expect(await rows(name)).toEqual(['bcomb t -', 'bp t ok']);
  });

  it('coordinates the copies of two partitions', async () => {
    const name = await table('p1', 'p2');
    await add('p1', name, ['merge_all']);
    const roles = async (one: CopyRow, two: CopyRow) => {
      await setCopy('p1', name, one);
      await setCopy('p2', name, two);
      const found = [];
      for (const queue of ['p1', 'p2']) {
        const [row] = await db.sql(
          `select copy_role, copy_pos from londiste.get_table_list($1) where table_name = $2`,
          [queue, `public.${name}`],
        );
        found.push(`${row.copy_role} ${row.copy_pos}`);
      }
      return found;
    };
    expect(await roles({ state: 'in-copy', ddl: false }, { state: 'in-copy', ddl: false })).toEqual([
      'lead 0',
      'wait-copy 1',
    ]);
    expect(await roles({ state: 'in-copy', ddl: true }, { state: 'in-copy', ddl: false })).toEqual([
      'lead 0',
      'wait-replay 1',
    ]);
    expect(await roles({ state: 'in-copy', ddl: true }, { state: 'catching-up', ddl: false })).toEqual([
      'lead 0',
      'wait-replay 0',
    ]);
    expect(await roles({ state: 'catching-up', ddl: true }, { state: 'catching-up', ddl: false })).toEqual([
      'null 0',
      'wait-replay 0',
    ]);
    expect(await roles({ state: 'catching-up', ddl: false }, { state: 'catching-up', ddl: false })).toEqual([
      'null 0',
      'null 0',
    ]);
  });

  it('coordinates the copies of three partitions in every combination of states', async () => {
    const name = await table('p1', 'p2', 'p3');
    await add('p1', name, ['merge_all']);
    const choices: CopyRow[] = [
      { state: null, ddl: false },
      { state: 'in-copy', ddl: false },
      { state: 'in-copy', ddl: true },
      { state: 'catching-up', ddl: false },
      { state: 'catching-up', ddl: true },
      { state: 'ok', ddl: false },
    ];
    await db.sql('begin');
    for (const a of choices) {
      for (const b of choices) {
        for (const c of choices) {
          const group = [a, b, c];
          for (const [index, row] of group.entries()) await setCopy(`p${index + 1}`, name, row);
          for (const index of group.keys()) {
            const [row] = await db.sql(
              `select copy_role from londiste.get_table_list($1) where table_name = $2`,
              [`p${index + 1}`, `public.${name}`],
            );
            expect(row.copy_role, JSON.stringify([group, index])).toBe(expectedRole(group, index));
          }
        }
      }
    }
    await db.sql('rollback');
  });

  it('never gives a role to queues that share a table but no combined queue', async () => {
    await makeSubscriber(db, 'solo1', 'leaf');
    await makeSubscriber(db, 'solo2', 'leaf');
    const name = await table('solo1', 'solo2');
    expect(await add('solo1', name, null)).toBe(`200 Table added: public.${name}`);
    expect(await add('solo2', name, null)).toBe(`200 Table added: public.${name}`);
    await setCopy('solo1', name, { state: 'in-copy', ddl: false });
    await setCopy('solo2', name, { state: 'in-copy', ddl: false });
    expect(await column(db, `select copy_role from londiste.get_table_list('solo1')`)).toEqual([null]);
    expect(await column(db, `select copy_role from londiste.get_table_list('solo2')`)).toEqual([null]);
  });
});
