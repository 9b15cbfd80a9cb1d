/** `kaja queue DSN VERB`: queues of PgQ from the terminal. */
import { detectKind, loadConfig } from '../config/load-config.ts';
import { openSession } from '../db/session.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { nearestWord } from '../errors/nearest.ts';
import { type CommandContext, type CommandOption, defineCommand } from './command.ts';
import { CHANGE_VERBS } from './queue-change.ts';
import { FLOW_VERBS } from './queue-flow.ts';
import { LOOK_VERBS } from './queue-look.ts';
import type { QueueVerb } from './queue-verb.ts';

const VERBS: readonly QueueVerb[] = [...LOOK_VERBS, ...CHANGE_VERBS, ...FLOW_VERBS];

const usage = (verb: QueueVerb): string => `${verb.name} ${verb.args}`.trim();
const widest = Math.max(...VERBS.map((verb) => usage(verb).length));

const OPTIONS: readonly CommandOption[] = [
  { flags: '--force', help: 'drop: also with consumers' },
  { flags: '--yes', help: 'drop, unregister, seek, dead-delete: do not ask' },
  { flags: '--max-count <events>', help: 'create: tick after so many events' },
  { flags: '--max-lag <seconds>', help: 'create: tick at the latest so long after an event' },
  { flags: '--idle-period <seconds>', help: 'create: tick so often without events' },
  { flags: '--rotation-period <seconds>', help: 'create: how long events stay at least' },
  { flags: '--at <position>', help: 'register: begin at start, end, a tick or a time' },
  { flags: '--consumer <name>', help: 'retry-list, dead-list, replay, dead-delete: only of this consumer' },
  {
    flags: '--id <number>',
    help: 'dead-list, replay, dead-delete: only these; more with commas',
    repeat: true,
  },
  { flags: '--type <text>', help: 'produce: type of the events; tail: only these' },
  { flags: '--extra1 <text>', help: 'produce: first extra field' },
  { flags: '--extra2 <text>', help: 'produce: second' },
  { flags: '--extra3 <text>', help: 'produce: third' },
  { flags: '--extra4 <text>', help: 'produce: fourth' },
  { flags: '--ndjson', help: 'produce: each line of stdin is an object with type, data, extra1 …' },
  { flags: '--from <position>', help: 'tail: begin at start, a tick or a time, not at the end' },
  { flags: '--once', help: 'tail: end at the newest tick' },
];

/** Names of `ctx.options` that belong to a verb or another, not to all commands. */
const OWN = new Set(VERBS.flatMap((verb) => verb.options));

/** Opens the database, checks the words, runs the verb. */
export const queue = defineCommand({
  name: 'queue',
  args: '<location> <verb> [args...]',
  summary: 'queues of PgQ: create, look, produce, follow, move consumers, dead letters',
  details: `Verbs:\n${VERBS.map((verb) => `  ${usage(verb).padEnd(widest)}  ${verb.help}`).join('\n')}\n\nLocation: a connection string, or the ini file of a node.`,
  section: undefined,
  options: OPTIONS,
  async run(ctx) {
    const [given = '', name = '', ...args] = ctx.args;
    const verb = findVerb(name, given);
    checkWords(verb, args, ctx);
    const location = locationOf(given, ctx);
    await using session = await openSession(location, {
      purpose: 'admin',
      applicationName: `kaja queue ${verb.name}`,
      signal: ctx.signal,
    });
    await verb.run({ ctx, args, session });
  },
});

/** @throws UsageError naming the nearest verb */
function findVerb(name: string, location: string): QueueVerb {
  const verb = VERBS.find((one) => one.name === name);
  if (verb) return verb;
  if (VERBS.some((one) => one.name === location))
    throw new UsageError(`queue needs a connection string first: kaja queue CONNSTR ${location}`);
  const near = nearestWord(
    name,
    VERBS.map((one) => one.name),
  );
  throw new UsageError(`queue has no verb '${name}'`, {
    hint: near ? `did you mean ${near}?` : `it has ${VERBS.map((one) => one.name).join(', ')}`,
  });
}

/** @throws UsageError for missing or too many arguments, and options of another verb */
function checkWords(verb: QueueVerb, args: readonly string[], ctx: CommandContext): void {
  const wanted = verb.args.split(' ').filter((word) => word !== '');
  const missing = wanted.find((word, at) => word.startsWith('<') && args[at] === undefined);
  if (missing) throw new UsageError(`queue ${verb.name} needs ${missing}: kaja queue CONNSTR ${usage(verb)}`);
  if (!verb.args.includes('...') && args.length > wanted.length)
    throw new UsageError(`queue ${verb.name} does not take "${args[wanted.length]}"`, {
      hint: `write kaja queue CONNSTR ${usage(verb)}`,
    });
  const foreign = Object.keys(ctx.options).find((key) => OWN.has(key) && !verb.options.includes(key));
  if (foreign) {
    const flags = `--${foreign.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError(`${flags} does not go with queue ${verb.name}`);
  }
}

/** A connection string as it is; of an ini file its `db`. */
function locationOf(given: string, ctx: CommandContext): string {
  if (!/\.(ini|conf|cfg)$/.test(given)) return given;
  if (detectKind(given) !== 'londiste')
    throw new UsageError(`${given} is no ini file of a node`, { hint: 'give a connection string' });
  return loadConfig({ path: given, kind: 'londiste', overrides: ctx.overrides }).db;
}
