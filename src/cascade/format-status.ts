/** The look of Londiste's `status`. */
import type { TableReport } from './node-report.ts';
import { buildTree, serviceOf, type TreeNode } from './node-tree.ts';
import type { MemberReport, SetReport } from './set-report.ts';

const DATA_COLUMN = 30;
const COMPACT_TITLE = 60;
const COMPACT_DATA = 30;
const STEP = 3;
const RED_LAG_SECONDS = 60;
/** With thousands of tables only those at work get a line. */
const MAX_COPY_LINES = 20;

/** How to print. */
export interface StatusLook {
  readonly compact?: boolean | undefined;
  /** Large lags in red. */
  readonly colours?: boolean | undefined;
}

/** Seconds as `[Nd][Nh][Nm]Ns`; `(n/a)` when not known. */
export function formatLag(seconds: number | null): string {
  if (seconds === null) return '(n/a)';
  const all = Math.floor(Math.max(0, seconds));
  const units: [number, string][] = [
    [Math.floor(all / 86_400), 'd'],
    [Math.floor(all / 3_600) % 24, 'h'],
    [Math.floor(all / 60) % 60, 'm'],
  ];
  const large = units.filter(([count]) => count > 0).map(([count, unit]) => `${count}${unit}`);
  return `${large.join('')}${all % 60}s`;
}

/** `name (type)`, with the service if the location names one; `name (dead)` for a node that did not answer. */
export function nodeTitle(member: MemberReport): string {
  if (!member.report) return `${member.name} (dead)`;
  const service = serviceOf(member.location);
  return `${member.name} (${member.report.info.type}${service ? `, ${service}` : ''})`;
}

/** The lines about a node below its title. */
export function nodeLines(member: MemberReport, look: StatusLook = {}): string[] {
  const { report } = member;
  if (!report) return ['Lag: (n/a)'];
  const { tables, info } = report;
  const lag = `Lag: ${formatLag(member.lagSeconds)}`;
  const red = look.colours && (member.lagSeconds ?? 0) > RED_LAG_SECONDS;
  return [
    `Tables: ${tables.ok}/${tables.half}/${tables.ignored}`,
    `${red ? `\u001b[31m${lag}\u001b[0m` : lag}, Tick: ${info.lastTick ?? '(n/a)'}${info.paused ? ', PAUSED' : ''}${info.uptodate ? '' : ', NOT UPTODATE'}`,
    ...[...report.attrs].map(([key, value]) => `Attr: ${key}=${value ?? ''}`),
    ...copyLines(report.troubled.filter((one) => one.mergeState !== 'ok')),
    ...report.troubled.filter(hasDiverged).map(divergedLine),
    ...report.errors.map(({ consumer, error }) => `ERR: ${consumer}: ${firstLine(error)}`),
  ];
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

/** Did changes meet rows they did not expect? */
export const hasDiverged = (one: TableReport): boolean =>
  one.updateMissing + one.deleteMissing + one.insertFound > 0n;

function copyLines(tables: readonly TableReport[]): string[] {
  const active = tables.filter((one) => one.mergeState !== null || one.copyError !== null);
  const shown = active.slice(0, MAX_COPY_LINES);
  const lines = shown.flatMap((one) => [
    `Copy: ${one.table}: ${copyText(one)}`,
    ...(one.copyError === null ? [] : [`ERR: ${one.table}: ${firstLine(one.copyError)}`]),
  ]);
  const waiting = tables.filter((one) => !shown.includes(one));
  if (waiting.length === 1) lines.push(`Copy: ${waiting[0]?.table}: waits`);
  else if (waiting.length > 1) lines.push(`Copy: ${waiting.length} more tables wait`);
  return lines;
}

function copyText(one: TableReport): string {
  const parts = [one.mergeState ?? 'waits'];
  if (one.mergeState === 'in-copy' && one.rowsCopied !== null) {
    parts.push(`${one.rowsCopied}${one.rowsTotal ? ` of ~${one.rowsTotal}` : ''} rows`);
    if (one.rowsPerSecond !== null) parts.push(`${one.rowsPerSecond} rows/s`);
    if (one.secondsLeft !== null) parts.push(`${formatLag(one.secondsLeft)} left`);
  }
  return parts.join(', ');
}

const divergedLine = (one: TableReport): string =>
  `Diverged: ${one.table}: ${one.updateMissing} updates, ${one.deleteMissing} deletes found no row, ${one.insertFound} inserts found one`;

/** The whole answer of `status`, without a final line end. */
export function formatStatus(set: SetReport, look: StatusLook = {}): string {
  const failures = set.members
    .filter((one) => one.failure !== null)
    .map((one) => `Node '${one.name}' failure: ${firstLine(one.failure ?? '')}`);
  const tree = buildTree(set.members);
  const body = look.compact
    ? tree.flatMap((node) => compactLines(node, 0, look))
    : tree.flatMap((node) => treeLines(node, '', look));
  return [`Queue: ${set.queue}   Local node: ${set.localNode}`, '', ...failures, ...body].join('\n');
}

/* `prefix` is what stands left of the node's own branch: bars of ancestors that have more children to come. */
function treeLines(
  node: TreeNode,
  prefix: string,
  look: StatusLook,
  title = nodeTitle(node.member),
): string[] {
  const inner = `${prefix}  `;
  const bar = node.children.length > 0 ? `${inner}|` : inner;
  const lines = [title, ...nodeLines(node.member, look).map((line) => pad(bar, DATA_COLUMN) + line)];
  node.children.forEach((child, index) => {
    const last = index === node.children.length - 1;
    const head = `${inner}+--: ${nodeTitle(child.member)}`;
    lines.push(...treeLines(child, `${inner}${last ? ' ' : '|'}`, look, head));
  });
  return lines;
}

function compactLines(node: TreeNode, level: number, look: StatusLook): string[] {
  const title = `${' '.repeat(STEP * level)}${nodeTitle(node.member)}`;
  const data = nodeLines(node.member, look).map((line) => pad(line, COMPACT_DATA));
  const line = `${pad(title, COMPACT_TITLE)}${data.join('')}`.trimEnd();
  return [line, ...node.children.flatMap((child) => compactLines(child, level + 1, look))];
}

/* One blank at least, however deep the tree. */
const pad = (text: string, width: number): string => (text.length < width ? text.padEnd(width) : `${text} `);
