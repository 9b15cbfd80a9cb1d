/** Counters per table: how much was applied, and where a change met something it should not have met. */
import type { Session } from '../db/session.ts';
import type { TableOutcome } from './table-outcome.ts';

/** Did the changes meet rows they did not expect? */
export const diverged = (one: TableOutcome): boolean =>
  one.updateMissing + one.deleteMissing + one.insertFound > 0;

/** Adds the counters of a proposed row to those that are there. */
export const ADD_TO_STATS = `on conflict (queue_name, table_name) do update
        set inserted = s.inserted + excluded.inserted, updated = s.updated + excluded.updated, deleted = s.deleted + excluded.deleted,
            update_missing = s.update_missing + excluded.update_missing, delete_missing = s.delete_missing + excluded.delete_missing,
            insert_found = s.insert_found + excluded.insert_found, last_diverged = coalesce(excluded.last_diverged, s.last_diverged)`;

/** Start of a statement that proposes counters to `kaja.table_stats`. */
export const INTO_STATS =
  'insert into kaja.table_stats as s (queue_name, table_name, inserted, updated, deleted, update_missing, delete_missing, insert_found, last_diverged)';

/**
 * Add outcomes to `kaja.table_stats`, in the transaction that applied them.
 * @param tables outcomes by logical table name
 */
export async function saveOutcomes(
  target: Session,
  queue: string,
  tables: ReadonlyMap<string, TableOutcome>,
): Promise<void> {
  const all = [...tables];
  if (all.length === 0) return;
  const column = (pick: (one: TableOutcome) => number): number[] => all.map(([, one]) => pick(one));
  await target.execute(
    `${INTO_STATS}
     select $1, x.name, x.i, x.u, x.d, x.um, x.dm, x.f, case when x.um + x.dm + x.f > 0 then clock_timestamp() end
       from unnest($2::text[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[]) as x(name, i, u, d, um, dm, f)
     ${ADD_TO_STATS}`,
    [
      queue,
      all.map(([name]) => name),
      column((one) => one.inserted),
      column((one) => one.updated),
      column((one) => one.deleted),
      column((one) => Math.max(0, one.updateMissing)),
      column((one) => Math.max(0, one.deleteMissing)),
      column((one) => one.insertFound),
    ],
  );
}
