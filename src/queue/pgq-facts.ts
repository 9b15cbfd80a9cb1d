/** Can this database be ticked, and how? */
import type { Session } from '../db/session.ts';

/** What a ticker has to know about a database. */
export type PgqFacts =
  | { readonly usable: false; readonly reason: string }
  | {
      readonly usable: true;
      readonly version: string;
      /** kaja.poll_ticks is there; else only pgq.ticker. */
      readonly polls: boolean;
    };

/* Names are looked up in the catalog: to_regprocedure fails on a schema one may not use. */
const FACTS = `
  with present as (
    select n.nspname || '.' || p.proname as name
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
     where (n.nspname = 'pgq' and p.proname in ('version', 'ticker')) or (n.nspname = 'kaja' and p.proname = 'poll_ticks')
  )
  select exists (select 1 from present where name = 'pgq.version') as versioned,
         exists (select 1 from present where name = 'pgq.ticker') as ticks,
         exists (select 1 from present where name = 'kaja.poll_ticks') as polls,
         pg_is_in_recovery() as standby`;

interface FactsRow {
  versioned: boolean;
  ticks: boolean;
  polls: boolean;
  standby: boolean;
}

/** Look at a database. */
export async function readPgqFacts(session: Session): Promise<PgqFacts> {
  const row = await session.one<FactsRow>(FACTS);
  if (!row.ticks) return { usable: false, reason: 'pgq is not installed, ignoring' };
  if (row.standby) return { usable: false, reason: 'a standby cannot be ticked, ignoring' };
  const version = row.versioned ? ((await session.value<string | null>('select pgq.version()')) ?? '') : '';
  if (!(Number.parseInt(version, 10) >= 3)) return { usable: false, reason: 'bad pgq version, ignoring' };
  return { usable: true, version, polls: row.polls };
}
