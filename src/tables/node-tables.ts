/** Tables and sequences as this node's registration knows them, and what a command on them needs. */
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { parseDict } from '../queue/urlencoded-dict.ts';
import type { KeyStyle } from './source-table.ts';
import type { RegisteredTable } from './table-options.ts';

/** A command's view of its node. */
export interface TableNode {
  readonly queue: string;
  readonly nodeType: 'root' | 'branch' | 'leaf';
  readonly nodeName: string;
  /** Session on this node. */
  readonly here: Session;
  readonly log: Log;
  /** Longest wait for a lock, milliseconds; 0: no limit. */
  readonly lockTimeoutMs: number;
  readonly signal: AbortSignal;
  /** Session on the provider, opened at the first call; closed by whoever made the node. */
  provider(): Promise<Session>;
  /** Do the ini's register_only_* and register_skip_* let this name in? */
  wantsTable(name: string): boolean;
  wantsSeq(name: string): boolean;
  /** Name of the consumer that a copy of the table registers on the provider. */
  copyConsumer(table: string): string;
}

/** Facts of the local node. */
export interface NodeFacts {
  readonly nodeType: 'root' | 'branch' | 'leaf';
  readonly nodeName: string;
  readonly providerNode: string | null;
  readonly providerLocation: string | null;
}

/**
 * Read what the local node is.
 * @throws KajaError not-a-node
 */
export async function readNodeFacts(session: Session, queue: string): Promise<NodeFacts> {
  try {
    const [row] = await callRet<{
      node_type: NodeFacts['nodeType'];
      node_name: string;
      provider_node: string | null;
      provider_location: string | null;
    }>(session, 'pgq_node.get_node_info', [queue]);
    if (!row) throw new KajaError('internal', 'pgq_node.get_node_info gave no row');
    return {
      nodeType: row.node_type,
      nodeName: row.node_name,
      providerNode: row.provider_node,
      providerLocation: row.provider_location,
    };
  } catch (error) {
    if (error instanceof KajaError && error.code === 'ret-code') {
      throw new KajaError('not-a-node', `database is no node of queue ${queue} (${session.location})`, {
        hint: 'create the node first: create-root or create-leaf',
        cause: error,
      });
    }
    throw error;
  }
}

/** Names of the node's tables by whether they are local; tables that the queue has but this node does not come second. */
export async function listRegistered(
  session: Session,
  queue: string,
): Promise<{ local: string[]; known: string[] }> {
  const rows = await session.query<{ name: string; local: boolean }>(
    'select table_name as name, local from londiste.get_table_list($1)',
    [queue],
  );
  return {
    local: rows.filter((row) => row.local).map((row) => row.name),
    known: rows.filter((row) => !row.local).map((row) => row.name),
  };
}

/** Names of the node's sequences, as `listRegistered`. */
export async function listSequences(
  session: Session,
  queue: string,
): Promise<{ local: string[]; known: string[] }> {
  const rows = await session.query<{ name: string; local: boolean }>(
    'select seq_name as name, local from londiste.get_seq_list($1)',
    [queue],
  );
  return {
    local: rows.filter((row) => row.local).map((row) => row.name),
    known: rows.filter((row) => !row.local).map((row) => row.name),
  };
}

/** Tables ('r') or sequences ('S') that could be added here. */
export async function listMissing(session: Session, queue: string, kind: 'r' | 'S'): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    'select m.obj_name as name from londiste.local_show_missing($1) m where m.obj_kind = $2',
    [queue, kind],
  );
  return rows.map((row) => row.name);
}

/**
 * Read how a local table is registered.
 * @throws KajaError table-missing when it is not local
 */
export async function readRegistered(
  node: Pick<TableNode, 'here' | 'queue' | 'nodeType'>,
  table: string,
): Promise<RegisteredTable> {
  const [row] = await node.here.query<{
    dest: string;
    attrs: string | null;
    style: KeyStyle | null;
    keys: string[];
    skipped: string[];
  }>(
    `select coalesce(i.dest_table, i.table_name) as dest, i.table_attrs as attrs, coalesce(k.style, c.style) as style,
            coalesce(case when k.style is not null
                 then array(select m.source_name from kaja.column_map m where (m.queue_name, m.table_name) = (i.queue_name, i.table_name)
                             and m.key_position is not null order by m.key_position)
                 else array(select a.attname::text from unnest(c.key_attnums) with ordinality as u (attnum, n)
                              join pg_attribute a on a.attrelid = c.relid and a.attnum = u.attnum order by u.n) end, '{}') as keys,
            array(select m.source_name from kaja.column_map m where (m.queue_name, m.table_name) = (i.queue_name, i.table_name)
                   and m.dest_attnum is null order by m.source_attnum) as skipped
       from londiste.table_info i
       left join kaja.table_copy k on $3 and (k.queue_name, k.table_name) = (i.queue_name, i.table_name)
       left join kaja.capture c on not $3 and (c.queue_name, c.table_name) = (i.queue_name, i.table_name)
      where i.queue_name = $1 and i.table_name = $2 and i.local`,
    [node.queue, table, node.nodeType !== 'root'],
  );
  if (!row)
    throw new KajaError('table-missing', `table ${table} is not on this node (${node.here.location})`);
  return {
    tableName: table,
    destName: row.dest,
    attrs: parseDict(row.attrs),
    key: row.style === null ? undefined : { style: row.style, columns: row.keys },
    skipColumns: row.skipped,
  };
}
