/** What a worker has to know before each batch, read with one query. */
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';

/** State of a node's worker. */
export interface NodeState {
  readonly nodeType: 'root' | 'branch' | 'leaf';
  readonly nodeName: string;
  readonly completedTick: bigint;
  readonly providerNode: string;
  readonly providerLocation: string;
  readonly paused: boolean;
  readonly uptodate: boolean;
  readonly error: string | null;
  /** Changes whenever the tables do. */
  readonly tableVersion: bigint;
  /** A compare wants the worker to stand at this tick; 0: wherever it is. */
  readonly holdTick: bigint | null;
}

/**
 * Read the state.
 * @throws KajaError not-a-node when the database is no node of the queue or the consumer is unknown
 */
export async function readNodeState(target: Session, queue: string, consumer: string): Promise<NodeState> {
  const row = await target.one<NodeState & { code: number; note: string }>(
    `select s.ret_code as code, s.ret_note as note, s.node_type as "nodeType", s.node_name as "nodeName", s.completed_tick as "completedTick",
            s.provider_node as "providerNode", s.provider_location as "providerLocation", s.paused, s.uptodate, s.cur_error as error,
            coalesce((select v.version from kaja.table_version v where v.queue_name = $1), 0) as "tableVersion",
            (select min(h.tick_id) from kaja.hold h
              where h.queue_name = $1 and h.expires_at > clock_timestamp()
                and (h.backend_pid is null or exists (select from pg_stat_get_activity(h.backend_pid)))) as "holdTick"
       from pgq_node.get_consumer_state($1, $2) s`,
    [queue, consumer],
  );
  if (row.code >= 300) {
    throw new KajaError('not-a-node', `${row.note} (${target.location})`, {
      hint: 'create the node first: create-root or create-leaf',
    });
  }
  return row;
}
