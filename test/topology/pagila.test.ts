import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDump } from '../support/load-dump.ts';
import { createPair, type NodePair } from '../support/node-pair.ts';

const DUMP = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'pagila.sql');
const there = existsSync(DUMP);
if (!there) process.stderr.write(`pagila.test.ts is skipped: ${DUMP} is not there\n`);

/** What an application does with a shop: keys, partitions, triggers, arrays, enums and text search are touched. */
const WRITES = [
  `update film set title = title || '!', special_features = array_append(special_features, 'n''ew'), rating = 'NC-17' where film_id % 17 = $1 % 17`,
  `update payment set payment_date = payment_date + interval '1 month' where payment_id % 97 = $1 % 97 and payment_date < '2022-06-01'`,
  `delete from payment where payment_id % 211 = $1 % 211`,
  `insert into payment (customer_id, staff_id, rental_id, amount, payment_date) select customer_id, staff_id, rental_id, 1.50 + $1, '2022-03-15' from rental where rental_id % 499 = $1 % 499`,
  `insert into actor (first_name, last_name) values ('FIRST ' || $1, E'l\\tast')`,
  `update customer set email = null, activebool = not activebool where customer_id % 29 = $1 % 29`,
  `update rental set return_date = null where rental_id % 301 = $1 % 301`,
  `update address set phone = '', address2 = 'x' where address_id % 31 = $1 % 31`,
  `delete from film_actor where actor_id = $1 % 200`,
  `insert into film_actor (actor_id, film_id) select $1 % 200 + 1, film_id from film where film_id % 50 = $1 % 50 on conflict do nothing`,
];

/** SQLSTATEs upon which an application tries its transaction again: rows of `payment` move among partitions under two writers. */
const TRANSIENT = new Set(['40001', '40P01']);

async function write(client: pg.Client, statement: string, end: 'commit' | 'rollback'): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query('begin');
      await client.query(statement);
      await client.query(end);
      return;
    } catch (error) {
      await client.query('rollback');
      if (attempt === 20 || !TRANSIENT.has((error as pg.DatabaseError).code ?? '')) throw error;
    }
  }
}

describe.skipIf(!there)('a real database', () => {
  let pair: NodePair;
  beforeAll(async () => {
    pair = await createPair();
    await loadDump(await pair.root.connect(), DUMP);
  });
  afterAll(() => pair?.drop());

  it('is copied and kept in step under writes', async () => {
    for (const words of [
      ['add-table', '--all'],
      ['add-seq', '--all'],
    ]) {
      const result = await pair.onRoot(...words);
      expect(result.code, result.err).toBe(0);
    }
    const created = await pair.onLeaf('add-table', '--all', '--create-full');
    expect(created.code, created.err).toBe(0);
    pair.startWorker();
    const writers = [1, 2].map(async (writer) => {
      const client = await pair.root.connect();
      for (let n = writer; n < 60; n += 2) {
        const text = WRITES[n % WRITES.length] as string;
        await write(client, text.replaceAll('$1', String(n)), n % 9 === 8 ? 'rollback' : 'commit');
      }
    });
    await Promise.all(writers);
    await pair.sync(90_000);
    const tables = (
      await pair.root.sql(
        `select table_name as name from londiste.table_info where queue_name = $1 order by 1`,
        [pair.queue],
      )
    ).map((row) => row.name as string);
    expect(tables.length).toBe(15);
    for (const table of tables) {
      const rows = async (side: 'root' | 'leaf'): Promise<string[]> =>
        (await pair[side].sql(`select t::text as row from ${table} t order by t::text collate "C"`)).map(
          (row) => row.row,
        );
      expect(await rows('leaf'), table).toEqual(await rows('root'));
    }
    const compared = await pair.onLeaf('compare');
    expect(compared.code, compared.err).toBe(0);
    const keys = await pair.leaf.sql(
      `select count(*)::int as n from pg_index x join pg_class c on c.oid = x.indrelid where c.relnamespace = 'public'::regnamespace and x.indisprimary`,
    );
    expect(keys[0].n).toBe(15);
  }, 180_000);
});
