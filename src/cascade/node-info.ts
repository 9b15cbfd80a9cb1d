/** What a database says about its node and about the members of the set. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';

/** What a node can be. */
export type NodeType = 'root' | 'branch' | 'leaf';

/** A node as its own database describes it. */
export interface NodeInfo {
  readonly type: NodeType;
  readonly name: string;
  /** A root names itself. */
  readonly providerNode: string;
  readonly providerLocation: string;
  readonly workerName: string;
  readonly paused: boolean;
  /** The worker has seen the newest settings. */
  readonly uptodate: boolean;
  /** Tick the worker has finished; on a root the newest tick. */
  readonly lastTick: bigint | null;
  readonly combinedQueue: string | null;
  readonly combinedType: NodeType | null;
  /** Urlencoded. */
  readonly attrs: string | null;
}

/** A member of the set as some node knows it. */
export interface Member {
  readonly name: string;
  readonly location: string;
  /** Tagged dead by somebody. */
  readonly dead: boolean;
}

const NODE_COLUMNS = `n.ret_code as code, n.node_type as type, n.node_name as name, n.provider_node as "providerNode",
  n.provider_location as "providerLocation", n.worker_name as "workerName", n.worker_paused as paused,
  n.worker_uptodate as uptodate, n.worker_last_tick as "lastTick", n.combined_queue as "combinedQueue",
  n.combined_type as "combinedType", n.node_attrs as attrs`;

/**
 * Read the local node of a queue.
 * @returns undefined when the database is no node of it
 * @throws KajaError not-installed
 */
export async function readNodeInfo(session: Session, queue: string): Promise<NodeInfo | undefined> {
  try {
    const row = await session.one<NodeInfo & { code: number }>(
      `select ${NODE_COLUMNS} from pgq_node.get_node_info($1) n`,
      [queue],
    );
    const { code, ...info } = row;
    return code >= 300 ? undefined : info;
  } catch (error) {
    if (!(error instanceof KajaError) || error.code !== 'not-installed') throw error;
    throw new KajaError('not-installed', `kaja is not installed in ${session.location}`, {
      hint: 'create the node first: create-root or create-leaf',
      cause: error,
    });
  }
}

/**
 * As `readNodeInfo`, but there must be a node.
 * @throws KajaError not-a-node
 */
export async function needNodeInfo(session: Session, queue: string): Promise<NodeInfo> {
  const info = await readNodeInfo(session, queue);
  if (info) return info;
  throw new KajaError('not-a-node', `${session.location} is no node of queue ${queue}`, {
    hint: 'create the node first: create-root or create-leaf',
  });
}

/** Members of the set as this node knows them, by name. */
export const readMembers = (session: Session, queue: string): Promise<Member[]> =>
  session.query<Member>(
    `select m.node_name as name, m.node_location as location, m.dead
       from pgq_node.get_queue_locations($1) m order by m.node_name collate "C"`,
    [queue],
  );

/** Add members that only the other list has: a node that lags does not know the newest ones. */
export function mergeMembers(members: readonly Member[], others: readonly Member[]): Member[] {
  const known = new Set(members.map((one) => one.name));
  return [...members, ...others.filter((one) => !known.has(one.name))];
}

/** Is this node already there? Also answers for databases without kaja's schemas. */
export async function findExistingNode(session: Session, queue: string): Promise<NodeInfo | undefined> {
  const installed = await session.value<boolean>(
    "select pg_catalog.to_regclass('pgq_node.node_info') is not null",
  );
  return installed ? readNodeInfo(session, queue) : undefined;
}

/** The member of that name; an unknown name is an error that lists the others. */
export function needMember(members: readonly Member[], name: string): Member {
  const member = members.find((one) => one.name === name);
  if (member) return member;
  throw new KajaError('state-refused', `Unknown node: ${name}`, {
    hint: `members are ${members.map((one) => one.name).join(', ')}`,
  });
}
