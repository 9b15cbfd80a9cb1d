/** Checks the conditions of --where and --copy-condition before anything depends on them. */
import { quoteFqName, quoteIdent, quoteLiteral } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { sqlstateOf } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { ColumnMapping } from './column-map.ts';
import type { TypedColumn } from './table-structure.ts';

/** Name of the temporary view whose parse tree is looked at. */
const VIEW = 'pg_temp.kaja_filter';

/**
 * Does the condition compile over a table?
 * @param session outside a transaction: it is tried in a read-only one
 * @param table unquoted physical name
 * @throws KajaError state-refused `filter is not SQL: …`
 */
export async function checkCondition(session: Session, table: string, condition: string): Promise<void> {
  const check = (): Promise<void> => tryCondition(session, quoteFqName(table), condition);
  await (session.inTransaction ? check() : session.transaction(check, { readOnly: true }));
}

/**
 * Does a --where condition work on the rows that events bring? Its columns have the provider's names and this node's types.
 * @param session inside a transaction on this node
 * @throws KajaError state-refused when it does not compile, or has sub-selects or volatile functions
 */
export async function checkRowFilter(
  session: Session,
  table: string,
  condition: string,
  map: readonly ColumnMapping[],
  dest: readonly TypedColumn[],
): Promise<void> {
  await checkCondition(session, table, condition);
  const columns = map.map((one) => {
    const column = dest.find((other) => other.attnum === one.destAttnum && !other.generated);
    // Columns that are not written here are text in the apply's row type.
    return `${column ? `d.${quoteIdent(column.name)}` : 'null::text'} as ${quoteIdent(one.sourceName)}`;
  });
  const rows = `(select ${columns.join(', ')} from ${quoteFqName(table)} d) kaja_row`;
  await tryCondition(session, rows, condition);
  await session.query(`create temporary view ${VIEW} as select 1 as n from ${rows} where (${condition}\n)`);
  const tree =
    (await session.value<string>(
      `select r.ev_action::text from pg_rewrite r where r.ev_class = ${quoteLiteral(VIEW)}::regclass`,
    )) ?? '';
  await session.query(`drop view ${VIEW}`);
  if (tree.includes('{SUBLINK'))
    throw notUsable(condition, 'has a sub-select', 'use columns of the table only');
  const functions = [...tree.matchAll(/:(?:funcid|opfuncid) (\d+)/g)].map((match) => Number(match[1]));
  const [volatile] = await session.query<{ name: string }>(
    `select p.oid::regprocedure::text as name from pg_proc p where p.oid = any ($1::oid[]) and p.provolatile = 'v' limit 1`,
    [functions],
  );
  if (volatile)
    throw notUsable(
      condition,
      `calls ${volatile.name}, which is volatile`,
      'a row must always get the same answer',
    );
}

const notUsable = (condition: string, why: string, hint: string): KajaError =>
  new KajaError('state-refused', `filter cannot be used: ${condition} ${why}`, { hint });

/**
 * Compile it twice, between other brackets each time: `a) or (b` is no condition although it fits into one pair.
 * The extended protocol takes one statement only, whatever the condition holds, and knows no parameter here.
 */
async function tryCondition(session: Session, from: string, condition: string): Promise<void> {
  const query = {
    text: `select 1 from ${from} where (${condition}\n) and (array[${condition}\n])[1] limit 0`,
    queryMode: 'extended',
  };
  try {
    await session.guard(() => session.client.query(query));
  } catch (error) {
    const parameter = sqlstateOf(error) === '08P01';
    if (!(error instanceof KajaError) || (error.code !== 'sql-failed' && !parameter)) throw error;
    const text = parameter ? 'it has parameters' : textOf(error);
    throw new KajaError('state-refused', `filter is not SQL: ${condition}: ${text}`, {
      hint: 'write it as after WHERE; functions outside pg_catalog need their schema',
      cause: error,
    });
  }
}

const textOf = (error: KajaError): string =>
  error.cause instanceof Error ? error.cause.message : error.message;
