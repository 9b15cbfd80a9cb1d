/** Findings for a person. Pure. */
import { count, type Finding, type Severity } from './finding.ts';

const WIDTH = 'warning'.length;

/** How many of each. */
export function countFindings(findings: readonly Finding[]): Record<Severity, number> {
  const counts = { ok: 0, info: 0, warning: 0, error: 0 };
  for (const one of findings) counts[one.severity]++;
  return counts;
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

/**
 * One block per database, one line per finding: severity, check, what, remedy.
 * @param all show what is in order too
 */
export function formatFindings(findings: readonly Finding[], all: boolean): string {
  const lines: string[] = [];
  for (const where of new Set(findings.map((one) => one.where))) {
    const shown = findings.filter((one) => one.where === where && (all || one.severity !== 'ok'));
    lines.push(where);
    if (shown.length === 0) lines.push(`  ${'ok'.padEnd(WIDTH)}  nothing to complain about`);
    for (const one of shown) {
      const remedy = one.remedy ? `  ->  ${oneLine(one.remedy)}` : '';
      lines.push(`  ${one.severity.padEnd(WIDTH)}  ${one.check}: ${oneLine(one.what)}${remedy}`);
    }
  }
  const counts = countFindings(findings);
  lines.push(
    '',
    `${count(counts.error, 'error')}, ${count(counts.warning, 'warning')}, ${count(counts.info, 'note')}, ${counts.ok} in order`,
  );
  return lines.join('\n');
}
