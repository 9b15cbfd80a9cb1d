/** `kaja queue DSN list|info|consumers|retry-list|dead-list`: look, change nothing. */
import { type DeadLetter, readDeadLetters, readWaiting, type WaitingEvent } from '../queue/dead-letters.ts';
import {
  type ConsumerInfo,
  type QueueInfo,
  readConsumers,
  readQueue,
  readQueues,
} from '../queue/queue-admin.ts';
import { text } from './command.ts';
import { type QueueVerb, seconds, selection, show, toJsonNames } from './queue-verb.ts';

const CONSUMER_COLUMNS = {
  queue_name: (one: ConsumerInfo) => one.queue,
  consumer_name: (one: ConsumerInfo) => one.name,
  lag: (one: ConsumerInfo) => seconds(one.lagSeconds),
  last_seen: (one: ConsumerInfo) => seconds(one.lastSeenSeconds),
  last_tick: (one: ConsumerInfo) => one.lastTick,
  batch: (one: ConsumerInfo) => one.batch,
  pending: (one: ConsumerInfo) => one.pendingEvents,
};

const list: QueueVerb = {
  name: 'list',
  args: '',
  help: 'all queues',
  options: [],
  async run(work) {
    show(work, 'Queues', await readQueues(work.session), {
      queue_name: (one: QueueInfo) => one.name,
      tables: (one: QueueInfo) => `${one.currentTable + 1}/${one.tables}`,
      ticker_lag: (one: QueueInfo) => seconds(one.tickerLagSeconds),
      last_tick: (one: QueueInfo) => one.lastTick,
      new_events: (one: QueueInfo) => one.newEvents,
      'ev/s': (one: QueueInfo) => (one.eventsPerSecond === null ? null : one.eventsPerSecond.toFixed(1)),
      rotation: (one: QueueInfo) => seconds(one.rotationPeriodSeconds),
    });
  },
};

const info: QueueVerb = {
  name: 'info',
  args: '<queue>',
  help: 'settings, state and consumers of a queue',
  options: [],
  async run(work) {
    const [name = ''] = work.args;
    const queue = await readQueue(work.session, name);
    const consumers = await readConsumers(work.session, name);
    const { ctx } = work;
    if (ctx.json) {
      ctx.printJson({ ...toJsonNames(queue), consumers: consumers.map(toJsonNames) });
      return;
    }
    ctx.printTable(
      `Queue ${name}`,
      ['field', 'value'],
      Object.entries(toJsonNames(queue)).filter(([key]) => key !== 'name'),
    );
    show(work, 'Consumers', consumers, CONSUMER_COLUMNS);
  },
};

const consumers: QueueVerb = {
  name: 'consumers',
  args: '[queue]',
  help: 'consumers of a queue, or of all, and how far they are',
  options: [],
  async run(work) {
    const [name] = work.args;
    if (name !== undefined) await readQueue(work.session, name);
    show(work, 'Consumers', await readConsumers(work.session, name), CONSUMER_COLUMNS);
  },
};

const retryList: QueueVerb = {
  name: 'retry-list',
  args: '<queue>',
  help: 'events that wait to be delivered again',
  options: ['consumer'],
  async run(work) {
    const rows = await readWaiting(work.session, work.args[0] ?? '', text(work.ctx.options, 'consumer'));
    show(work, 'Events that wait', rows, {
      consumer_name: (one: WaitingEvent) => one.consumer,
      retry_at: (one: WaitingEvent) => one.retryAt,
      retries: (one: WaitingEvent) => one.retries,
      event_id: (one: WaitingEvent) => one.eventId,
      type: (one: WaitingEvent) => one.type,
      data: (one: WaitingEvent) => short(one.data),
    });
  },
};

const deadList: QueueVerb = {
  name: 'dead-list',
  args: '<queue>',
  help: 'events that consumers gave up on, and why',
  options: ['consumer', 'id'],
  async run(work) {
    const rows = await readDeadLetters(work.session, work.args[0] ?? '', selection(work));
    show(work, 'Dead letters', rows, {
      id: (one: DeadLetter) => one.id,
      consumer_name: (one: DeadLetter) => one.consumer,
      died_at: (one: DeadLetter) => one.diedAt,
      deliveries: (one: DeadLetter) => one.deliveries,
      event_id: (one: DeadLetter) => one.eventId,
      type: (one: DeadLetter) => one.type,
      data: (one: DeadLetter) => short(one.data),
      reason: (one: DeadLetter) => one.reason,
    });
  },
};

/** Payload in a table: one line, not endless; --json has all of it. */
const short = (data: string | null): string | null => {
  const line = data === null ? null : data.replace(/\s+/g, ' ');
  return line !== null && line.length > 60 ? `${line.slice(0, 59)}…` : line;
};

/** Verbs of this file, in the order of the help. */
export const LOOK_VERBS: readonly QueueVerb[] = [list, info, consumers, retryList, deadList];
