/** Sequences of a subscriber: would they give values that rows have already, once somebody writes here? */

import { quoteLiteral } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import type { SideCheck } from './check.ts';
import { info, type Verdict } from './finding.ts';
import { existing } from './side.ts';

/** A sequence that fills a column. */
export interface SequenceState {
  /** Quoted. */
  readonly sequence: string;
  readonly table: string;
  readonly column: string;
  readonly last: bigint;
  readonly max: bigint | null;
}

/** Judge one sequence. */
export function judgeSequence(state: SequenceState): Verdict[] {
  if (state.max === null || state.last >= state.max) return [];
  return [
    info(
      `sequence ${state.sequence} stands at ${state.last}, column ${state.column} of ${state.table} at ${state.max}`,
      `before anybody writes here: add-seq it, or select setval(${quoteLiteral(state.sequence)}, ${state.max})`,
    ),
  ];
}

interface Owned {
  readonly sequence: string;
  readonly relation: string;
  readonly column: string;
  readonly table: string;
  readonly quoted: string;
}

/* Only where an index answers at once. */
const readOwned = (session: Session, oids: readonly number[]): Promise<Owned[]> =>
  session.query<Owned>(
    `select format('%I.%I', sn.nspname, s.relname) as sequence, format('%I.%I', tn.nspname, t.relname) as relation,
            a.attname::text as column, tn.nspname || '.' || t.relname as table, quote_ident(a.attname) as quoted
       from pg_depend d
       join pg_class s on s.oid = d.objid and s.relkind = 'S'
       join pg_namespace sn on sn.oid = s.relnamespace
       join pg_class t on t.oid = d.refobjid
       join pg_namespace tn on tn.oid = t.relnamespace
       join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
      where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
        and d.refobjid = any ($1::oid[])
        and exists (select from pg_index x where x.indrelid = t.oid and x.indkey[0] = a.attnum and x.indisvalid and x.indpred is null)
        and has_column_privilege(t.oid, a.attnum, 'select') and has_table_privilege(s.oid, 'select')
        and has_schema_privilege(tn.oid, 'usage') and has_schema_privilege(sn.oid, 'usage') and not row_security_active(t.oid)
        and pg_catalog.format_type(a.atttypid, null) in ('smallint', 'integer', 'bigint')`,
    [oids],
  );

/** Sequences that fill columns of tables, where an index tells the biggest value at once. @param oids of the tables */
export async function readSequenceStates(
  session: Session,
  oids: readonly number[],
): Promise<SequenceState[]> {
  const list: SequenceState[] = [];
  for (const one of await readOwned(session, oids)) {
    const row = await session.one<{ last: bigint; max: bigint | null }>(
      `select (select case when s.is_called then s.last_value else s.last_value - 1 end from ${one.sequence} s) as last,
              (select max(t.${one.quoted})::int8 from ${one.relation} t) as max`,
    );
    list.push({ ...one, ...row });
  }
  return list;
}

/** Sequences that fill columns of replicated tables. */
export const checkSequences: SideCheck = {
  name: 'sequences',
  applies: (side) => side.apply !== undefined,
  run: async (side) =>
    (
      await readSequenceStates(
        side.session,
        existing(side).map((one) => one.relation.oid),
      )
    ).flatMap(judgeSequence),
};
