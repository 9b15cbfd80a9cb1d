/** Brings the subscriber's list of what the queue has in line with its provider's. */
import { callRet } from '../db/ret-code.ts';
import type { TableNode } from './node-tables.ts';

/** Add and forget tables until the node knows those of its provider; names the ini does not let in stay unknown. */
export async function syncTableList(node: TableNode): Promise<void> {
  const { queue, here, log } = node;
  const provider = await node.provider();
  const read = `select table_name as name from londiste.table_info where queue_name = $1 order by nr, table_name`;
  const there = (await provider.query<{ name: string }>(read, [queue])).map((row) => row.name);
  const known = (await here.query<{ name: string }>(read, [queue])).map((row) => row.name);
  await here.transaction(async () => {
    for (const name of there) {
      if (known.includes(name) || !node.wantsTable(name)) continue;
      log.info(`Table ${name} info missing from subscriber, adding`);
      await callRet(here, 'londiste.global_add_table', [queue, name]);
    }
    for (const name of known) {
      if (there.includes(name)) continue;
      log.info(`Table ${name} gone but exists on subscriber, removing`);
      await callRet(here, 'londiste.global_remove_table', [queue, name]);
    }
  });
}

/** As `syncTableList` for sequences, with their published values. */
export async function syncSeqList(node: TableNode): Promise<void> {
  const { queue, here, log } = node;
  const provider = await node.provider();
  const read = `select seq_name as name, last_value as value from londiste.get_seq_list($1)`;
  const there = await provider.query<{ name: string; value: bigint }>(read, [queue]);
  const known = await here.query<{ name: string }>(read, [queue]);
  await here.transaction(async () => {
    for (const { name, value } of there) {
      if (known.some((one) => one.name === name) || !node.wantsSeq(name)) continue;
      log.info(`Sequence ${name} info missing from subscriber, adding`);
      await callRet(here, 'londiste.global_update_seq', [queue, name, value]);
    }
    for (const { name } of known) {
      if (there.some((one) => one.name === name)) continue;
      log.info(`Sequence ${name} gone but exists on subscriber, removing`);
      await callRet(here, 'londiste.global_remove_seq', [queue, name]);
    }
  });
}
