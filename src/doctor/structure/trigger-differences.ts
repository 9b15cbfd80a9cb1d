/** Triggers of ours: those that log changes on a root, those that refuse them on a leaf, and those that nobody needs any more. */
import { quoteFqName, quoteIdent, quoteLiteral } from '../../db/names.ts';
import type { Session } from '../../db/session.ts';
import { type CaptureState, judgeCapture, readCaptures } from '../check-capture.ts';
import type { Side, WatchedTable } from '../side.ts';
import type { Ddl, Difference, Weight } from './difference.ts';

interface OurTrigger {
  readonly relid: number;
  readonly name: string;
  readonly denies: boolean;
  /** Its queue or its capture is gone. */
  readonly stale: boolean;
}

const WEIGHT: Readonly<Record<string, Weight>> = { error: 'error', warning: 'warning' };

/**
 * Look at the triggers of one side's tables.
 * @param on how this side is called in the statements
 */
export async function triggerDifferences(
  side: Side,
  tables: readonly WatchedTable[],
  on: Ddl['on'],
): Promise<Difference[]> {
  const { session, node } = side;
  const queue = side.queue ?? '';
  const found = await readOurs(
    session,
    tables.flatMap((one) => one.relation?.oid ?? []),
    side.schemas.has('kaja'),
  );
  const list = tables.flatMap((table) =>
    found
      .filter((one) => one.relid === table.relation?.oid && one.stale)
      .map((one): Difference => {
        const drop = `drop trigger ${quoteIdent(one.name)} on ${quoteFqName(table.name)}`;
        return {
          ...head(table, one.name),
          weight: 'error',
          what: `trigger ${one.name} of ${table.name} belongs to a queue that does not exist any more: writes fail or go nowhere`,
          ddl: [{ on, phase: 'drop', sql: drop }],
        };
      }),
  );
  if (node?.type === 'root' && side.schemas.has('kaja'))
    list.push(...(await captures(side, tables, found, on)));
  if (node?.type === 'leaf') list.push(...unguarded(queue, tables, found, on));
  return list;
}

const head = (table: WatchedTable, object: string): Omit<Difference, 'weight' | 'what' | 'ddl'> => ({
  kind: 'trigger',
  table: table.table,
  object,
  hint: '',
});

async function captures(
  side: Side,
  tables: readonly WatchedTable[],
  found: readonly OurTrigger[],
  on: Ddl['on'],
): Promise<Difference[]> {
  const queue = side.queue ?? '';
  const states = await readCaptures(side.session, queue);
  const old = await side.session.query<{ table: string }>(
    `select c.table_name as "table" from kaja.capture c join pg_class r on r.oid = c.relid
      where c.queue_name = $1 and kaja.columns_of(c.relid) <> c.columns::text`,
    [queue],
  );
  return tables.flatMap((table): Difference[] => {
    if (!table.relation) return [];
    const state = states.find((one) => one.table === table.table);
    if (!state)
      return found.some((one) => one.relid === table.relation?.oid && !one.stale)
        ? []
        : [uncaptured(queue, table, on)];
    const list = judgeCapture(queue, state).map(
      (verdict): Difference => ({
        ...head(table, table.name),
        weight: WEIGHT[verdict.severity] ?? 'note',
        what: verdict.what,
        hint: `then: kaja INI resync ${table.table} on the subscribers`,
        ddl: mend(queue, table, state, on),
      }),
    );
    if (list.length === 0 && old.some((one) => one.table === table.table))
      list.push({
        ...head(table, table.name),
        weight: 'note',
        what: `capture of ${table.name} is older than its columns: it works, and the ticker's maintenance renews it`,
        ddl: [{ on, phase: 'state', sql: `select kaja.refresh_captures(${quoteLiteral(queue)})` }],
      });
    return list.slice(0, 1);
  });
}

function uncaptured(queue: string, table: WatchedTable, on: Ddl['on']): Difference {
  const args = [queue, table.table, 'null', table.name, 'root'];
  const list = args.map((one) => (one === 'null' ? "'{}'" : quoteLiteral(one))).join(', ');
  return {
    ...head(table, table.name),
    weight: 'error',
    what: `table ${table.name} has no capture trigger: its changes are lost`,
    hint: `fine after add-table --no-triggers; else then: kaja INI resync ${table.table} on the subscribers`,
    ddl: [{ on, phase: 'state', sql: `select * from londiste.create_trigger(${list})` }],
  };
}

function mend(queue: string, table: WatchedTable, state: CaptureState, on: Ddl['on']): Ddl[] {
  if (state.name === null)
    return [{ on, phase: 'state', sql: `select kaja.refresh_captures(${quoteLiteral(queue)})` }];
  const key =
    table.keyColumns.length > 0 ? `array[${table.keyColumns.map(quoteLiteral).join(', ')}]` : 'null';
  const args = [
    quoteLiteral(queue),
    quoteLiteral(table.table),
    quoteLiteral(state.name),
    key,
    quoteLiteral(table.style ?? 'key'),
    quoteLiteral(state.ops),
  ];
  return [{ on, phase: 'state', sql: `select kaja.create_capture(${args.join(', ')})` }];
}

function unguarded(
  queue: string,
  tables: readonly WatchedTable[],
  found: readonly OurTrigger[],
  on: Ddl['on'],
): Difference[] {
  return tables.flatMap((table): Difference[] => {
    if (!table.relation || found.some((one) => one.relid === table.relation?.oid && one.denies)) return [];
    const args = [queue, table.table, table.name].map(quoteLiteral).join(', ');
    return [
      {
        ...head(table, table.name),
        weight: 'note',
        what: `table ${table.name} has no trigger that refuses the writes of others here`,
        hint: 'fine after add-table --no-triggers',
        ddl: [{ on, phase: 'state', sql: `select kaja.create_deny(${args})` }],
      },
    ];
  });
}

/** Triggers of Londiste, PgQ and kaja; the first argument is the queue. */
const readOurs = (session: Session, oids: readonly number[], kaja: boolean): Promise<OurTrigger[]> =>
  session.query<OurTrigger>(
    `select t.tgrelid as relid, t.tgname::text as name,
            t.tgtype::int & 4 > 0 and (p.proname = 'deny_write' or position('\\x0064656e7900'::bytea in t.tgargs) > 0) as denies,
            not exists (select from pgq_node.node_info i where i.queue_name = a.queue)
              and not exists (select from pgq.queue q where q.queue_name = a.queue)
              ${kaja ? `or p.proname ~ '^capture_[0-9]+_' and not exists (select from kaja.capture c where c.capture_id::text = split_part(p.proname, '_', 2))` : ''} as stale
       from pg_trigger t
       join pg_proc p on p.oid = t.tgfoid
       join pg_namespace n on n.oid = p.pronamespace,
            lateral (select convert_from(substring(t.tgargs from 1 for position('\\x00'::bytea in t.tgargs) - 1), getdatabaseencoding()) as queue) a
      where t.tgrelid = any ($1::oid[]) and not t.tgisinternal and n.nspname in ('kaja', 'pgq', 'londiste') and t.tgnargs > 0
      order by t.tgrelid, t.tgname`,
    [oids],
  );
