/** `kaja queue DSN produce|tail`: events in and out. */
import { createInterface } from 'node:readline';
import { KajaError, UsageError } from '../errors/kaja-error.ts';
import { fieldsOf, type NewEvent, type QueueEvent } from '../queue/event.ts';
import { insertMany, SourceFailure } from '../queue/produce.ts';
import { queueError } from '../queue/queue-error.ts';
import { tailQueue } from '../queue/tail.ts';
import { sessionExecutor } from '../queue/transaction.ts';
import { flag, text } from './command.ts';
import { parsePosition, type QueueVerb, type QueueWork, say, toJsonNames } from './queue-verb.ts';

const produce: QueueVerb = {
  name: 'produce',
  args: '<queue> [data...]',
  help: 'produce one event per argument, or per line of stdin, all in one transaction',
  options: ['type', 'extra1', 'extra2', 'extra3', 'extra4', 'ndjson'],
  async run(work) {
    const [queue = '', ...data] = work.args;
    const { session, ctx } = work;
    if (flag(ctx.options, 'ndjson') && data.length > 0)
      throw new UsageError('--ndjson reads stdin, it does not go with data as arguments');
    const events = data.length > 0 ? data.map((one) => plain(work, one)) : fromStdin(work);
    const count = await session
      .transaction(() => insertMany(sessionExecutor(session), queue, events))
      .catch((error: unknown) => {
        throw error instanceof SourceFailure ? error.cause : queueError(error, queue, session.location);
      });
    say(work, `${count} ${count === 1 ? 'event' : 'events'} produced`, { queue, produced: count });
  },
};

function plain({ ctx }: QueueWork, data: string): NewEvent {
  const { options } = ctx;
  const extra = (n: number): string | undefined => text(options, `extra${n}`);
  return {
    type: text(options, 'type'),
    data,
    extra1: extra(1),
    extra2: extra(2),
    extra3: extra(3),
    extra4: extra(4),
  };
}

async function* fromStdin(work: QueueWork): AsyncGenerator<NewEvent> {
  const { options, signal } = work.ctx;
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const stop = (): void => void process.stdin.destroy();
  signal.addEventListener('abort', stop, { once: true });
  let at = 0;
  try {
    for await (const line of lines) {
      at++;
      yield flag(options, 'ndjson') ? { ...plain(work, ''), ...parseLine(line, at) } : plain(work, line);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    lines.close();
  }
  // Half of the lines must not look like all of them.
  if (signal.aborted) throw new KajaError('aborted', `stopped after line ${at}, nothing was produced`);
}

/** @throws UsageError naming the line */
function parseLine(line: string, at: number): NewEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    throw new UsageError(`line ${at} of stdin is not JSON`);
  }
  try {
    fieldsOf(event as NewEvent);
  } catch (error) {
    throw new UsageError(`line ${at} of stdin: ${(error as Error).message}`, {
      hint: 'a line is an object with type, data and extra1 to extra4, all of them strings',
    });
  }
  return { data: null, ...(event as NewEvent) };
}

const tail: QueueVerb = {
  name: 'tail',
  args: '<queue>',
  help: 'print events as ticks make them visible, without being a consumer; until Ctrl-C, or --once',
  options: ['from', 'once', 'type'],
  async run(work) {
    const [queue = ''] = work.args;
    const { ctx, session } = work;
    const from = text(ctx.options, 'from');
    const type = text(ctx.options, 'type');
    const events = tailQueue(session, queue, {
      from: from === undefined ? 'end' : parsePosition(from),
      signal: ctx.signal,
      follow: !flag(ctx.options, 'once'),
      onGap: (tick) => ctx.log.warn(`rotation was faster: events before tick ${tick} are gone`),
    });
    try {
      for await (const event of events) {
        if (type !== undefined && event.type !== type) continue;
        ctx.print(ctx.json ? jsonLine(event) : textLine(event));
      }
    } catch (error) {
      // Being stopped is how it ends.
      if (!ctx.signal.aborted) throw error;
    }
  },
};

/** One line per event: id, time, type, data, and the extra fields that are there. */
function textLine(event: QueueEvent): string {
  const extras = [event.extra1, event.extra2, event.extra3, event.extra4].map((value, at) =>
    value === null ? undefined : `extra${at + 1}=${value}`,
  );
  const parts = [event.id, event.time.toISOString(), event.type ?? '-', event.data ?? '-', ...extras];
  return parts
    .filter((part) => part !== undefined)
    .map((part) =>
      String(part)
        .replaceAll('\\', '\\\\')
        .replaceAll('\n', '\\n')
        .replaceAll('\r', '\\r')
        .replaceAll('\t', '\\t'),
    )
    .join('\t');
}

const jsonLine = (event: QueueEvent): string =>
  JSON.stringify(toJsonNames(event), (_, one: unknown) =>
    typeof one === 'bigint' ? (one <= Number.MAX_SAFE_INTEGER ? Number(one) : String(one)) : one,
  );

/** Verbs of this file, in the order of the help. */
export const FLOW_VERBS: readonly QueueVerb[] = [produce, tail];
