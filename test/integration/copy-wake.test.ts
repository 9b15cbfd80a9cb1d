/** A worker takes up a change of its tables when it happens, not at its next poll. */
import { it } from 'vitest';
import { createDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { replicate } from '../support/replication.ts';

it('copies a table again as soon as its state is reset, with a poll that never comes', async () => {
  const root = await createDatabase({ install: true });
  const leaf = await createDatabase({ install: true });
  for (const db of [root, leaf]) await db.sql('create table item (id int primary key, v text)');
  await root.sql(`insert into item values (1, 'a'), (2, 'b')`);
  const pair = await replicate(root, leaf, { loopDelayMs: 3_600_000 });
  try {
    pair.startWorker();
    await pair.addTable('public.item');
    await pair.settled();
    await leaf.sql(`set kaja.applying = '1'; delete from item`);
    await leaf.sql('select londiste.local_set_table_state($1, $2, null, null)', [pair.queue, 'public.item']);
    await eventually(
      async () =>
        (
          await leaf.sql(
            `select merge_state as state, (select count(*) from item)::int as rows from londiste.table_info where table_name = 'public.item'`,
          )
        )[0],
      (row) => row.state === 'ok' && row.rows === 2,
    );
  } finally {
    await pair.stop();
    await root.drop();
    await leaf.drop();
  }
});
