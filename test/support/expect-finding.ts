/** Looks a finding up and says well what there was instead. */
import type { Finding, Severity } from '../../src/doctor/finding.ts';

/** What is looked for. */
export interface WantedFinding {
  readonly severity: Severity;
  readonly check: string;
  readonly what: RegExp;
  readonly remedy: RegExp;
  /** Part of the place. */
  readonly where?: string;
}

const matches = (one: Finding, wanted: WantedFinding): boolean =>
  one.severity === wanted.severity &&
  one.check === wanted.check &&
  wanted.what.test(one.what) &&
  wanted.remedy.test(one.remedy) &&
  (wanted.where === undefined || one.where.includes(wanted.where));

/** @throws Error that lists all findings but `ok` ones when it is not among them */
export function expectFinding(findings: readonly Finding[], wanted: WantedFinding): Finding {
  const found = findings.find((one) => matches(one, wanted));
  if (found) return found;
  const lines = findings
    .filter((one) => one.severity !== 'ok' || one.check === wanted.check)
    .map((one) => `${one.severity} ${one.check} [${one.where}] ${one.what} -> ${one.remedy}`);
  throw new Error(
    `no ${wanted.severity} ${wanted.check} ${wanted.what} -> ${wanted.remedy}\n${lines.join('\n')}`,
  );
}

/** Findings of one severity as text, to be compared with []. */
export const textsOf = (findings: readonly Finding[], severity: Severity): string[] =>
  findings.filter((one) => one.severity === severity).map((one) => `${one.check}: ${one.what}`);
