/** Capture on the root: is every registered table logged, by triggers that fire. */

import { quoteFqName, quoteIdent } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import type { SideCheck } from './check.ts';
import { count, error, ok, type Verdict, warning } from './finding.ts';

/** A row of kaja.capture with what is left of it in the catalog. */
export interface CaptureState {
  readonly table: string;
  readonly relid: number;
  /** Physical name of the relation `relid`; null when there is none. */
  readonly name: string | null;
  /** Subset of IUD. */
  readonly ops: string;
  readonly triggers: readonly {
    readonly name: string;
    readonly relid: number;
    /** Unquoted name of its table. */
    readonly on: string;
    /** Letters of IUDT. */
    readonly fires: string;
    /** As in pg_trigger.tgenabled. */
    readonly enabled: string;
  }[];
}

const VERBS: Readonly<Record<string, string>> = { I: 'INSERT', U: 'UPDATE', D: 'DELETE', T: 'TRUNCATE' };

/** Judge the capture of one table. @param queue for the remedies */
export function judgeCapture(queue: string, state: CaptureState): Verdict[] {
  const { table, triggers } = state;
  const remake = `kaja INI remove-table ${table}, add-table ${table}, and resync it on the subscribers`;
  const elsewhere = triggers.find((one) => one.relid !== state.relid);
  if (state.name === null) {
    return elsewhere
      ? [
          warning(
            `capture of table ${table} points to a relation of another database (restored from a dump?)`,
            `maintenance of the ticker corrects it; at once: select kaja.refresh_captures('${queue}')`,
          ),
        ]
      : [error(`captured table ${table} was dropped, and its triggers with it`, remake)];
  }
  const list: Verdict[] = [];
  const wanted = state.ops === 'IUD' ? 'IUDT' : state.ops;
  const lacking = [...wanted].filter((op) => !triggers.some((one) => one.fires.includes(op)));
  if (lacking.length > 0) {
    const lost = lacking.map((op) => VERBS[op] ?? op).join(', ');
    list.push(error(`table ${table} has no capture trigger for ${lost}: such changes are lost`, remake));
  }
  for (const one of triggers) {
    if (one.enabled !== 'D' && one.enabled !== 'R') continue;
    list.push(
      error(
        `capture trigger ${quoteIdent(one.name)} of table ${one.on} is ${one.enabled === 'D' ? 'disabled' : 'ENABLE REPLICA'}: changes are lost`,
        `alter table ${quoteFqName(one.on)} enable trigger ${quoteIdent(one.name)}, then resync ${table} on the subscribers`,
      ),
    );
  }
  return list;
}

interface CaptureRow extends Omit<CaptureState, 'triggers'> {
  readonly triggers: string;
}

/** Captures of a queue. */
export async function readCaptures(session: Session, queue: string): Promise<CaptureState[]> {
  const rows = await session.query<CaptureRow>(
    `select c.table_name as "table", c.relid, c.ops,
            (select n.nspname || '.' || r.relname from pg_class r join pg_namespace n on n.oid = r.relnamespace where r.oid = c.relid) as name,
            (select coalesce(jsonb_agg(jsonb_build_object('name', t.tgname, 'relid', t.tgrelid::int8, 'on', rn.nspname || '.' || r.relname, 'enabled', t.tgenabled,
                      'fires', case when t.tgtype::int4 & 4 > 0 then 'I' else '' end || case when t.tgtype::int4 & 16 > 0 then 'U' else '' end
                            || case when t.tgtype::int4 & 8 > 0 then 'D' else '' end || case when t.tgtype::int4 & 32 > 0 then 'T' else '' end)), '[]')
               from pg_trigger t
               join pg_proc p on p.oid = t.tgfoid
               join pg_namespace n on n.oid = p.pronamespace and n.nspname = 'kaja'
               join pg_class r on r.oid = t.tgrelid
               join pg_namespace rn on rn.oid = r.relnamespace
              where not t.tgisinternal and t.tgparentid = 0
                and (p.proname like format('capture\\_%s\\_%%', c.capture_id)
                     or t.tgrelid = c.relid and p.proname = 'capture_truncate'
                        and split_part(encode(t.tgargs, 'escape'), E'\\\\000', 1) = c.queue_name))::text as triggers
       from kaja.capture c where c.queue_name = $1 order by c.table_name`,
    [queue],
  );
  return rows.map((row) => ({ ...row, triggers: JSON.parse(row.triggers) as CaptureState['triggers'] }));
}

/** Captures of a root. Needs the right to read kaja.capture. */
export const checkCapture: SideCheck = {
  name: 'capture',
  applies: (side) => side.node?.type === 'root' && side.schemas.has('kaja'),
  async run(side) {
    const queue = side.queue ?? '';
    const captures = await readCaptures(side.session, queue);
    const list = captures.flatMap((one) => judgeCapture(queue, one));
    for (const one of side.tables) {
      if (!one.registered || !one.relation || captures.some((capture) => capture.table === one.table))
        continue;
      const foreign = await side.session.value<boolean>(
        `select exists (select from pg_trigger t where t.tgrelid = $1 and not t.tgisinternal and t.tgname like '\\_londiste\\_%')`,
        [one.relation.oid],
      );
      if (!foreign)
        list.push(
          warning(
            `table ${one.table} is registered without capture triggers: its changes are not logged`,
            `fine after add-table --no-triggers; else kaja INI remove-table ${one.table} and add-table it again`,
          ),
        );
    }
    return list.length > 0 || captures.length === 0
      ? list
      : [ok(`capture of ${count(captures.length, 'table')} works`)];
  },
};
