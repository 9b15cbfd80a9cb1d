/** `kaja queue DSN create|drop|register|unregister|seek|replay|dead-delete`. */
import { UsageError } from '../errors/kaja-error.ts';
import { deleteLetters, readDeadLetters, replayLetters } from '../queue/dead-letters.ts';
import {
  createQueue,
  dropQueue,
  type QueueSettings,
  readConsumers,
  readQueue,
  registerConsumer,
  seekConsumer,
  unregisterConsumer,
} from '../queue/queue-admin.ts';
import { flag, text } from './command.ts';
import { confirm, parsePosition, type QueueVerb, type QueueWork, say, selection } from './queue-verb.ts';

/** A number of an option; undefined when absent. */
function number({ ctx }: QueueWork, name: string, flags: string, whole = false): number | undefined {
  const given = text(ctx.options, name);
  if (given === undefined) return undefined;
  if (!(whole ? /^[1-9]\d{0,8}$/ : /^\d{1,9}(\.\d+)?$/).test(given))
    throw new UsageError(`${flags} ${given} is not a number${whole ? '' : ' of seconds'}`);
  return Number(given);
}

const create: QueueVerb = {
  name: 'create',
  args: '<queue>',
  help: 'create a queue, or change the settings of one that exists',
  options: ['maxCount', 'maxLag', 'idlePeriod', 'rotationPeriod'],
  async run(work) {
    const [name = ''] = work.args;
    const settings: QueueSettings = {
      tickerMaxCount: number(work, 'maxCount', '--max-count', true),
      tickerMaxLagSeconds: number(work, 'maxLag', '--max-lag'),
      tickerIdlePeriodSeconds: number(work, 'idlePeriod', '--idle-period'),
      rotationPeriodSeconds: number(work, 'rotationPeriod', '--rotation-period'),
    };
    const created = await createQueue(work.session, name, settings);
    const changed = Object.values(settings).some((value) => value !== undefined);
    const existed = changed ? 'exists, settings changed' : 'exists already';
    say(work, `queue ${name} ${created ? 'created' : existed}`, { queue: name, created });
  },
};

const drop: QueueVerb = {
  name: 'drop',
  args: '<queue>',
  help: 'drop a queue with its events; --force also with consumers',
  options: ['force', 'yes'],
  async run(work) {
    const [name = ''] = work.args;
    await readQueue(work.session, name);
    await confirm(work, `this drops queue ${name} with all its events`);
    await dropQueue(work.session, name, flag(work.ctx.options, 'force'));
    say(work, `queue ${name} dropped`, { queue: name, dropped: true });
  },
};

const register: QueueVerb = {
  name: 'register',
  args: '<queue> <consumer>',
  help: 'register a consumer, at the newest tick or --at another position',
  options: ['at'],
  async run(work) {
    const [queue = '', consumer = ''] = work.args;
    const at = text(work.ctx.options, 'at');
    const known = (await readConsumers(work.session, queue)).some((one) => one.name === consumer);
    if (known && at !== undefined)
      throw new UsageError(`consumer ${consumer} is registered already`, { hint: 'move it with seek' });
    const position = at === undefined ? undefined : parsePosition(at);
    const registered = await registerConsumer(work.session, queue, consumer, position);
    say(work, `consumer ${consumer} ${registered ? 'registered' : 'is registered already'}`, {
      queue,
      consumer,
      registered,
    });
  },
};

/** @throws UsageError when the consumer is not there */
async function needConsumer(work: QueueWork, queue: string, consumer: string): Promise<void> {
  await readQueue(work.session, queue);
  const names = (await readConsumers(work.session, queue)).map((one) => one.name);
  if (!names.includes(consumer))
    throw new UsageError(`consumer ${consumer} is not registered on queue ${queue}`, {
      hint: names.length > 0 ? `there are ${names.join(', ')}` : 'it has no consumers',
    });
}

const unregister: QueueVerb = {
  name: 'unregister',
  args: '<queue> <consumer>',
  help: 'forget a consumer: its position and the events that wait for it',
  options: ['yes'],
  async run(work) {
    const [queue = '', consumer = ''] = work.args;
    await needConsumer(work, queue, consumer);
    await confirm(work, `this forgets the position of consumer ${consumer}, and events that wait for it`);
    await unregisterConsumer(work.session, queue, consumer);
    say(work, `consumer ${consumer} unregistered`, { queue, consumer, unregistered: true });
  },
};

const seek: QueueVerb = {
  name: 'seek',
  args: '<queue> <consumer> <position>',
  help: 'move a consumer to start, end, a tick or a time',
  options: ['yes'],
  async run(work) {
    const [queue = '', consumer = '', to = ''] = work.args;
    const position = parsePosition(to);
    await needConsumer(work, queue, consumer);
    await confirm(work, `this moves consumer ${consumer}: it has events again, or leaves some out`);
    const tick = await seekConsumer(work.session, queue, consumer, position);
    say(work, `consumer ${consumer} stands at tick ${tick}`, { queue, consumer, tick });
  },
};

const replay: QueueVerb = {
  name: 'replay',
  args: '<queue>',
  help: 'give dead letters back to their consumers: all, or by --consumer and --id',
  options: ['consumer', 'id'],
  async run(work) {
    const [queue = ''] = work.args;
    const replayed = await replayLetters(work.session, queue, selection(work));
    say(work, `${replayed} ${replayed === 1 ? 'event goes' : 'events go'} back`, { queue, replayed });
  },
};

const deadDelete: QueueVerb = {
  name: 'dead-delete',
  args: '<queue>',
  help: 'delete dead letters for good: all, or by --consumer and --id',
  options: ['consumer', 'id', 'yes'],
  async run(work) {
    const [queue = ''] = work.args;
    const chosen = selection(work);
    const { length } = await readDeadLetters(work.session, queue, chosen);
    if (length > 0) await confirm(work, `this deletes ${length} dead ${length === 1 ? 'letter' : 'letters'}`);
    const deleted = length > 0 ? await deleteLetters(work.session, queue, chosen) : 0;
    say(work, `${deleted} dead ${deleted === 1 ? 'letter' : 'letters'} deleted`, { queue, deleted });
  },
};

/** Verbs of this file, in the order of the help. */
export const CHANGE_VERBS: readonly QueueVerb[] = [
  create,
  drop,
  register,
  unregister,
  seek,
  replay,
  deadDelete,
];
