/**
 * A week of rotation with the default period, 84 turns, in as little time as the consumers allow: writers in all isolation levels and by
 * all ways of producing, rolled back and committed; every committed event must come exactly once to each consumer.
 * It ends after half a minute, however far it came; KAJA_TEST_ROTATION_SECONDS=n gives it longer, 84 turns are enough in any case.
 */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eagerQueue, rows, SERVERS, value } from './queue-support.ts';

const TURNS = 84;
const LIMIT_MS = Number(process.env.KAJA_TEST_ROTATION_SECONDS ?? 30) * 1000;
const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;

/** Ways to write an event with the data `$1`; the third one names the table to write to. */
const PRODUCE = [
  `select pgq.insert_event('q', 'function', $1)`,
  `insert into public.logged values ($1)`,
  `with t as (select pgq.current_event_table('q') as name) select t.name from t where $1 <> ''`,
] as const;

/** One transaction: snapshot, a while, then events, one of them undone. @returns what it has committed; every fifth time nothing */
async function transact(client: pg.Client, level: string, data: string[], n: number): Promise<string[]> {
  try {
    await client.query(`begin isolation level ${level}`);
    await client.query('select count(*), pg_sleep(random() * 0.05) from pgq.queue');
    for (const [part, one] of data.entries()) {
      await client.query('savepoint s');
      const answer = await client.query(PRODUCE[(n + part) % PRODUCE.length] as string, [one]);
      const table = answer.rows[0]?.name;
      if (table)
        await client.query(`insert into ${table} (ev_time, ev_type, ev_data) values (now(), 'direct', $1)`, [
          one,
        ]);
      if (part === 1) await client.query('rollback to s');
    }
    await client.query(n % 5 === 4 ? 'rollback' : 'commit');
    return n % 5 === 4 ? [] : data.filter((_, part) => part !== 1);
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

describe.each(SERVERS)('a week of rotation on the %s', (_name, server) => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await createDatabase({ server, prefix: 'week' });
    await eagerQueue(db, 'q', 'one', 'late');
    await rows(db, `select pgq_coop.register_subconsumer('q', 'shared', w) from unnest(array['a', 'b']) w`);
    await rows(
      db,
      `create table public.logged (data text primary key);
       create trigger log after insert on public.logged for each row execute function pgq.sqltriga('q', 'ev_data=data')`,
    );
  });
  afterAll(() => db.drop());

  it(
    'loses nothing and delivers nothing twice',
    async () => {
      const committed = new Set<string>();
      let writing = true;
      let problem: unknown;
      const working = async (work: () => Promise<void>): Promise<void> => {
        await work().catch((error) => {
          problem ??= error;
          writing = false;
        });
      };

      const write = async (client: pg.Client, name: string, level: string): Promise<void> => {
        for (let n = 0; writing; n++) {
          const data = [0, 1, 2].map((part) => `${name}.${n}.${part}`);
          const done = await transact(client, level, data, n).catch((error) => {
            // Serializable writers may be refused; then nothing was written.
            if ((error as { code: string }).code !== '40001') throw error;
            return [];
          });
          for (const one of done) committed.add(one);
        }
      };

      const seen = { one: [] as string[], late: [] as string[], shared: [] as string[] };
      const take = async (
        client: pg.Client,
        into: string[],
        next: string,
        finish: string,
      ): Promise<boolean> => {
        const batch = await value(client, next);
        if (batch === null) {
          await client.query('select pg_sleep(0.01)');
          return false;
        }
        await client.query('begin');
        for (const event of await rows(client, 'select ev_data from pgq.get_batch_events($1)', [batch]))
          into.push(event.ev_data);
        await client.query(finish, [batch]);
        await client.query('commit');
        return true;
      };
      const oneBatch = (client: pg.Client) =>
        take(client, seen.one, `select pgq.next_batch('q', 'one')`, 'select pgq.finish_batch($1)');
      // Merges what waits into one batch, so that batches span rotations.
      const lateBatch = (client: pg.Client) =>
        take(
          client,
          seen.late,
          `select batch_id from pgq.next_batch_custom('q', 'late', null, 40, '0.2 s')`,
          'select pgq.finish_batch($1)',
        );
      const sharedBatch = (client: pg.Client, worker: string) =>
        take(
          client,
          seen.shared,
          `select pgq_coop.next_batch('q', 'shared', '${worker}')`,
          'select pgq_coop.finish_batch($1)',
        );

      let turns = 0;
      const deadline = Date.now() + LIMIT_MS;
      const maintain = async (client: pg.Client): Promise<void> => {
        for (let table = 0; writing; ) {
          await client.query('select pgq.ticker()');
          await client.query(`select pgq.maint_rotate_tables_step1('q')`);
          await client.query('select pgq.maint_rotate_tables_step2()');
          const current = Number(await value(client, 'select queue_cur_table from pgq.queue'));
          if (current !== table) turns++;
          table = current;
          if (turns >= TURNS || Date.now() > deadline) writing = false;
          else await client.query('select pg_sleep(0.02)');
        }
      };
      const clients = await Promise.all(Array.from({ length: 11 }, () => db.connect()));
      const client = (n: number): pg.Client => clients[n] as pg.Client;
      const consume = async (one: () => Promise<boolean>): Promise<void> => {
        while (writing) await one();
      };
      await Promise.all([
        ...LEVELS.flatMap((level, n) => [
          working(() => write(client(2 * n), `w${2 * n}`, level)),
          working(() => write(client(2 * n + 1), `w${2 * n + 1}`, level)),
        ]),
        working(() => maintain(client(6))),
        working(() => consume(() => oneBatch(client(7)))),
        working(() => consume(() => lateBatch(client(8)))),
        working(() => consume(() => sharedBatch(client(9), 'a'))),
        working(() => consume(() => sharedBatch(client(10), 'b'))),
      ]);
      if (problem) throw problem;

      // Everything that was committed is before the second tick from now.
      for (let n = 0; n < 2; n++) await client(6).query('select pgq.ticker()');
      for (const one of [
        oneBatch,
        (c: pg.Client) => sharedBatch(c, 'a'),
        (c: pg.Client) => sharedBatch(c, 'b'),
      ])
        while (await one(client(7)));
      while (
        await take(client(8), seen.late, `select pgq.next_batch('q', 'late')`, 'select pgq.finish_batch($1)')
      );
      // Each table was the current one again: what was truncated held events.
      expect(turns).toBeGreaterThan(3);
      expect(committed.size).toBeGreaterThan(turns);
      const all = [...committed].sort();
      for (const name of ['one', 'late', 'shared'] as const) expect(seen[name].sort(), name).toEqual(all);
    },
    LIMIT_MS + 150_000,
  );
});
