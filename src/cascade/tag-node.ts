/** Declares a member dead or alive on every node that can be reached. */
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import type { Log } from '../log/logger.ts';
import { eachMember } from './each-member.ts';
import { openRoot } from './find-root.ts';
import { type Member, mergeMembers, needMember, needNodeInfo, readMembers } from './node-info.ts';
import type { NodeSettings } from './node-settings.ts';
import { openHere } from './open-node.ts';

/** Whom to tag. */
export interface TagRequest {
  readonly settings: NodeSettings;
  readonly node: string;
  readonly dead: boolean;
  readonly log: Log;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Set or clear the flag here and on all members that are not dead; the root passes it on as an event.
 * @returns members that could not be told
 * @throws KajaError state-refused for an unknown node, or for tagging the local node dead
 */
export async function tagNode({ settings, node, dead, log, signal }: TagRequest): Promise<string[]> {
  const { queue } = settings;
  await using local = await openHere(settings, signal);
  const info = await needNodeInfo(local, queue);
  const members = await membersOfRoot(local, { settings, signal });
  const member = needMember(members, node);
  if (dead && node === info.name) {
    throw new KajaError('state-refused', `Node ${node} is the local node, which answers`, {
      hint: 'run the command on another node',
    });
  }
  // Without a location the flag would be lost on a node that has not heard of the member yet.
  await callRet(local, 'pgq_node.register_location', [queue, node, member.location, dead]);
  const others = members.filter((one) => one.name !== info.name && (one.name === node ? !dead : !one.dead));
  const failed = await eachMember(others, settings, { log, signal }, (session) =>
    callRet(session, 'pgq_node.register_location', [queue, node, null, dead]),
  );
  log.info(`Node ${node} tagged as ${dead ? 'dead' : 'alive'}`);
  return failed;
}

/** Members as this node and, where it can be asked, the root knows them. */
async function membersOfRoot(
  local: Session,
  { settings, signal }: Pick<TagRequest, 'settings' | 'signal'>,
): Promise<Member[]> {
  const known = await readMembers(local, settings.queue);
  try {
    await using root = await openRoot(local, settings, signal);
    return mergeMembers(known, await readMembers(root.session, settings.queue));
  } catch (error) {
    if (signal?.aborted) throw error;
    return known; // the root may be what is dead
  }
}
