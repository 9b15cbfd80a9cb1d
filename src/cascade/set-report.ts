/** State of all nodes of a set, read in parallel. */
import type { Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import { openRoot } from './find-root.ts';
import { type Member, needNodeInfo, readMembers } from './node-info.ts';
import { type NodeReport, readNodeReport } from './node-report.ts';
import type { NodeSettings } from './node-settings.ts';
import { openHere, openThere } from './open-node.ts';

/** A node that answers but does not finish within this time counts as unreachable. */
const STATEMENT_TIMEOUT_MS = 10_000;

/** A member with what could be found out about it. */
export interface MemberReport extends Member {
  /** Undefined when tagged dead or not reachable. */
  readonly report: NodeReport | undefined;
  /** Why there is no report; null for nodes tagged dead, which are not asked. */
  readonly failure: string | null;
  /** Age of the newest tick (root), or of the tick this node has finished (others), by the root's clock; null: not known. */
  readonly lagSeconds: number | null;
}

/** The set as seen from the local node. */
export interface SetReport {
  readonly queue: string;
  readonly localNode: string;
  readonly members: readonly MemberReport[];
}

interface Answer {
  readonly member: Member;
  readonly report: NodeReport | undefined;
  readonly failure: string | null;
  readonly session: Session | undefined;
}

/**
 * Read the set. Nodes that do not answer within three seconds are reported as failed; only the local one must answer.
 * @throws KajaError not-a-node, not-installed; connection errors of the local node
 */
export async function readSetReport(settings: NodeSettings, signal?: AbortSignal): Promise<SetReport> {
  const { queue } = settings;
  const local = await openHere(settings, signal);
  const opened = new Set([local]);
  let asked: Promise<Answer>[] = [];
  try {
    const info = await needNodeInfo(local, queue);
    const members = await readMembers(local, queue);
    const ask = async (member: Member): Promise<Answer> => {
      if (member.name !== info.name) return askMember(member, settings, opened, signal);
      return { member, report: await readNodeReport(local, queue, info), failure: null, session: local };
    };
    asked = members.map(ask);
    const answers = await Promise.all(asked);
    const root = answers.find(({ report }) => report?.info.type === 'root')?.session;
    const ticks = answers.flatMap(({ report }) => report?.info.lastTick ?? []);
    const ages = await tickAges(root, queue, ticks);
    return {
      queue,
      localNode: info.name,
      members: answers.map(({ member, report, failure }) => ({
        ...member,
        report,
        failure,
        lagSeconds: report ? lagOf(report, ages) : null,
      })),
    };
  } finally {
    await Promise.allSettled(asked);
    // Servers need a while for their goodbyes, and whoever asked need not wait for them.
    for (const session of opened) void session.close();
  }
}

/**
 * Read the local node alone; the root is asked for the age of its tick.
 * @throws as `readSetReport`
 */
export async function readLocalReport(settings: NodeSettings, signal?: AbortSignal): Promise<MemberReport> {
  const { queue } = settings;
  await using local = await openHere(settings, signal);
  const report = await readNodeReport(local, queue);
  const members = await readMembers(local, queue);
  const { name, lastTick } = report.info;
  const member = members.find((one) => one.name === name) ?? { name, location: '', dead: false };
  let ages = new Map<bigint, number>();
  if (report.info.type !== 'root' && lastTick !== null) {
    try {
      await using root = await openRoot(local, settings, signal);
      ages = await tickAges(root.session, queue, [lastTick]);
    } catch (error) {
      if (signal?.aborted) throw error;
    }
  }
  return { ...member, report, failure: null, lagSeconds: lagOf(report, ages) };
}

async function askMember(
  member: Member,
  settings: NodeSettings,
  opened: Set<Session>,
  signal?: AbortSignal,
): Promise<Answer> {
  if (member.dead) return { member, report: undefined, failure: null, session: undefined };
  try {
    const limits = { signal, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
    const session = await openThere(member.location, settings, limits);
    opened.add(session);
    return { member, report: await readNodeReport(session, settings.queue), failure: null, session };
  } catch (error) {
    if (signal?.aborted) throw error;
    return { member, report: undefined, failure: errorLine(error), session: undefined };
  }
}

/** Ages, on the root and by its clock, of ticks that nodes have finished. Empty when they cannot be known. */
async function tickAges(
  root: Session | undefined,
  queue: string,
  ticks: readonly bigint[],
): Promise<Map<bigint, number>> {
  if (!root || ticks.length === 0) return new Map();
  try {
    const rows = await root.query<{ tick: bigint; age: number }>(
      `select t.tick_id as tick, extract(epoch from pg_catalog.clock_timestamp() - t.tick_time)::float8 as age
         from pgq.tick t join pgq.queue q on q.queue_id = t.tick_queue
        where q.queue_name = $1 and t.tick_id = any ($2::int8[])`,
      [queue, ticks],
    );
    return new Map(rows.map(({ tick, age }) => [tick, age]));
  } catch {
    return new Map();
  }
}

function lagOf(report: NodeReport, ages: ReadonlyMap<bigint, number>): number | null {
  const { type, lastTick } = report.info;
  if (type === 'root') return report.tickerLagSeconds;
  const age = lastTick === null ? undefined : ages.get(lastTick);
  return age === undefined ? null : Math.max(0, age);
}
