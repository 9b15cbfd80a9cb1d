/** Makes the destination table of a subscription inside the transaction that registers it. */
import { formatFqName, parseFqName, quoteFqName } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { NoteLog } from './expand-names.ts';
import { type CreatePlan, planCreate } from './plan-create.ts';
import type { TableDefinition } from './table-definition.ts';

/**
 * Create the table, empty and without keys.
 * @param here inside a transaction
 * @param destName unquoted physical name
 * @returns statements that build its keys and indexes; they have been tried on the empty table
 * @throws KajaError table-unfit when a type is missing or a statement fails
 */
export async function createTable(
  here: Session,
  definition: TableDefinition,
  destName: string,
  full: boolean,
  log: NoteLog,
): Promise<readonly string[]> {
  const plan = await planTable(here, definition, destName, full);
  for (const note of plan.notes) log.warn(note);
  for (const statement of plan.statements) await run(here, destName, statement);
  // What would fail after hours of copying shall fail now.
  await here.query('savepoint kaja_indexes');
  for (const statement of plan.pending) await run(here, destName, statement);
  await here.query('rollback to savepoint kaja_indexes');
  log.info(
    `Table ${destName} created${definition.source.relation.kind === 'table' ? '' : ' as a plain table'}`,
  );
  return plan.pending;
}

/** Plan a table without making it. */
export async function planTable(
  here: Session,
  definition: TableDefinition,
  destName: string,
  full: boolean,
): Promise<CreatePlan> {
  const dest = parseFqName(destName);
  const sequences = [...definition.sequences.values()].map((one) => one.name);
  const schemas = [
    dest.schema,
    ...definition.types.map((type) => type.schema),
    ...sequences.map((name) => parseFqName(name).schema),
  ];
  const present = await here.query<{ name: string }>(
    'select nspname::text as name from pg_namespace where nspname = any ($1::text[])',
    [schemas],
  );
  const types = await here.query<{ name: string }>(
    `select n.nspname || '.' || t.typname as name from pg_type t join pg_namespace n on n.oid = t.typnamespace
      where n.nspname || '.' || t.typname = any ($1::text[])`,
    [definition.types.map(formatFqName)],
  );
  const taken = await here.query<{ name: string }>(
    `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 or n.nspname || '.' || c.relname = any ($2::text[])`,
    [dest.schema, sequences],
  );
  return planCreate(definition, {
    dest,
    serverVersion: here.serverVersion,
    full,
    schemas: new Set(present.map((row) => row.name)),
    types: new Set(types.map((row) => row.name)),
    taken: new Set(taken.map((row) => row.name)),
  });
}

async function run(here: Session, destName: string, statement: string): Promise<void> {
  try {
    await here.query(statement);
  } catch (error) {
    if (!(error instanceof KajaError) || error.code !== 'sql-failed') throw error;
    throw new KajaError(
      'table-unfit',
      `table ${quoteFqName(destName)} cannot be created: ${error.message}: ${statement.replace(/\s+/g, ' ').slice(0, 300)}`,
      {
        hint: 'create what it needs, or the table itself, by hand',
        cause: error,
      },
    );
  }
}
