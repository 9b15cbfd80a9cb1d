/** What the tests of the queue schemas share. */
import type pg from 'pg';
import type { TestDatabase } from '../support/database.ts';

/** Servers to run on: the oldest and the newest version. */
export const SERVERS = [
  ['oldest server', 0],
  ['newest server', -1],
] as const;

type Queryable = TestDatabase | pg.Client;

/** Rows of a statement. */
// biome-ignore lint/suspicious/noExplicitAny: rows are whatever the statement returns
export async function rows(on: Queryable, text: string, values?: unknown[]): Promise<any[]> {
  return 'sql' in on ? on.sql(text, values) : (await on.query(text, values)).rows;
}

/** First column of the first row, as text or null. */
export async function value(on: Queryable, text: string, values?: unknown[]): Promise<string | null> {
  const [row] = await rows(on, text, values);
  const first = row && Object.values(row)[0];
  return first === null || first === undefined ? null : String(first);
}

/** Error message and SQLSTATE of a statement that must fail. */
export async function failure(
  on: Queryable,
  text: string,
  values?: unknown[],
): Promise<{ message: string; code: string }> {
  try {
    await rows(on, text, values);
  } catch (error) {
    const { message, code } = error as { message: string; code: string };
    return { message, code };
  }
  throw new Error(`did not fail: ${text}`);
}

/** Create a queue that ticks at every call of pgq.ticker and rotates whenever asked. */
export async function eagerQueue(on: Queryable, queue: string, ...consumers: string[]): Promise<void> {
  await rows(on, 'select pgq.create_queue($1)', [queue]);
  await rows(
    on,
    `update pgq.queue set queue_ticker_max_lag = '0', queue_ticker_idle_period = '0', queue_rotation_period = '0' where queue_name = $1`,
    [queue],
  );
  for (const consumer of consumers) await rows(on, 'select pgq.register_consumer($1, $2)', [queue, consumer]);
}

/** Insert an event with a text as its data; returns its id. */
export async function insert(on: Queryable, queue: string, data: string): Promise<string | null> {
  return value(on, `select pgq.insert_event($1, 't', $2)`, [queue, data]);
}

/** Both steps of a rotation, each in its own transaction; returns the current table afterwards. */
export async function rotate(on: Queryable, queue: string): Promise<string | null> {
  await rows(on, 'select pgq.maint_rotate_tables_step1($1)', [queue]);
  await rows(on, 'select pgq.maint_rotate_tables_step2()');
  return value(on, 'select queue_cur_table from pgq.queue where queue_name = $1', [queue]);
}

/** Data of the events of the consumer's next batch, which is finished; undefined if there is no batch. */
export async function nextEvents(
  on: Queryable,
  queue: string,
  consumer: string,
): Promise<string[] | undefined> {
  const batch = await value(on, 'select pgq.next_batch($1, $2)', [queue, consumer]);
  if (batch === null) return undefined;
  const events = await rows(on, 'select ev_data from pgq.get_batch_events($1)', [batch]);
  await rows(on, 'select pgq.finish_batch($1)', [batch]);
  return events.map((event) => event.ev_data);
}

/** Data of all events up to the newest tick, batch after batch. */
export async function drain(on: Queryable, queue: string, consumer: string): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const events = await nextEvents(on, queue, consumer);
    if (!events) return all;
    all.push(...events);
  }
}

/** Tick and drain. */
export async function tickAndDrain(on: Queryable, queue: string, consumer: string): Promise<string[]> {
  await rows(on, 'select pgq.ticker($1)', [queue]);
  return drain(on, queue, consumer);
}

/** Repeat until it is true; other databases of the server may hold back a snapshot for a moment. */
async function until(what: string, done: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 30_000; !(await done()); ) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Tick and drain until the consumer stands behind the last rotation; returns what it got. */
export async function pass(on: Queryable, queue: string, consumer: string): Promise<string[]> {
  const all: string[] = [];
  await until(`${consumer} passes the rotation of ${queue}`, async () => {
    all.push(...(await tickAndDrain(on, queue, consumer)));
    const passed = await value(
      on,
      `select txid_snapshot_xmin(t.tick_snapshot) > q.queue_switch_step2
         from pgq.queue q
         join pgq.subscription s on s.sub_queue = q.queue_id
         join pgq.consumer c on c.co_id = s.sub_consumer
         join pgq.tick t on t.tick_queue = q.queue_id and t.tick_id = s.sub_last_tick
        where q.queue_name = $1 and c.co_name = $2`,
      [queue, consumer],
    );
    return passed === 'true';
  });
  return all;
}

/** Rotate once, as soon as all these consumers allow it; returns what the first one got. */
export async function turn(on: Queryable, queue: string, ...consumers: string[]): Promise<string[]> {
  const all: string[] = [];
  const current = 'select queue_cur_table from pgq.queue where queue_name = $1';
  const before = await value(on, current, [queue]);
  await until(`${queue} rotates`, async () => {
    for (const [n, consumer] of consumers.entries()) {
      const got = await pass(on, queue, consumer);
      if (n === 0) all.push(...got);
    }
    return (await rotate(on, queue)) !== before;
  });
  return all;
}

/** Wait until the session with this process id waits for a lock. */
export async function waitsForLock(on: Queryable, pid: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; ) {
    const waiting = await value(on, 'select cardinality(pg_blocking_pids($1)) > 0', [pid]);
    if (waiting === 'true') return;
    if (Date.now() > deadline) throw new Error(`session ${pid} does not wait`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Process id of a session. */
export async function pidOf(client: pg.Client): Promise<number> {
  return Number(await value(client, 'select pg_backend_pid()'));
}
