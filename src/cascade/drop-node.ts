/** Takes a node out of its set. */
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { eachMember } from './each-member.ts';
import { type OpenNode, openRoot } from './find-root.ts';
import {
  findExistingNode,
  type Member,
  mergeMembers,
  needMember,
  needNodeInfo,
  readMembers,
} from './node-info.ts';
import type { NodeSettings } from './node-settings.ts';
import { openHere, openThere } from './open-node.ts';

/** Which node to drop, seen from the local one. */
export interface DropRequest {
  readonly settings: NodeSettings;
  readonly node: string;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Drop a node: its queue, registrations and triggers go, tables and schemas stay. Then every other member forgets it. A node whose
 * database is tagged dead or cannot be reached is only forgotten. May be repeated after a failure.
 * @throws KajaError state-refused for an unknown node or one with subscribers; connection errors of the root
 */
export async function dropNode(request: DropRequest): Promise<void> {
  const { settings, node, log, signal } = request;
  const { queue } = settings;
  await using local = await openHere(settings, signal);
  const here = await needNodeInfo(local, queue);
  const known = await readMembers(local, queue);
  await using root = await rootToTell(local, known, request);
  const members = root ? mergeMembers(known, await readMembers(root.session, queue)) : known;
  const member = needMember(members, node);
  await using target = node === here.name ? undefined : await openTarget(member, request);
  const session = node === here.name ? local : target;
  const others = members.filter((one) => one.name !== node && one.name !== here.name && !one.dead);

  if (session) await refuseWithSubscribers(session, request);
  else await refuseWhenProvider([{ session: local, name: here.name }], others, request);

  // The node first: its worker would refuse the event that it has been dropped.
  if (session) await dropOn(session, queue, node, log);
  if (root && root.info.name !== node) await forget(root.session, queue, node);
  if (node !== here.name && root?.session !== local) await forget(local, queue, node);
  const rest = others.filter((one) => one.name !== root?.info.name);
  await eachMember(rest, settings, { log, signal }, (other) => forget(other, queue, node));
  log.info(`Node dropped: ${node}`);
}

/** The root must be told, unless it is what is dropped or known to be dead. */
async function rootToTell(
  local: Session,
  members: readonly Member[],
  { settings, node, signal }: DropRequest,
): Promise<OpenNode | undefined> {
  try {
    return await openRoot(local, settings, signal);
  } catch (error) {
    if (signal?.aborted) throw error;
    const info = await needNodeInfo(local, settings.queue);
    const provider = members.find((one) => one.name === info.providerNode);
    if (provider?.dead || provider?.name === node) return undefined;
    if (!(error instanceof KajaError)) throw error;
    throw new KajaError(error.code, error.message, {
      cause: error,
      hint: `the root must be told; if it is gone for good: tag-dead ${info.providerNode}`,
    });
  }
}

async function openTarget(
  member: Member,
  { settings, log, signal }: DropRequest,
): Promise<Session | undefined> {
  if (member.dead) return undefined;
  try {
    const session = await openThere(member.location, settings, { signal });
    const info = await findExistingNode(session, settings.queue);
    // Another node may live at that location now.
    if (info?.name === member.name) return session;
    await session.close();
    log.info(`${session.location} is not node ${member.name} any more`);
  } catch (error) {
    if (signal?.aborted) throw error;
    log.warn(`Node ${member.name} failure: ${errorLine(error)}`);
    log.warn(`database of node ${member.name} stays as it is, the other nodes forget it`);
  }
  return undefined;
}

async function refuseWithSubscribers(session: Session, { settings, node }: DropRequest): Promise<void> {
  const below = await session.query<{ name: string }>(
    'select s.node_name as name from pgq_node.get_subscriber_info($1) s',
    [settings.queue],
  );
  if (below.length > 0)
    throw stillProvides(
      node,
      below.map((one) => one.name),
    );
}

/** The node cannot be asked for its subscribers, so its possible subscribers are. */
async function refuseWhenProvider(
  open: readonly { session: Session; name: string }[],
  others: readonly Member[],
  { settings, node, log, signal }: DropRequest,
): Promise<void> {
  const below: string[] = [];
  const look = async (session: Session, name: string): Promise<void> => {
    const info = await findExistingNode(session, settings.queue);
    if (info && info.type !== 'root' && info.providerNode === node) below.push(name);
  };
  for (const { session, name } of open) await look(session, name);
  await eachMember(others, settings, { log, signal }, (session, member) => look(session, member.name));
  if (below.length > 0) throw stillProvides(node, below.sort());
}

const stillProvides = (node: string, below: readonly string[]): KajaError =>
  new KajaError('state-refused', `node still has subscribers: ${node} provides for ${below.join(', ')}`, {
    hint: 'drop them or give them another provider first',
  });

async function dropOn(session: Session, queue: string, node: string, log: Log): Promise<void> {
  await session.transaction(async () => {
    await callRet(session, 'pgq_node.drop_node', [queue, node], log);
    const ours = await session.value<boolean>(
      "select exists (select from pg_catalog.pg_proc p where p.oid = pg_catalog.to_regprocedure('kaja.forget_node(text)'))",
    );
    if (ours) await session.query('select kaja.forget_node($1)', [queue]);
  });
}

/** Remove the node's subscription with the consumers of its copies, and its location; a root makes an event of it. */
async function forget(session: Session, queue: string, node: string): Promise<void> {
  await session.transaction(async () => {
    const copies = await session.query<{ name: string }>(
      `select c.consumer_name as name
         from pgq_node.get_subscriber_info($1) s
         join pgq.get_consumer_info($1) c on pg_catalog.starts_with(c.consumer_name, s.worker_name || '.copy.')
        where s.node_name = $2`,
      [queue, node],
    );
    for (const { name } of copies)
      await session.query('select pgq.unregister_consumer($1, $2)', [queue, name]);
    await callRet(session, 'pgq_node.drop_node', [queue, node]);
  });
}
