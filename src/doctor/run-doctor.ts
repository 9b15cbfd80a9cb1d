/** From ini files to findings. */
import { detectKind, loadConfig, OPTION_TABLES, type SectionKind } from '../config/load-config.ts';
import { ConfigError } from '../errors/kaja-error.ts';
import { Examination, type ExaminationRequest, failed } from './examination.ts';
import { type Finding, ok, worstFirst } from './finding.ts';
import { DOCTOR_LIMITS, type DoctorLimits } from './limits.ts';
import { placed } from './run-checks.ts';

/** What to examine. */
export interface DoctorRequest extends ExaminationRequest {
  /** Paths of ini files, of nodes and tickers. */
  readonly paths: readonly string[];
  /** `--set` pairs; each goes to the files that know its key. */
  readonly overrides?: ReadonlyMap<string, string> | undefined;
  readonly limits?: Partial<DoctorLimits> | undefined;
  /** Clock of this host, milliseconds. */
  readonly now?: (() => number) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Examine everything the ini files name. Changes nothing; failures become findings.
 * @returns findings in the order of the databases, the worst of each first, none twice
 * @throws KajaError aborted
 */
export async function runDoctor(request: DoctorRequest): Promise<Finding[]> {
  const findings: Finding[] = [];
  const context = {
    limits: { ...DOCTOR_LIMITS, ...request.limits },
    now: request.now ?? Date.now,
    signal: request.signal,
  };
  for (const path of request.paths) {
    const examination = new Examination(request, context);
    const failures: Finding[] = [];
    try {
      const kind = detectKind(path);
      const overrides = new Map(
        [...(request.overrides ?? [])].filter(([key]) => Object.hasOwn(OPTION_TABLES[kind], key)),
      );
      const load = <K extends SectionKind>(one: K) => loadConfig({ path, kind: one, overrides });
      if (kind === 'londiste') await examination.node(load('londiste'));
      else await examination.ticker(load('ticker'));
      failures.push(...placed('config', path, [ok('configuration is understood')]));
    } catch (failure) {
      if (request.signal?.aborted) throw failure;
      failures.push(failed(failure instanceof ConfigError ? 'config' : 'doctor', path, failure));
    }
    findings.push(...failures, ...examination.findings);
  }
  return arrange(findings);
}

/* Two looks at one database, a moment apart, say the same thing with other times and sizes. */
const sameThing = ({ severity, check, where, what }: Finding): string =>
  JSON.stringify([
    severity,
    check,
    where,
    what.replace(/\b\d+ (?=(?:s|min|h|days|bytes|kB|MB|GB|TB|of|connections)\b)/g, ''),
  ]);

/** By place in order of appearance, the worst first, without repetitions. */
export function arrange(findings: readonly Finding[]): Finding[] {
  const unique = new Map<string, Finding>();
  for (const one of findings) {
    const known = unique.get(sameThing(one));
    // The one that knows the ini has the better remedy.
    if (!known || known.remedy.includes('kaja INI ')) unique.set(sameThing(one), one);
  }
  const places = [...new Set(findings.map((one) => one.where))];
  return places.flatMap((where) => worstFirst([...unique.values()].filter((one) => one.where === where)));
}
