/** The node: does its worker run, is it the one of the ini, has it failed, have copies failed. */
import type { NodeInfo } from '../cascade/node-info.ts';
import type { SideCheck } from './check.ts';
import { error, ok, type Verdict, warning } from './finding.ts';

/** What the database knows about its node. */
export interface NodeState {
  readonly info: Pick<NodeInfo, 'name' | 'type' | 'workerName' | 'paused'>;
  /** Consumer of the ini; undefined on databases of others. */
  readonly consumer: string | undefined;
  readonly errors: readonly { readonly consumer: string; readonly error: string }[];
  readonly running: boolean;
  /** Copies that failed, and tables that differed. */
  readonly copies: readonly { readonly table: string; readonly error: string }[];
  readonly diverged: readonly string[];
}

/** Judge a node. */
export function judgeNode(state: NodeState): Verdict[] {
  const { info } = state;
  const list: Verdict[] = [];
  if (state.consumer !== undefined && state.consumer !== info.workerName)
    list.push(
      error(
        `the ini is of consumer ${state.consumer}, the worker of node ${info.name} is ${info.workerName}`,
        `set consumer_name = ${info.workerName} (or job_name) in the ini`,
      ),
    );
  if (info.paused) list.push(warning(`node ${info.name} is paused`, 'kaja INI resume'));
  for (const one of state.errors)
    list.push(
      error(
        `consumer ${one.consumer} of node ${info.name} fails: ${one.error}`,
        'mend what it says; the worker tries again by itself',
      ),
    );
  for (const one of state.copies)
    list.push(
      error(
        `copy of table ${one.table} fails: ${one.error}`,
        'mend what it says; the copy is tried again by itself',
      ),
    );
  if (state.diverged.length > 0)
    list.push(
      warning(
        `rows were not as expected in ${state.diverged.join(', ')}`,
        `kaja INI compare ${state.diverged[0]}, then repair it`,
      ),
    );
  if (!state.running)
    list.push(
      warning(
        `the worker of node ${info.name} does not run: no session 'kaja ${info.workerName}'`,
        'kaja INI worker -d',
      ),
    );
  return list.length > 0 ? list : [ok(`${info.type} ${info.name} works`)];
}

/** The node and its worker. */
export const checkNode: SideCheck = {
  name: 'node',
  applies: (side) => side.node !== undefined,
  async run(side) {
    const { session, node, queue } = side;
    if (!node) return [];
    const errors = await session.query<{ consumer: string; error: string }>(
      `select c.consumer_name as consumer, c.cur_error as error from pgq_node.get_consumer_info($1) c where c.cur_error is not null`,
      [queue],
    );
    const seen = await session.one<{ running: boolean; readable: boolean }>(
      `select exists (select from pg_stat_activity a where a.datname = current_database()
                        and a.application_name = left('kaja ' || $1::text, 63)) as running,
              coalesce((select bool_and(has_table_privilege(c.oid, 'select')) from pg_class c join pg_namespace n on n.oid = c.relnamespace
                         where n.nspname = 'kaja' and c.relname in ('table_copy', 'table_stats')), false) as readable`,
      [node.workerName],
    );
    const details = seen.readable
      ? await session.query<{ table: string; error: string | null; diverged: boolean }>(
          `select i.table_name as "table", c.last_error as error,
                  coalesce(s.update_missing + s.delete_missing + s.insert_found, 0) > 0 as diverged
             from londiste.table_info i
             left join kaja.table_copy c on (c.queue_name, c.table_name) = (i.queue_name, i.table_name)
             left join kaja.table_stats s on (s.queue_name, s.table_name) = (i.queue_name, i.table_name)
            where i.queue_name = $1 and i.local order by 1`,
          [queue],
        )
      : [];
    return judgeNode({
      info: node,
      consumer: side.config?.consumerName,
      errors,
      running: seen.running,
      copies: details.flatMap((one) => (one.error === null ? [] : { table: one.table, error: one.error })),
      diverged: details.flatMap((one) => (one.diverged ? one.table : [])),
    });
  },
};
