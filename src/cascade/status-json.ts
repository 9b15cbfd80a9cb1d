/** `status --json` and `node-status --json`. */
import { redactLocation } from '../config/connection-string.ts';
import type { MemberReport, SetReport } from './set-report.ts';

const round = (seconds: number | null): number | null =>
  seconds === null ? null : Math.round(seconds * 1000) / 1000;

/** Names as every other command's JSON has them: `lagSeconds` becomes `lag_seconds`, at any depth. Attribute names of the user stay. */
function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      key === 'attrs' ? one : snakeCase(one),
    ]),
  );
}

/** One node. Unknown figures are null. */
export function memberToJson(member: MemberReport): Record<string, unknown> {
  const { report } = member;
  return snakeCase({
    name: member.name,
    location: redactLocation(member.location),
    dead: member.dead,
    reachable: report !== undefined,
    failure: member.failure,
    type: report?.info.type ?? null,
    provider: report && report.info.type !== 'root' ? report.info.providerNode : null,
    worker: report?.info.workerName ?? null,
    lagSeconds: round(member.lagSeconds),
    tick: report?.info.lastTick ?? null,
    paused: report?.info.paused ?? null,
    uptodate: report?.info.uptodate ?? null,
    tables: report?.tables ?? null,
    tablesNotInOrder: report?.troubled ?? null,
    subscribers: report?.subscribers ?? null,
    attrs: report?.attrs ?? null,
    errors: report?.errors ?? null,
  }) as Record<string, unknown>;
}

/** The set. */
export const setToJson = (set: SetReport): Record<string, unknown> => ({
  queue: set.queue,
  local_node: set.localNode,
  nodes: set.members.map(memberToJson),
});
