/** Who reads from whom, as a tree. */
import type { MemberReport } from './set-report.ts';

/** A node with the nodes that read from it. */
export interface TreeNode {
  readonly member: MemberReport;
  readonly children: readonly TreeNode[];
  /** Levels below. */
  readonly depth: number;
  /** Nodes below. */
  readonly total: number;
}

/**
 * Build the tree. A node that did not answer stands below the one that lists it as subscriber.
 * @returns the root, and every node whose provider is not known
 */
export function buildTree(members: readonly MemberReport[]): TreeNode[] {
  const names = new Set(members.map((one) => one.name));
  const parents = new Map<string, string>();
  for (const { name, report } of members) {
    for (const below of report?.subscribers ?? []) if (!parents.has(below)) parents.set(below, name);
  }
  for (const { name, report } of members) {
    // What a node says of itself counts more than what another says of it.
    if (!report) continue;
    if (report.info.type === 'root') parents.delete(name);
    else parents.set(name, report.info.providerNode);
  }
  const placed = new Set<string>();
  const grow = (member: MemberReport): TreeNode => {
    placed.add(member.name);
    const below = members.filter((one) => !placed.has(one.name) && parents.get(one.name) === member.name);
    for (const one of below) placed.add(one.name);
    const children = below.map(grow).sort(compareNodes);
    return {
      member,
      children,
      depth: Math.max(0, ...children.map((one) => one.depth + 1)),
      total: children.reduce((sum, one) => sum + one.total + 1, 0),
    };
  };
  const isTop = ({ name }: MemberReport): boolean => {
    const parent = parents.get(name);
    return parent === undefined || !names.has(parent);
  };
  const top = members.filter(isTop).map(grow);
  // Providers in a circle have no top; show them all the same.
  const rest = members.filter((one) => !placed.has(one.name));
  return [...top, ...rest.flatMap((one) => (placed.has(one.name) ? [] : [grow(one)]))].sort(
    (a, b) => Number(isRoot(b)) - Number(isRoot(a)) || compareNodes(a, b),
  );
}

const isRoot = (node: TreeNode): boolean => node.member.report?.info.type === 'root';

function compareNodes(a: TreeNode, b: TreeNode): number {
  return (
    a.depth - b.depth ||
    a.total - b.total ||
    compareText(serviceOf(a.member.location), serviceOf(b.member.location)) ||
    compareText(a.member.name, b.member.name)
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The `service=` of a location in either form; '' without. */
export const serviceOf = (location: string): string =>
  /(?:^|[\s?&])service\s*=\s*'?([^\s'&]+)/.exec(location)?.[1] ?? '';
