/** What PgQ's functions refuse, as errors with codes of ours. */
import { toKajaError } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';

const NO_QUEUE = /^(?:No such (?:event )?queue|no such queue|Event queue not (?:created yet|found))/;
const NO_CONSUMER = /^(?:Not subscriber to queue|consumer not registered)/;

/**
 * Give a failure of a queue's function its code.
 * @param queue name for the message
 * @param location description without password; undefined when the caller's own connection was used
 */
export function queueError(error: unknown, queue: string, location = "the caller's connection"): KajaError {
  const known = toKajaError(error, location);
  if (known.code !== 'state-refused') return known;
  const { context } = known;
  if (NO_QUEUE.test(known.message)) {
    return new KajaError('queue-missing', `queue "${queue}" does not exist (${location})`, {
      cause: known,
      context,
    });
  }
  if (NO_CONSUMER.test(known.message)) {
    const [, named] =
      /^(?:Not subscriber to queue: .*\/|consumer not registered: )(.*) \[\w{5}/.exec(known.message) ?? [];
    const who = named === undefined ? 'consumer' : `consumer "${named}"`;
    return new KajaError('consumer-missing', `${who} is not registered on queue "${queue}" (${location})`, {
      cause: known,
      context,
    });
  }
  return known;
}
