/**
 * Indexes, constraints and defaults of a table as one server spells them. What a server says of an expression depends on its version, on
 * column types, and on how often it was dumped and restored; so where texts differ, this node's server reads both into an empty temporary
 * table and says what it understood.
 */

import { readColumns } from '../../db/catalog/columns.ts';
import { quoteIdent } from '../../db/names.ts';
import type { Session } from '../../db/session.ts';
import { KajaError } from '../../errors/kaja-error.ts';
import { createIndex } from '../../tables/plan-create.ts';
import {
  type IndexDefinition,
  readChecks,
  readIndexes,
  type TableDefinition,
} from '../../tables/table-definition.ts';

/** An index with its constraint, or what this node's server says against it. */
export interface IndexClause extends IndexDefinition {
  readonly refused: KajaError | undefined;
}

/** A check constraint. */
export interface CheckClause {
  readonly name: string;
  readonly definition: string;
  readonly refused: KajaError | undefined;
}

/** See the file. */
export interface Clauses {
  readonly indexes: readonly IndexClause[];
  readonly checks: readonly CheckClause[];
  /** Defaults and generation expressions by column; with the names of this node's columns. */
  readonly defaults: ReadonlyMap<string, string>;
}

/** A column of the temporary table. */
export interface TrialColumn {
  /** Name that the clauses use. */
  readonly name: string;
  /** Name it gets afterwards. */
  readonly final: string;
  readonly type: string;
  readonly default: string | null;
  readonly generated: boolean;
}

/** As the catalog has them. */
export function clausesOf(
  definition: TableDefinition,
  nameOf: (column: string) => string | undefined = (column) => column,
): Clauses {
  const defaults = new Map<string, string>();
  for (const column of definition.source.columns) {
    const name = nameOf(column.name);
    if (column.default !== null && name !== undefined) defaults.set(name, column.default);
  }
  return {
    indexes: definition.indexes.map((one) => ({ ...one, refused: undefined })),
    checks: definition.checks.map((one) => ({
      ...one,
      definition: enforced(one.definition),
      refused: undefined,
    })),
    defaults,
  };
}

/** Rows that were there before do not make another constraint. */
const enforced = (definition: string): string => definition.replace(/ NOT VALID$/, '');

const TRIAL = 'pg_temp.kaja_trial';

/**
 * Let this node's server read the clauses. Leaves nothing behind.
 * @param session may create temporary tables; no transaction open
 */
export async function reparse(
  session: Session,
  definition: TableDefinition,
  columns: readonly TrialColumn[],
): Promise<Clauses> {
  return session.transaction(async () => {
    const attempt = (sql: string): Promise<KajaError | undefined> => tryStatement(session, sql);
    const types = await session.query<{ known: boolean }>(
      'select to_regtype(u.t) is not null as known from unnest($1::text[]) with ordinality u (t, n) order by n',
      [columns.map((one) => one.type)],
    );
    const typed = columns.map((one, n) => ({ ...one, type: types[n]?.known ? one.type : 'text' }));
    const list = typed.filter((one) => !one.generated).map((one) => `${quoteIdent(one.name)} ${one.type}`);
    await session.query(`create temp table kaja_trial (${list.join(', ')}) on commit drop`);
    for (const one of typed) {
      const name = quoteIdent(one.name);
      if (one.generated) {
        const failed = await attempt(
          `alter table ${TRIAL} add column ${name} ${one.type} generated always as (${one.default}) stored`,
        );
        if (failed) await session.query(`alter table ${TRIAL} add column ${name} ${one.type}`);
      } else if (one.default !== null)
        await attempt(`alter table ${TRIAL} alter column ${name} set default ${one.default}`);
    }
    const refusals: (KajaError | undefined)[] = [];
    for (const [n, index] of definition.indexes.entries())
      refusals.push(await attempt(createIndex(index, TRIAL, `kaja_index_${n}`)));
    const checkRefusals: (KajaError | undefined)[] = [];
    for (const [n, check] of definition.checks.entries())
      checkRefusals.push(
        await attempt(`alter table ${TRIAL} add constraint kaja_check_${n} ${enforced(check.definition)}`),
      );
    await renameColumns(session, typed);
    const oid = (await session.value<number>(`select '${TRIAL}'::regclass::oid`)) ?? 0;
    const [indexes, checks, found] = [
      await readIndexes(session, oid),
      await readChecks(session, oid),
      (await readColumns(session, [oid])).get(oid) ?? [],
    ];
    return {
      indexes: definition.indexes.map((one, n) => {
        const read = indexes.find((index) => index.name === `kaja_index_${n}`);
        return {
          ...one,
          ...(read && { suffix: read.suffix, constraint: read.constraint, columns: read.columns }),
          refused: refusals[n],
        };
      }),
      checks: definition.checks.map((one, n) => ({
        name: one.name,
        definition:
          checks.find((check) => check.name === `kaja_check_${n}`)?.definition ?? enforced(one.definition),
        refused: checkRefusals[n],
      })),
      defaults: new Map(
        typed.flatMap((one) => {
          const text = found.find((column) => column.name === one.final)?.default ?? one.default;
          return text === null ? [] : [[one.final, text] as const];
        }),
      ),
    };
  });
}

async function renameColumns(session: Session, columns: readonly TrialColumn[]): Promise<void> {
  const renamed = columns.filter((one) => one.name !== one.final);
  // By way of names that nobody has, since columns may exchange theirs.
  for (const [from, to] of [
    ...renamed.map((one, n) => [one.name, `kaja_column_${n}`] as const),
    ...renamed.map((one, n) => [`kaja_column_${n}`, one.final] as const),
  ])
    await session.query(`alter table ${TRIAL} rename column ${quoteIdent(from)} to ${quoteIdent(to)}`);
}

async function tryStatement(session: Session, sql: string): Promise<KajaError | undefined> {
  await session.query('savepoint kaja_trial');
  try {
    await session.query(sql);
    await session.query('release savepoint kaja_trial');
    return undefined;
  } catch (error) {
    if (!(error instanceof KajaError) || session.closed) throw error;
    await session.query('rollback to savepoint kaja_trial');
    return error;
  }
}
