/** The look of `node-info` and `node-status`. */
import { redactLocation } from '../config/connection-string.ts';
import { nodeLines, nodeTitle, type StatusLook } from './format-status.ts';
import type { Member, NodeInfo } from './node-info.ts';
import type { MemberReport } from './set-report.ts';

/** DEAD, PAUSED, NON-UP-TO-DATE; empty when all is well. */
export function nodeFlags(info: NodeInfo, member: Member | undefined): string[] {
  return [
    ...(member?.dead ? ['DEAD'] : []),
    ...(info.paused ? ['PAUSED'] : []),
    ...(info.uptodate ? [] : ['NON-UP-TO-DATE']),
  ];
}

/** Answer of `node-info`. Passwords are hidden. */
export function formatNodeInfo(
  queue: string,
  info: NodeInfo,
  member: Member | undefined,
  localLocation: string,
): string {
  const isRoot = info.type === 'root';
  return [
    `Node: ${info.name}  Type: ${info.type}  Queue: ${queue}`,
    `Status: ${nodeFlags(info, member).join(', ') || 'OK'}`,
    `Provider: ${isRoot ? '--' : info.providerNode}`,
    'Connect strings:',
    `  Local   : ${redactLocation(localLocation)}`,
    `  Public  : ${redactLocation(member?.location ?? '')}`,
    ...(isRoot ? [] : [`  Provider: ${redactLocation(info.providerLocation)}`]),
    ...(info.combinedQueue === null
      ? []
      : [`Combined Queue: ${info.combinedQueue}  (node type: ${info.combinedType ?? '?'})`]),
  ].join('\n');
}

/** Answer of `node-status`. */
export function formatNodeStatus(member: MemberReport, look: StatusLook = {}): string {
  const { report } = member;
  const lines = [
    `Provider: ${!report || report.info.type === 'root' ? '--' : report.info.providerNode}`,
    `Subscribers: ${report?.subscribers.join(', ') ?? ''}`,
    ...nodeLines(member, look),
  ];
  return [nodeTitle(member), ...lines.map((line) => `    ${line}`)].join('\n');
}
