/** Does something on several members, in parallel; those that cannot be reached are reported. */
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import type { Log } from '../log/logger.ts';
import type { Member } from './node-info.ts';
import type { NodeSettings } from './node-settings.ts';
import { openThere } from './open-node.ts';

/**
 * Open each member and work on it. Failures are warnings: `Node x failure: …`.
 * @returns names of the members that failed
 */
export async function eachMember(
  members: readonly Member[],
  settings: NodeSettings,
  context: { readonly log: Log; readonly signal?: AbortSignal | undefined },
  work: (session: Session, member: Member) => Promise<unknown>,
): Promise<string[]> {
  const failed: string[] = [];
  await Promise.all(
    members.map(async (member) => {
      try {
        await using session = await openThere(member.location, settings, { signal: context.signal });
        await work(session, member);
      } catch (error) {
        if (context.signal?.aborted) throw error;
        failed.push(member.name);
        context.log.warn(`Node ${member.name} failure: ${errorLine(error)}`);
      }
    }),
  );
  return failed.sort();
}
