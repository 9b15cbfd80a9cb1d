/** A table as pgbench_accounts. */
import type { SiteTables } from './site.ts';

/** DDL without the primary key. */
export const ACCOUNTS_BARE =
  'create table accounts (aid int not null, bid int, abalance int, filler char(84))';

/** Statement that builds the key. */
export const ACCOUNTS_KEY = 'alter table accounts add primary key (aid)';

/** `rows` accounts on the provider; the subscriber's table has its key. */
export const accountTables = (rows: number): SiteTables & { readonly seed: string } => ({
  tables: ['accounts'],
  schema: `${ACCOUNTS_BARE}; ${ACCOUNTS_KEY}`,
  seed: `insert into accounts select g, g / 100000 + 1, 0, '' from generate_series(1, ${rows}) g; analyze accounts`,
});
