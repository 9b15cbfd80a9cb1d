/** Queues: are they ticked, do they rotate, who holds them up, how big have they grown. */
import { quoteLiteral } from '../db/names.ts';
import type { Session } from '../db/session.ts';
import type { SideCheck } from './check.ts';
import { count, duration, ok, size, type Verdict, warning } from './finding.ts';
import type { DoctorLimits } from './limits.ts';

/** One queue; times in seconds. */
export interface QueueState {
  readonly queue: string;
  readonly ticker: 'internal' | 'external';
  readonly paused: boolean;
  readonly insertsDisabled: boolean;
  /** Age of the newest tick; null without any. */
  readonly tickAge: number | null;
  readonly idlePeriod: number;
  readonly switchAge: number;
  readonly rotationPeriod: number;
  /** The second half of the last rotation is missing. */
  readonly halfRotated: boolean;
  readonly bytes: bigint;
}

/** One consumer; times in seconds, null when unknown. */
export interface ConsumerState {
  readonly queue: string;
  readonly consumer: string;
  readonly lag: number | null;
  readonly unused: number | null;
}

/* Missing ticks are noticed after a few idle periods, but not sooner than a restart of the ticker takes. */
const tickPatience = (idlePeriod: number): number => Math.max(3 * idlePeriod, 120);
const TICKER = 'start the ticker: kaja TICKER.ini ticker -d';

/** @param consumers of this queue */
export function judgeQueue(
  state: QueueState,
  consumers: readonly ConsumerState[],
  limits: DoctorLimits,
): Verdict[] {
  const { queue } = state;
  const list: Verdict[] = [];
  const literal = quoteLiteral(queue);
  if (state.paused)
    list.push(
      warning(
        `the ticker of queue ${queue} is paused`,
        `select pgq.set_queue_config(${literal}, 'ticker_paused', 'false')`,
      ),
    );
  else if (
    state.ticker === 'internal' &&
    (state.tickAge === null || state.tickAge > tickPatience(state.idlePeriod))
  )
    list.push(
      warning(
        `queue ${queue} was not ticked ${state.tickAge === null ? 'ever' : `for ${duration(state.tickAge)}`}`,
        TICKER,
      ),
    );
  if (state.insertsDisabled)
    list.push(
      warning(
        `queue ${queue} takes no events: writing to captured tables fails`,
        `after an interrupted takeover: select pgq.set_queue_config(${literal}, 'disable_insert', 'false')`,
      ),
    );
  if (state.halfRotated && state.switchAge > 600)
    list.push(
      warning(`the rotation of queue ${queue} stopped half-way ${duration(state.switchAge)} ago`, TICKER),
    );
  else if (state.switchAge > 2 * state.rotationPeriod + 600)
    list.push(
      warning(
        `queue ${queue} has not rotated for ${duration(state.switchAge)} (period ${duration(state.rotationPeriod)})${slowest(consumers)}`,
        'see that the ticker runs, and that no consumer or old transaction holds it up',
      ),
    );
  if (Number(state.bytes) > limits.queueBytes)
    list.push(
      warning(
        `event tables of queue ${queue} hold ${size(state.bytes)}`,
        'see which consumer lags (kaja INI status) and whether the queue rotates',
      ),
    );
  for (const one of consumers) list.push(...judgeConsumer(one, limits));
  return list.length > 0
    ? list
    : [ok(`queue ${queue}: ${size(state.bytes)}, ${count(consumers.length, 'consumer')}`)];
}

function slowest(consumers: readonly ConsumerState[]): string {
  const [last] = consumers.toSorted((a, b) => (b.lag ?? 0) - (a.lag ?? 0));
  return last?.lag ? `; slowest is ${last.consumer}, ${duration(last.lag)} behind` : '';
}

function judgeConsumer(state: ConsumerState, limits: DoctorLimits): Verdict[] {
  const { queue, consumer, lag, unused } = state;
  const unregister = `select pgq.unregister_consumer(${quoteLiteral(queue)}, ${quoteLiteral(consumer)})`;
  if (consumer.includes('.copy.') && (unused ?? 0) > limits.orphanCopySeconds)
    return [
      warning(
        `consumer ${consumer} of a copy was not used for ${duration(unused ?? 0)} and keeps queue ${queue} from rotating`,
        `if no such copy runs: ${unregister}`,
      ),
    ];
  if ((lag ?? 0) <= limits.consumerLagSeconds) return [];
  return [
    warning(
      `consumer ${consumer} is ${duration(lag ?? 0)} behind and keeps queue ${queue} from rotating`,
      consumer.startsWith('.')
        ? 'start the worker of that node; drop-node or tag-dead it if it is gone'
        : `start it, or if it is gone: ${unregister}`,
    ),
  ];
}

const readQueues = (session: Session, queue: string | null): Promise<QueueState[]> =>
  session.query<QueueState>(
    `select q.queue_name as queue, case when q.queue_external_ticker then 'external' else 'internal' end as ticker,
            q.queue_ticker_paused as paused, q.queue_disable_insert as "insertsDisabled",
            (select extract(epoch from clock_timestamp() - max(t.tick_time))::float8 from pgq.tick t where t.tick_queue = q.queue_id) as "tickAge",
            extract(epoch from q.queue_ticker_idle_period)::float8 as "idlePeriod",
            extract(epoch from clock_timestamp() - q.queue_switch_time)::float8 as "switchAge",
            coalesce(extract(epoch from q.queue_rotation_period), 'infinity')::float8 as "rotationPeriod",
            q.queue_switch_step2 is null as "halfRotated",
            (select coalesce(sum(pg_total_relation_size(to_regclass(q.queue_data_pfx || '_' || n))), 0)::int8
               from generate_series(0, q.queue_ntables - 1) n) as bytes
       from pgq.queue q where $1::text is null or q.queue_name = $1 order by 1`,
    [queue],
  );

/** Queues of the database, or the one of the node. */
export const checkQueue: SideCheck = {
  name: 'queue',
  applies: (side) => side.schemas.has('pgq'),
  async run(side, { limits }) {
    const queue = side.queue ?? null;
    const queues = await readQueues(side.session, queue);
    const consumers = await side.session.query<ConsumerState>(
      `select c.queue_name as queue, c.consumer_name as consumer, extract(epoch from c.lag)::float8 as lag,
              extract(epoch from c.last_seen)::float8 as unused
         from pgq.get_consumer_info($1) c`,
      [queue],
    );
    return queues.flatMap((one) =>
      judgeQueue(
        one,
        consumers.filter((consumer) => consumer.queue === one.queue),
        limits,
      ),
    );
  },
};
