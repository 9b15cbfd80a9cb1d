/** Makes a database the root of a new set. */
import { callRet } from '../db/ret-code.ts';
import {
  type CreateOutcome,
  type CreateRequest,
  checkPublicLocation,
  installHere,
  saysExists,
} from './create-node.ts';
import { openHere } from './open-node.ts';

/**
 * A ticker that looks every second (pgqd) then ticks at every look that finds events; kaja's own ticks at once whatever this says.
 * Upstream's 500 events and 1 minute of idleness stay.
 */
const TICKER_MAX_LAG = '0.1 seconds';

/**
 * Create a root: schemas, queue, location, node. Registration is one transaction: a failure leaves only schemas behind.
 * @returns 'exists' when the database is a node of the queue already; nothing was changed then
 * @throws KajaError state-refused when the public location leads elsewhere
 */
export async function createRoot(request: CreateRequest): Promise<CreateOutcome> {
  const { settings, name, publicLocation, log, signal } = request;
  const { queue, consumer } = settings;
  await using local = await openHere(settings, signal);
  if (await saysExists(local, request, 'root')) return 'exists';
  await checkPublicLocation(local, request);
  await installHere(local, log);
  await local.transaction(async () => {
    const known = await local.query('select 1 from pgq.get_queue_info($1)', [queue]);
    await callRet(local, 'pgq_node.register_location', [queue, name, publicLocation, false], log);
    await callRet(local, 'pgq_node.create_node', [queue, 'root', name, consumer, null, null, null], log);
    // A queue that was there before has its settings from somebody.
    if (known.length === 0) {
      await local.query("select pgq.set_queue_config($1, 'ticker_max_lag', $2)", [queue, TICKER_MAX_LAG]);
    }
  });
  log.info('Done');
  return 'created';
}
