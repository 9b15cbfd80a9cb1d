/** Triggers of a subscriber's tables that fire when changes are applied. */
import { firesOnReplica, readTriggers, type Trigger } from '../db/catalog/triggers.ts';
import { quoteFqName, quoteIdent } from '../db/names.ts';
import type { SideCheck } from './check.ts';
import { info, ok, type Verdict, warning } from './finding.ts';
import { type ApplyChoice, existing } from './side.ts';

/** Capture, deny and truncate triggers know replicated changes by themselves. */
const OURS = /^(?:kaja|londiste|pgq)\./;

/**
 * @param table physical name
 * @param role how changes are applied
 */
export function judgeTriggers(
  table: string,
  triggers: readonly Trigger[],
  role: ApplyChoice['role'],
): Verdict[] {
  return triggers.flatMap((trigger) => {
    if (OURS.test(trigger.functionName)) return [];
    const what = `trigger ${quoteIdent(trigger.name)} of table ${table}`;
    const alter = (verb: string): string =>
      `alter table ${quoteFqName(table)} ${verb} trigger ${quoteIdent(trigger.name)}`;
    if (role === 'replica') {
      if (!firesOnReplica(trigger)) return [];
      const mode = trigger.enabled === 'always' ? 'ENABLE ALWAYS' : 'ENABLE REPLICA';
      return [
        warning(
          `${what} is ${mode}: it fires on replicated changes`,
          `if the provider has done its work already: ${alter('enable')}`,
        ),
      ];
    }
    if (trigger.enabled === 'origin' || trigger.enabled === 'always')
      return [
        warning(
          `${what} fires on replicated changes, because session_replication_role cannot be set`,
          `${alter('disable')}, or let it look at the setting kaja.applying`,
        ),
      ];
    if (trigger.enabled === 'replica')
      return [info(`${what} is ENABLE REPLICA and does not fire`, alter('enable always'))];
    return [];
  });
}

/** Triggers of a subscriber. */
export const checkTriggers: SideCheck = {
  name: 'triggers',
  applies: (side) => side.apply !== undefined,
  async run(side) {
    const tables = existing(side);
    const found = await readTriggers(
      side.session,
      tables.map((one) => one.relation.oid),
    );
    const role = side.apply?.role ?? 'replica';
    const list = tables.flatMap((one) => judgeTriggers(one.name, found.get(one.relation.oid) ?? [], role));
    return list.length > 0 || tables.length === 0 ? list : [ok('no trigger fires on replicated changes')];
  },
};
