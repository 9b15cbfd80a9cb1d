/** Makes a database a leaf of an existing set. */
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { failpoint } from '../runtime/failpoint.ts';
import { type ProviderLists, readProviderLists, registerLists } from './copy-lists.ts';
import {
  type CreateOutcome,
  type CreateRequest,
  checkPublicLocation,
  installHere,
  saysExists,
  UndoList,
} from './create-node.ts';
import { type OpenNode, openRoot } from './find-root.ts';
import { forceTick, newestTick } from './force-tick.ts';
import { type Member, type NodeInfo, readMembers, readNodeInfo } from './node-info.ts';
import type { RegisterFilters } from './node-settings.ts';
import { openHere, openThere } from './open-node.ts';

/** A leaf to be. */
export interface CreateLeafRequest extends CreateRequest {
  /** Connection string of the node to read from. */
  readonly providerLocation: string;
  readonly filters: RegisterFilters;
}

interface Provider {
  readonly session: Session;
  readonly info: NodeInfo;
}

/**
 * Create a leaf. Everything is looked at before anything is changed; when a later step fails, the earlier ones are taken back.
 * The leaf begins at the provider's newest tick: it has no tables yet, so nothing older can matter to it.
 * @returns 'exists' when the database is a node of the queue already; nothing was changed then
 * @throws KajaError not-a-node, not-installed, state-refused (provider is a leaf, name or consumer is taken, public location leads elsewhere)
 */
export async function createLeaf(request: CreateLeafRequest): Promise<CreateOutcome> {
  const { settings, log, signal } = request;
  await using local = await openHere(settings, signal);
  if (await saysExists(local, request, 'leaf')) return 'exists';
  await checkPublicLocation(local, request);
  await using session = await openThere(request.providerLocation, settings, { signal, timeoutMs: 15_000 });
  const provider = { session, info: await needProvider(session, settings.queue) };
  await using root = await openRoot(session, settings, signal);
  await checkNameFree(root, request);
  await checkConsumerFree(provider, request);
  await installHere(local, log);

  const undo = new UndoList();
  try {
    const tick = await subscribe(provider, root, request, undo);
    failpoint('create-node-registered');
    // Read after registering: what changes from now on comes to this node as events.
    const members = await readMembers(root.session, settings.queue);
    const lists = await readProviderLists(session, settings.queue, request.filters);
    await initialize(local, { request, providerNode: provider.info.name, tick, members, lists });
  } catch (error) {
    await undo.run(log);
    throw error;
  }
  await warnWhenUnreachable(provider.info.name, root, request);
  log.info('Done');
  return 'created';
}

async function needProvider(session: Session, queue: string): Promise<NodeInfo> {
  const info = await readNodeInfo(session, queue).catch((error: unknown) => {
    if (!(error instanceof KajaError) || error.code !== 'not-installed') throw error;
    throw new KajaError('not-installed', error.message, {
      hint: 'create the root there first',
      cause: error,
    });
  });
  if (!info) {
    throw new KajaError('not-a-node', `provider ${session.location} is no node of queue ${queue}`, {
      hint: 'check --provider and queue_name, or create the root there first',
    });
  }
  if (info.type === 'leaf') {
    throw new KajaError('state-refused', `Cannot subscribe to leaf node ${info.name} (${session.location})`, {
      hint: `its provider is ${info.providerNode}`,
    });
  }
  return info;
}

async function checkNameFree(root: OpenNode, { settings, name }: CreateLeafRequest): Promise<void> {
  const members = await readMembers(root.session, settings.queue);
  if (!members.some((one) => one.name === name)) return;
  throw new KajaError('state-refused', `Node '${name}' already exists`, {
    hint: `choose another name, or remove it: drop-node ${name}`,
  });
}

/* Registering a name twice would move the other node's position. */
async function checkConsumerFree(provider: Provider, { settings }: CreateLeafRequest): Promise<void> {
  const { queue, consumer } = settings;
  const taken = await provider.session.query('select 1 from pgq.get_consumer_info($1, $2)', [
    queue,
    consumer,
  ]);
  if (taken.length === 0) return;
  const owner = await provider.session.value<string>(
    'select s.node_name from pgq_node.get_subscriber_info($1) s where s.worker_name = $2',
    [queue, consumer],
  );
  const whose = owner === undefined ? '' : ` by node ${owner}`;
  throw new KajaError(
    'state-refused',
    `consumer name '${consumer}' is already in use${whose} on queue ${queue} at ${provider.session.location}`,
    { hint: 'set another job_name' },
  );
}

/** Register on root and provider. Returns the tick the leaf begins at. */
async function subscribe(
  provider: Provider,
  root: OpenNode,
  request: CreateLeafRequest,
  undo: UndoList,
): Promise<bigint> {
  const { settings, name, publicLocation, log, signal } = request;
  const { queue, consumer } = settings;
  // By a new session: the old one may be what failed, and refuses to work when the user wants to stop.
  const takeBack = async (location: string, fn: string): Promise<void> => {
    await using fresh = await openThere(location, settings);
    await callRet(fresh, fn, [queue, name]);
  };
  const register = async (session: Session, location: string): Promise<void> => {
    undo.add(`location of ${name} on ${session.location}`, () =>
      takeBack(location, 'pgq_node.unregister_location'),
    );
    await callRet(session, 'pgq_node.register_location', [queue, name, publicLocation, false], log);
  };
  const { session } = provider;
  await register(root.session, root.location ?? request.providerLocation);
  if (session !== root.session) await register(session, request.providerLocation);
  // So that nothing older is read, an EXECUTE of a moment ago for example.
  await forceTick(root.session, queue, signal);
  const tick = await newestTick(session, queue);
  undo.add(`subscription of ${name} on ${session.location}`, () =>
    takeBack(request.providerLocation, 'pgq_node.unregister_subscriber'),
  );
  await callRet(session, 'pgq_node.register_subscriber', [queue, name, consumer, tick], log);
  return tick;
}

interface Plan {
  readonly request: CreateLeafRequest;
  readonly providerNode: string;
  readonly tick: bigint;
  readonly members: readonly Member[];
  readonly lists: ProviderLists;
}

/** Everything local, in one transaction. */
async function initialize(local: Session, plan: Plan): Promise<void> {
  const { settings, name, publicLocation, log } = plan.request;
  const { queue, consumer } = settings;
  await local.transaction(async () => {
    await callRet(local, 'pgq_node.register_location', [queue, name, publicLocation, false], log);
    for (const member of plan.members) {
      if (member.name === name) continue;
      const args = [queue, member.name, member.location, member.dead];
      await callRet(local, 'pgq_node.register_location', args, log);
    }
    const args = [queue, 'leaf', name, consumer, plan.providerNode, plan.tick, null];
    await callRet(local, 'pgq_node.create_node', args, log);
    await registerLists(local, queue, plan.lists, log);
  });
}

/** The worker will use the provider's public location, which need not be the one given here. */
async function warnWhenUnreachable(
  providerNode: string,
  root: OpenNode,
  { settings, log, signal }: CreateLeafRequest,
): Promise<void> {
  const members = await readMembers(root.session, settings.queue);
  const location = members.find((one) => one.name === providerNode)?.location;
  if (location === undefined) return;
  try {
    await (await openThere(location, settings, { signal })).close();
  } catch (error) {
    if (signal?.aborted) return;
    log.warn(`the worker of this node will not reach its provider: ${(error as Error).message}`);
  }
}
