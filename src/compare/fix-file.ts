/** A repair as SQL text: one file per table, to be looked at and run by hand. */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { quoteFqName, quoteIdent, quoteLiteral } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import { columnText } from './hash-form.ts';
import type { RepairPlan, WrittenColumn } from './repair-plan.ts';
import type { SideColumn } from './side-columns.ts';

const FETCH_ROWS = 500;

/** Settings the literals were written under; old values are compared as text where a type has no equality. */
const HEADER = `set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set timezone = 'UTC'; set extra_float_digits = 1; set bytea_output = 'hex';\n`;

/** Path of a table's file. @param destName unquoted physical name */
export const fixFilePath = (directory: string, destName: string): string =>
  join(directory, `fix.${destName.replaceAll(/[/\\]/g, '_')}.sql`);

/**
 * Write the file.
 * @param session on this node, in the transaction that has the plan's temporary tables
 * @returns number of statements
 */
export async function writeFixFile(session: Session, plan: RepairPlan, path: string): Promise<number> {
  const file = await open(path, 'w');
  try {
    await file.write(HEADER);
    let count = 0;
    for (const sql of [deleteLines(plan), updateLines(plan), insertLines(plan)])
      if (sql) count += await writeLines(session, sql, file);
    return count;
  } finally {
    await file.close();
  }
}

async function writeLines(session: Session, sql: string, file: FileHandle): Promise<number> {
  let count = 0;
  await session.query(`declare kaja_fix no scroll cursor for ${sql}`);
  for (;;) {
    const rows = await session.query<{ line: string }>(`fetch ${FETCH_ROWS} from kaja_fix`);
    if (rows.length === 0) break;
    await file.write(rows.map((row) => `${row.line};\n`).join(''));
    count += rows.length;
  }
  await session.query('close kaja_fix');
  return count;
}

/** Constant text of a statement as an SQL expression. */
const text = (value: string): string => quoteLiteral(value);
/** The elements that are not null, joined; functions take at most 100 arguments, arrays have no limit. */
const joined = (parts: readonly string[], separator: string): string =>
  `array_to_string(array[${parts.join(', ')}]::text[], ${quoteLiteral(separator)})`;

/** Expression that yields the text `column = 'value'`. */
function condition(column: SideColumn, value: string): string {
  const name = quoteIdent(column.name);
  const left = column.comparable ? name : `${name}::text`;
  return `case when ${value} is null then ${text(`${name} is null`)} else ${text(`${left} = `)} || quote_literal(${value}) end`;
}

const staged = (column: WrittenColumn): string => columnText(column.dest, `s.${column.staged}`);

function deleteLines({ subject, steps }: RepairPlan): string {
  const { dest } = subject;
  const keyed = dest.keys.length > 0;
  const where = joined(
    (keyed ? dest.keys : dest.columns).map((column) => condition(column, columnText(column))),
    ' and ',
  );
  const from = text(`delete from ${dest.from} where `);
  // Of several equal rows exactly one has to go.
  const line = keyed
    ? `${from} || ${where}`
    : `${from} || ${text(`(tableoid, ctid) = (select tableoid, ctid from ${dest.from} where `)} || ${where} || ' limit 1)'`;
  return `select ${line} as line from ${steps} f join ${dest.from} t on t.tableoid = f.rel and t.ctid = f.tid where f.sid is null`;
}

function updateLines({ subject, steps, theirs, written }: RepairPlan): string | undefined {
  const { dest } = subject;
  const others = written.filter((column) => !column.isKey);
  if (dest.keys.length === 0 || others.length === 0) return undefined;
  const changed = (column: WrittenColumn): string =>
    `${staged(column)} is distinct from ${columnText(column.dest)}`;
  const sets = others.map(
    (column) =>
      `case when ${changed(column)} then ${text(`${quoteIdent(column.dest.name)} = `)} || quote_nullable(${staged(column)}) end`,
  );
  const wheres = [
    ...dest.keys.map((column) => condition(column, columnText(column))),
    ...others.map(
      (column) => `case when ${changed(column)} then ${condition(column.dest, columnText(column.dest))} end`,
    ),
  ];
  return `select ${text(`update ${dest.from} set `)} || x.sets || ' where ' || x.wheres as line
    from (select ${joined(sets, ', ')} as sets, ${joined(wheres, ' and ')} as wheres
            from ${steps} f join ${theirs} s on s.ctid = f.sid
            join ${dest.from} t on t.tableoid = f.rel and t.ctid = f.tid) x
   where x.sets <> ''`;
}

function insertLines({ subject, steps, theirs, written }: RepairPlan): string {
  const columns = written.map((column) => quoteIdent(column.dest.name)).join(', ');
  const overriding = written.some((column) => column.dest.identityAlways) ? ' overriding system value' : '';
  const head = text(`insert into ${quoteFqName(subject.dest.name)} (${columns})${overriding} values (`);
  const values = joined(
    written.map((column) => `quote_nullable(${staged(column)})`),
    ', ',
  );
  return `select ${head} || ${values} || ')' as line from ${steps} f join ${theirs} s on s.ctid = f.sid where f.tid is null`;
}
