/** Prints a commented sample ini from an option table. */
import { UsageError } from '../errors/kaja-error.ts';
import { nearestWord } from '../errors/nearest.ts';
import { OPTION_TABLES, SECTION_NAMES, type SectionKind } from './load-config.ts';
import type { OptionSpec, OptionTable } from './option-table.ts';

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  db: 'dbname=shop host=127.0.0.1',
  queue_name: 'shop_queue',
};
const WIDTH = 100;

/**
 * A complete sample: required and overridden keys are set, all others stand as comments with their defaults.
 * @param kind `londiste` for nodes, `ticker` for tickers
 * @param overrides `--set` pairs shown in place of the defaults
 * @throws UsageError when an override names an unknown key
 */
export function printSampleIni(
  kind: SectionKind,
  overrides: ReadonlyMap<string, string> = new Map(),
): string {
  const table: OptionTable = OPTION_TABLES[kind];
  for (const key of overrides.keys()) {
    if (Object.hasOwn(table, key)) continue;
    const near = nearestWord(key, Object.keys(table));
    throw new UsageError(`--set: unknown key "${key}"`, { hint: near ? `did you mean ${near}?` : undefined });
  }
  const section = SECTION_NAMES[kind][0] ?? kind;
  const lines = [`[${section}]`];
  let group = '';
  for (const [key, spec] of Object.entries(table)) {
    if (spec.type === 'ignored') continue;
    if (spec.group !== group) lines.push('', `## ${spec.group}`);
    group = spec.group;
    lines.push('', ...wrap(helpOf(spec)), settingLine(key, spec, overrides.get(key), section));
  }
  const former = Object.entries(table).filter(([, spec]) => spec.type === 'ignored');
  lines.push(
    '',
    '## former',
    '',
    ...wrap(`Accepted for old files, without effect here: ${former.map(([key]) => key).join(', ')}`),
  );
  return `${lines.join('\n')}\n`;
}

function helpOf(spec: OptionSpec): string {
  const unit: Partial<Record<OptionSpec['type'], string>> = {
    seconds: ' (seconds)',
    bytes: ' (bytes, or with kB, MB, GB)',
    list: ' (comma separated)',
    bool: ' (0 or 1)',
  };
  const choices = spec.type === 'choice' ? ` (${spec.choices.join(', ')})` : (unit[spec.type] ?? '');
  return `${spec.help}${choices}`;
}

function settingLine(
  key: string,
  spec: Exclude<OptionSpec, { type: 'ignored' }>,
  override: string | undefined,
  section: string,
): string {
  if (override !== undefined) return `${key} = ${override}`.trimEnd();
  const required = 'required' in spec;
  const fallback = spec.type === 'bool' ? (spec.default ? '1' : '0') : String(spec.default);
  // pgqd's files know no %%: there a percent sign is written once.
  const isReference = key === 'job_name';
  const escaped = section === 'pgqd' || isReference ? fallback : fallback.replaceAll('%', '%%');
  const text = required ? (PLACEHOLDERS[key] ?? escaped) : escaped;
  return `${required ? '' : '#'}${key} = ${text}`.trimEnd();
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH && line !== '#') {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  lines.push(line);
  return lines;
}
