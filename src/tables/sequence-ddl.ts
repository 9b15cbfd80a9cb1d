/** Sequences of the provider, and the statements that make the same here. */
import { quoteFqName } from '../db/names.ts';
import type { Session } from '../db/session.ts';

/** One sequence. Numbers are decimal text: they have 64 bits. */
export interface SequenceDefinition {
  /** Unquoted `schema.name`. */
  readonly name: string;
  readonly type: string;
  readonly increment: string;
  readonly min: string;
  readonly max: string;
  readonly cache: string;
  readonly cycle: boolean;
  /** Value that nextval would give now. */
  readonly next: string;
  /** Table and column it belongs to (serial, identity). */
  readonly ownerTable: string | null;
  readonly ownerColumn: string | null;
  readonly identity: boolean;
}

/**
 * Read sequences by unquoted `schema.name`; those that do not exist are absent.
 * @throws KajaError permission-denied when one may not be read
 */
export async function readSequences(
  session: Session,
  names: readonly string[],
): Promise<Map<string, SequenceDefinition>> {
  const found = new Map<string, SequenceDefinition>();
  for (const name of names) {
    const exists = await session.value<boolean>(
      `select c.relkind = 'S' from pg_class c where c.oid = to_regclass($1)`,
      [quoteFqName(name)],
    );
    if (!exists) continue;
    found.set(
      name,
      await session.one<SequenceDefinition & Record<string, unknown>>(
        `select $1::text as name, format_type(q.seqtypid, null) as type, q.seqincrement::text as increment, q.seqmin::text as min, q.seqmax::text as max,
                q.seqcache::text as cache, q.seqcycle as cycle,
                greatest(q.seqmin, least(q.seqmax, case when s.is_called then s.last_value::numeric + q.seqincrement else s.last_value end))::text as next,
                (select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = d.refobjid) as "ownerTable",
                a.attname::text as "ownerColumn", coalesce(d.deptype = 'i', false) as identity
           from ${quoteFqName(name)} s
           join pg_sequence q on q.seqrelid = $2::regclass
           left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = q.seqrelid and d.refclassid = 'pg_class'::regclass
                and d.refobjsubid > 0 and d.deptype in ('a', 'i')
           left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid`,
        [name, quoteFqName(name)],
      ),
    );
  }
  return found;
}

/** Options as they stand in CREATE SEQUENCE and in an identity clause. */
export const sequenceOptions = (one: SequenceDefinition): string =>
  `increment by ${one.increment} minvalue ${one.min} maxvalue ${one.max} start with ${one.next} cache ${one.cache}${one.cycle ? ' cycle' : ' no cycle'}`;

/** The statement that makes it here. */
export const createSequence = (one: SequenceDefinition): string =>
  `create sequence ${quoteFqName(one.name)} as ${one.type} ${sequenceOptions(one)}`;
