/** Stream a batch from the provider and apply it, inside the target's open transaction. */
import type { Session } from '../db/session.ts';
import { applyBatch, type BatchOutcome } from './apply-batch.ts';
import { saveOutcomes } from './divergence.ts';
import { parseEventType } from './event-type.ts';
import type { PlanCache } from './plan-finder.ts';
import type { TableRoute } from './row-plan.ts';
import { readGroups, stageEvents } from './staging.ts';

/** An event that tells about the set rather than about rows. */
export interface ControlEvent {
  /** Null when it was not read. */
  readonly id: bigint | null;
  readonly type: string;
  readonly data: string | null;
  readonly extra1: string | null;
  readonly extra2: string | null;
  readonly extra3: string | null;
}

/** What was replayed. */
export interface ReplayResult extends BatchOutcome {
  readonly events: number;
  readonly bytes: number;
  /** In order of their ids; the caller carries them out in the same transaction. */
  readonly control: readonly ControlEvent[];
}

/**
 * Stage and apply events.
 * @param eventSql SELECT on the provider that yields the ten event columns
 * @param routes wanted tables by logical name
 */
export async function replayEvents(
  source: Session,
  target: Session,
  queue: string,
  eventSql: string,
  routes: ReadonlyMap<string, TableRoute>,
  plans: PlanCache,
): Promise<ReplayResult> {
  const bytes = await stageEvents(source, eventSql, target);
  if (bytes === 0)
    return { tables: new Map(), ignored: 0, inEventOrder: false, events: 0, bytes, control: [] };
  const groups = await readGroups(target);
  const outcome = await applyBatch(target, groups, routes, (wanted) => plans.find(wanted));
  await saveOutcomes(target, queue, outcome.tables);
  const control = groups.some((group) => parseEventType(group.type).kind === 'control')
    ? await target.query<ControlEvent>(
        `select ev_id as id, ev_type as type, ev_data as data, ev_extra1 as extra1, ev_extra2 as extra2, ev_extra3 as extra3
           from pg_temp.kaja_stage where ev_type like 'pgq.%' or ev_type like 'londiste.%' order by ev_id`,
      )
    : [];
  return { ...outcome, events: groups.reduce((sum, group) => sum + group.events, 0), bytes, control };
}

/**
 * Condition on event columns: those of the given tables, and news about the set on request.
 * @param tables logical names, quoted as literals here
 */
export function eventCondition(tables: Iterable<string>, withControl: boolean): string {
  const names = [...tables].map((name) => `'${name.replaceAll("'", "''")}'`);
  const wanted = names.length > 0 ? [`ev_extra1 in (${names.join(', ')})`] : [];
  if (withControl) wanted.push(`ev_type like 'pgq.%'`, `ev_type like 'londiste.%'`, `ev_type = 'EXECUTE'`);
  return wanted.length > 0 ? `(${wanted.join(' or ')})` : 'false';
}
