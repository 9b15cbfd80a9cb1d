/** Tables of both sides that belong together. */
import type { Pair, WatchedTable } from './side.ts';

/** One logical table. */
export interface PairedTable {
  readonly table: string;
  readonly provider: WatchedTable | undefined;
  readonly subscriber: WatchedTable | undefined;
}

/**
 * Pair by logical name. Tables that only the provider has count when the subscriber is new, or when they were asked for: others are
 * left out on purpose.
 */
export function pairTables({ provider, subscriber }: Pair): PairedTable[] {
  const there = new Map(provider.tables.map((one) => [one.table, one]));
  const here = new Map(subscriber.tables.map((one) => [one.table, one]));
  const names = new Set(here.keys());
  if (!subscriber.node) for (const name of there.keys()) names.add(name);
  for (const one of provider.tables) if (!one.registered) names.add(one.table);
  return [...names].map((table) => ({ table, provider: there.get(table), subscriber: here.get(table) }));
}
