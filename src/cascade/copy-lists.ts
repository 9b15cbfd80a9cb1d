/** Takes over the lists of tables and sequences that a provider knows. */
import { isRegistered } from '../config/remote-nodes.ts';
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import type { Log } from '../log/logger.ts';
import type { RegisterFilters } from './node-settings.ts';

/** Names and published values on a provider. */
export interface ProviderLists {
  readonly tables: readonly string[];
  readonly seqs: readonly { readonly name: string; readonly lastValue: bigint }[];
}

/** Read what the provider knows, less what the filters leave out. */
export async function readProviderLists(
  provider: Session,
  queue: string,
  filters: RegisterFilters,
): Promise<ProviderLists> {
  const tables = await provider.query<{ name: string }>(
    'select t.table_name as name from londiste.get_table_list($1) t',
    [queue],
  );
  const seqs = await provider.query<{ name: string; lastValue: bigint }>(
    'select s.seq_name as name, s.last_value as "lastValue" from londiste.get_seq_list($1) s',
    [queue],
  );
  return {
    tables: tables
      .map((one) => one.name)
      .filter((name) => isRegistered(name, filters.onlyTables, filters.skipTables)),
    seqs: seqs.filter((one) => isRegistered(one.name, filters.onlySeqs, filters.skipSeqs)),
  };
}

/** Register them on the local node, in the transaction that is open. */
export async function registerLists(
  local: Session,
  queue: string,
  lists: ProviderLists,
  log: Log,
): Promise<void> {
  for (const table of lists.tables) await callRet(local, 'londiste.global_add_table', [queue, table], log);
  for (const seq of lists.seqs) {
    await callRet(local, 'londiste.global_update_seq', [queue, seq.name, seq.lastValue]);
  }
}
