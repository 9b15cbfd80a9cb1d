/** Consumers on the provider that copies of this node left behind: nobody moves them, so the queue cannot rotate. */
import { quoteLiteral } from '../db/names.ts';
import type { PairCheck } from './check.ts';
import { type Verdict, warning } from './finding.ts';

/** States of a table in which its copy has a consumer. */
const COPYING = /^(?:in-copy|catching-up|wanna-sync:|do-sync:)/;

/**
 * @param consumers names on the provider
 * @param tables state per logical table of the subscriber
 */
export function judgeCopies(
  queue: string,
  worker: string,
  consumers: readonly string[],
  tables: ReadonlyMap<string, string | null>,
): Verdict[] {
  const prefix = `${worker}.copy.`;
  return consumers.flatMap((name) => {
    if (!name.startsWith(prefix)) return [];
    const table = name.slice(prefix.length);
    if (COPYING.test(tables.get(table) ?? '')) return [];
    const unregister = `select pgq.unregister_consumer(${quoteLiteral(queue)}, ${quoteLiteral(name)})`;
    return [
      warning(
        `consumer ${name} is left from a copy of ${table}, which is over`,
        `on the provider: ${unregister}`,
      ),
    ];
  });
}

/** Consumers of copies that are over. */
export const checkCopies: PairCheck = {
  name: 'queue',
  async run({ provider, subscriber }) {
    const { node, queue } = subscriber;
    if (!node || queue === undefined || !provider.schemas.has('pgq')) return [];
    const rows = await provider.session.query<{ name: string }>(
      'select c.consumer_name as name from pgq.get_consumer_info($1) c order by 1',
      [queue],
    );
    const names = rows.map((row) => row.name);
    return judgeCopies(
      queue,
      node.workerName,
      names,
      new Map(subscriber.tables.map((one) => [one.table, one.mergeState])),
    );
  },
};
