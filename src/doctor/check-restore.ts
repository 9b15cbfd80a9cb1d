/** Was the database restored elsewhere? Then its transaction numbers may have gone back, and ticks lie in the future. */
import type { SideCheck } from './check.ts';
import { count, error, ok, type Verdict } from './finding.ts';

/** One queue. */
export interface XidState {
  readonly queue: string;
  /** Ticks whose snapshot lies beyond the server's next transaction. */
  readonly future: number;
  /** The last rotation lies there. */
  readonly rotation: boolean;
  readonly next: bigint;
  readonly highest: bigint | null;
}

/** Judge the transaction numbers of a queue. */
export function judgeXids(state: XidState): Verdict[] {
  if (state.future === 0 && !state.rotation) return [ok(`ticks of queue ${state.queue} lie in the past`)];
  const what = [
    state.future > 0
      ? `${count(state.future, 'tick')} of queue ${state.queue} come after transaction ${state.highest}`
      : '',
    state.rotation ? `the last rotation of queue ${state.queue} lies in the future` : '',
  ].filter(Boolean);
  return [
    error(
      `transaction numbers went back: ${what.join(', ')}, the server is at ${state.next} (restored from a dump?)`,
      'stop ticker and workers; raise the counter of the stopped server with pg_resetwal --epoch, or drop the nodes of the queue and create them again',
    ),
  ];
}

/** Ticks and rotations in the future. */
export const checkRestore: SideCheck = {
  name: 'restore',
  applies: (side) => side.schemas.has('pgq'),
  async run(side) {
    const rows = await side.session.query<XidState>(
      `with now as (select txid_snapshot_xmax(txid_current_snapshot()) as next)
       select q.queue_name as queue, n.next, q.queue_switch_step1 > n.next or coalesce(q.queue_switch_step2 > n.next, false) as rotation,
              t.future, t.highest
         from pgq.queue q cross join now n
        cross join lateral (
              select count(*)::int4 as future, max(txid_snapshot_xmax(t.tick_snapshot)) as highest
                from pgq.tick t where t.tick_queue = q.queue_id and txid_snapshot_xmax(t.tick_snapshot) > n.next) t
        where $1::text is null or q.queue_name = $1`,
      [side.queue ?? null],
    );
    return rows.flatMap(judgeXids);
  },
};
