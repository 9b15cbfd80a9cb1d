/** SQL that repairs one table of this node: rows of the provider in one temporary table, ours in another, and what becomes of each. */
import { quoteFqName, quoteIdent } from '../db/names.ts';
import { columnText } from './hash-form.ts';
import { keyIsIn, namedTexts, rowHash, rowKey, whereOf } from './row-sql.ts';
import type { SideColumn } from './side-columns.ts';
import type { Subject } from './subject.ts';

/** A table to repair and its temporary tables, which are numbered because names of tables may be too long. */
export interface RepairPlan {
  readonly subject: Subject;
  /** Keys of rows that differed, `k text[]`, those in hand excepted; lives as long as the session. */
  readonly waiting: string;
  /** Keys in hand. */
  readonly keys: string;
  /** Rows of the provider: k, h (hash there), c0, c1, … */
  readonly theirs: string;
  /** Rows of this node: rel, tid, k, h, inside (matches the filter). */
  readonly ours: string;
  /** What to do: sid (row of `theirs`), rel and tid (row here). Both: update. */
  readonly steps: string;
  /** Columns that are written, with their names in `theirs`. */
  readonly written: readonly WrittenColumn[];
  /** Rows that are only here are deleted. */
  readonly deletes: boolean;
}

/** See `RepairPlan.written`. */
export interface WrittenColumn {
  readonly source: SideColumn;
  readonly dest: SideColumn;
  readonly staged: string;
  readonly isKey: boolean;
}

/**
 * Plan the repair of a table. Of the rows found only the keys count from here on: a row that does not match --repair-where on
 * one side is there nevertheless.
 * @param n number of the table in this run
 * @param deletes rows that are only here are deleted
 */
export function planRepair(found: Subject, n: number, deletes: boolean): RepairPlan {
  const subject: Subject = {
    ...found,
    source: { ...found.source, filter: found.source.tableFilter },
    dest: { ...found.dest, filter: found.dest.tableFilter },
  };
  const written = subject.dest.columns.flatMap((dest, at): WrittenColumn[] => {
    const source = subject.source.columns[at];
    if (dest.generated || !source) return [];
    return [{ source, dest, staged: `c${at}`, isKey: subject.dest.keys.includes(dest) }];
  });
  return {
    subject,
    waiting: `pg_temp.kaja_waiting_${n}`,
    keys: `pg_temp.kaja_keys_${n}`,
    theirs: `pg_temp.kaja_theirs_${n}`,
    ours: `pg_temp.kaja_ours_${n}`,
    steps: `pg_temp.kaja_steps_${n}`,
    written,
    deletes,
  };
}

/** Tables of the keys, made before they are found. */
export const createKeys = (plan: RepairPlan): string =>
  `create temp table ${bare(plan.waiting)} (k text[] collate "C"); create temp table ${bare(plan.keys)} (k text[] collate "C")`;

/** Statements that take some of the waiting keys in hand; the last one's row count says how many. */
export const takeKeys = ({ waiting, keys }: RepairPlan, limit: number): readonly string[] => [
  `truncate ${keys}`,
  `with taken as (delete from ${waiting} where ctid = any (array(select ctid from ${waiting} limit ${limit})) returning k)
   insert into ${keys} select k from taken`,
];

/** Temporary table for the provider's rows, with this node's types. */
export function createTheirs(plan: RepairPlan): string {
  const columns = plan.written.map((column) => `${column.staged} ${column.dest.type}`);
  return `create temp table ${bare(plan.theirs)} (${['k text[] collate "C"', 'h int8', ...columns].join(', ')}) on commit drop`;
}

/** COPY of the rows on the provider whose keys are in its kaja_key. */
export function copyTheirs({ subject: { source }, written }: RepairPlan): string {
  const columns = written.map((column) => `t.${quoteIdent(column.source.name)}`);
  const values = [rowKey(source), rowHash(source), ...columns].join(', ');
  return `copy (select ${values} from ${source.from} t${whereOf(source.filter, keyIsIn(source, 'pg_temp.kaja_key'))}) to stdout`;
}

/**
 * Read the rows here and decide.
 * @param lock nobody else may change them until the transaction ends
 */
export function decide(
  { subject: { dest }, keys, theirs, ours, steps, deletes }: RepairPlan,
  lock: boolean,
): string {
  const inside = dest.filter === null ? 'true' : `coalesce((${dest.filter}), false)`;
  return `analyze ${keys};
create temp table ${bare(ours)} (rel oid, tid tid, k text[] collate "C", h int8, inside bool) on commit drop;
insert into ${ours} select t.tableoid, t.ctid, ${rowKey(dest)}, ${rowHash(dest)}, ${inside}
  from ${dest.from} t where ${keyIsIn(dest, keys)}${lock ? ' for update of t' : ''};
create temp table ${bare(steps)} on commit drop as
with s as (select ctid as sid, k, h, row_number() over (partition by k, h) as n from ${theirs}),
     o as (select rel, tid, k, h, inside, row_number() over (partition by k, h order by inside desc, rel, tid) as n from ${ours}),
     s_left as (select s.sid, s.k, row_number() over (partition by s.k order by s.sid) as m from s
                 where not exists (select from o where o.k = s.k and o.h = s.h and o.n = s.n)),
     o_left as (select o.rel, o.tid, o.k, o.inside, row_number() over (partition by o.k order by o.inside desc, o.rel, o.tid) as m from o
                 where not exists (select from s where s.k = o.k and s.h = o.h and s.n = o.n))
select s.sid, o.rel, o.tid from s_left s full join o_left o on o.k = s.k and o.m = s.m
 where s.sid is not null${deletes ? ' or o.inside' : ''};
analyze ${steps}`;
}

/** May differing rows be changed by UPDATE? Identity ALWAYS columns cannot; rows without key are never the same row. */
export const canUpdate = ({ subject, written }: RepairPlan): boolean =>
  subject.dest.keys.length > 0 && !written.some((column) => column.dest.identityAlways && !column.isKey);

/** Would a row that is deleted and inserted again lose something? */
export const keepsForeignColumns = ({ subject }: RepairPlan): boolean =>
  subject.leftOut.some((column) => !column.generated);

/**
 * Keep old and new values of what is about to change.
 * Parameters: run, queue, logical and physical name of the table.
 */
export function logSteps({ subject: { dest }, steps, theirs, written }: RepairPlan): string {
  const columns = written.map((column) => column.dest);
  const texts = written.map((column) => columnText(column.dest, `s.${column.staged}`));
  const oldTexts = dest.columns.map((column) => columnText(column));
  return `insert into kaja.repair_log (run_id, queue_name, table_name, dest_table, action, old_row, new_row)
    select $1, $2, $3, $4, case when f.tid is null then 'insert' when f.sid is null then 'delete' else 'update' end,
           case when f.tid is not null then ${namedTexts(dest.columns, oldTexts)} end,
           case when f.sid is not null then ${namedTexts(columns, texts)} end
      from ${steps} f left join ${theirs} s on s.ctid = f.sid left join ${dest.from} t on ${HERE}`;
}

const HERE = 't.tableoid = f.rel and t.ctid = f.tid';

/** Delete extra rows. @param updates false: also rows that would be updated */
export const deleteRows = ({ subject, steps }: RepairPlan, updates: boolean): string =>
  `delete from ${subject.dest.from} t using ${steps} f where ${HERE}${updates ? ' and f.sid is null' : ''}`;

/** Update differing rows; undefined when there is nothing to set. */
export function updateRows({ subject, steps, theirs, written }: RepairPlan): string | undefined {
  const sets = written
    .filter((column) => !column.isKey)
    .map((column) => `${quoteIdent(column.dest.name)} = s.${column.staged}`);
  if (sets.length === 0) return undefined;
  return `update ${subject.dest.from} t set ${sets.join(', ')} from ${steps} f join ${theirs} s on s.ctid = f.sid where ${HERE}`;
}

/** Insert missing rows. @param updates false: also rows that would be updated */
export function insertRows({ subject, steps, theirs, written }: RepairPlan, updates: boolean): string {
  const columns = written.map((column) => quoteIdent(column.dest.name));
  const values = written.map((column) => `s.${column.staged}`);
  return `insert into ${quoteFqName(subject.dest.name)} (${columns.join(', ')}) overriding system value
    select ${values.join(', ')} from ${steps} f join ${theirs} s on s.ctid = f.sid${updates ? ' where f.tid is null' : ''}`;
}

/** Number of keys whose rows still differ. */
export function countRemaining({ subject: { dest }, keys, theirs }: RepairPlan): string {
  const ours = `select ${rowKey(dest)} as k, ${rowHash(dest)} as h from ${dest.from} t${whereOf(dest.filter, keyIsIn(dest, keys))}`;
  const rows = `select k, h from ${theirs}`;
  return `select count(distinct k) as remaining
    from ((${rows} except all ${ours}) union all (${ours} except all ${rows})) x`;
}

/** CREATE TEMP TABLE wants the name without its schema. */
const bare = (name: string): string => name.replace(/^pg_temp\./, '');
