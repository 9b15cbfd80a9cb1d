/** Events that tell about the set: nodes, tables and sequences that come and go on the root. */
import { isRegistered } from '../config/remote-nodes.ts';
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import type { ControlEvent } from '../replay/replay-events.ts';
import type { WorkerSettings } from './worker-settings.ts';

/**
 * Carry out one event on a leaf, in the batch's transaction.
 * @throws KajaError for events this version does not know
 */
export async function applyControlEvent(
  target: Session,
  event: ControlEvent,
  settings: WorkerSettings,
  log: Log,
): Promise<void> {
  const { queue } = settings;
  const call = (fn: string, ...args: unknown[]): Promise<unknown> =>
    callRet(target, fn, [queue, ...args], log);
  if (event.type.startsWith('pgq.') && event.type !== 'pgq.tick-id' && event.extra1 !== queue) {
    throw new KajaError(
      'apply.foreign-event',
      `event ${event.id ?? ''} of type ${event.type} belongs to queue ${event.extra1 ?? '(none)'}, not to ${queue}`,
    );
  }
  switch (event.type) {
    case 'pgq.location-info':
      await call('pgq_node.register_location', event.data, event.extra2, event.extra3 === 'true');
      return;
    case 'pgq.unregister-location':
      await call('pgq_node.unregister_location', event.data);
      return;
    case 'pgq.global-watermark':
    case 'pgq.tick-id':
      return;
    case 'londiste.add-table':
      if (isRegistered(event.data ?? '', settings.registerOnlyTables, settings.registerSkipTables))
        await call('londiste.global_add_table', event.data);
      return;
    case 'londiste.remove-table':
      await call('londiste.global_remove_table', event.data);
      return;
    case 'londiste.update-seq':
      if (isRegistered(event.extra1 ?? '', settings.registerOnlySeqs, settings.registerSkipSeqs)) {
        await call('londiste.global_update_seq', event.extra1, event.data);
      }
      return;
    case 'londiste.remove-seq':
      await call('londiste.global_remove_seq', event.data);
      return;
    default:
      throw new KajaError(
        'apply.unhandled-event',
        `event ${event.id ?? ''} has type ${event.type.slice(0, 60)}, which this version does not know`,
        {
          hint: 'install a newer kaja on this node',
        },
      );
  }
}
