/** Triggers that users (or kaja) put on tables. */
import type { Session } from '../session.ts';
import { groupBy } from './group-by.ts';

/** One trigger. */
export interface Trigger {
  readonly name: string;
  /** When it fires: `origin` not under session_replication_role=replica, `replica` only there, `always`, or never. */
  readonly enabled: 'origin' | 'replica' | 'always' | 'disabled';
  /** Unquoted `schema.function`. */
  readonly functionName: string;
  readonly timing: 'before' | 'after' | 'instead of';
  readonly level: 'row' | 'statement';
  readonly events: readonly ('insert' | 'update' | 'delete' | 'truncate')[];
  /** The statement that creates it. */
  readonly definition: string;
}

interface TriggerRow {
  relid: number;
  name: string;
  enabled: string;
  function_name: string;
  type: number;
  definition: string;
}

const ENABLED: Readonly<Record<string, Trigger['enabled']>> = {
  O: 'origin',
  R: 'replica',
  A: 'always',
  D: 'disabled',
};
/** Bits of pg_trigger.tgtype. */
const ROW = 1;
const BEFORE = 2;
const INSTEAD = 64;
const EVENT_BITS = [
  ['insert', 4],
  ['update', 16],
  ['delete', 8],
  ['truncate', 32],
] as const;

/**
 * All triggers of many tables except the server's own (foreign keys), by name, in one round trip.
 * @returns per table oid
 */
export async function readTriggers(
  session: Session,
  oids: readonly number[],
): Promise<Map<number, Trigger[]>> {
  const rows = await session.query<TriggerRow>(
    `select t.tgrelid as relid, t.tgname::text as name, t.tgenabled::text as enabled,
            n.nspname || '.' || p.proname as function_name, t.tgtype as type, pg_catalog.pg_get_triggerdef(t.oid) as definition
       from pg_catalog.pg_trigger t
       join pg_catalog.pg_proc p on p.oid = t.tgfoid
       join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where t.tgrelid = any ($1::oid[]) and not t.tgisinternal
      order by t.tgrelid, t.tgname`,
    [oids],
  );
  return groupBy(oids, rows, (row) => row.relid, toTrigger);
}

function toTrigger(row: TriggerRow): Trigger {
  return {
    name: row.name,
    enabled: ENABLED[row.enabled] ?? 'disabled',
    functionName: row.function_name,
    timing: row.type & INSTEAD ? 'instead of' : row.type & BEFORE ? 'before' : 'after',
    level: row.type & ROW ? 'row' : 'statement',
    events: EVENT_BITS.filter(([, bit]) => row.type & bit).map(([name]) => name),
    definition: row.definition,
  };
}

/** Does it fire while session_replication_role is `replica`? */
export function firesOnReplica(trigger: Trigger): boolean {
  return trigger.enabled === 'replica' || trigger.enabled === 'always';
}
