/** Tries the conditions of one run before anything is begun. */
import { openSession } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { checkCondition } from '../tables/row-filter.ts';
import type { CompareContext } from './compare-context.ts';
import type { Candidate } from './subject.ts';

/**
 * Do the conditions compile over the provider's tables?
 * @throws KajaError state-refused (exit code 2), with the table's name
 */
export async function checkConditions(
  context: CompareContext,
  candidates: readonly Candidate[],
  conditions: readonly string[],
): Promise<void> {
  if (conditions.length === 0) return;
  await using provider = await openSession(context.providerLocation, {
    purpose: 'read',
    applicationName: context.applicationName,
    signal: context.signal,
  });
  const names = await provider.query<{ table: string; name: string }>(
    `select i.table_name as "table", coalesce(i.dest_table, i.table_name) as name
       from londiste.table_info i where i.queue_name = $1 and i.local`,
    [context.queue],
  );
  for (const { tableName } of candidates) {
    const name = names.find((one) => one.table === tableName)?.name;
    // A table that the provider does not have is told about later.
    if (name === undefined) continue;
    for (const condition of conditions)
      await checkCondition(provider, name, condition).catch((error: unknown) => {
        if (!(error instanceof KajaError) || error.code !== 'state-refused') throw error;
        throw new KajaError('state-refused', `${error.message} (table ${tableName})`, {
          exitCode: 2,
          hint: error.hint,
          cause: error,
        });
      });
  }
}
