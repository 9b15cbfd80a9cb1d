/** Loads the configuration of one job: typed, complete, frozen. Pure but for reading files, so a reload is one more call. */
import { hostname } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { ConfigError } from '../errors/kaja-error.ts';
import { nearestWord } from '../errors/nearest.ts';
import { type ConfigValue, convertValue } from './convert.ts';
import { type IniEntry, type IniFile, type ReadText, readIniFile } from './ini-file.ts';
import { createResolver, type InterpolationFormat, type Resolver } from './interpolate.ts';
import { LONDISTE_OPTIONS } from './londiste-options.ts';
import { type ConfigValues, fieldName, type OptionSpec, type OptionTable } from './option-table.ts';
import { TICKER_OPTIONS } from './ticker-options.ts';

/** Which of the two kinds of ini. */
export type SectionKind = 'londiste' | 'ticker';

/** Where a configuration came from. */
export interface ConfigOrigin {
  readonly kind: SectionKind;
  /** Absolute path of the ini. */
  readonly configFile: string;
  readonly configDir: string;
  readonly hostName: string;
  readonly serviceName: string;
  /** The section as named in the file. */
  readonly section: string;
}

/** Configuration of a node. Times in milliseconds (`…Ms`), sizes in bytes. */
export type LondisteConfig = ConfigValues<typeof LONDISTE_OPTIONS> &
  ConfigOrigin & { readonly kind: 'londiste' };
/** Configuration of a ticker. */
export type TickerConfig = ConfigValues<typeof TICKER_OPTIONS> & ConfigOrigin & { readonly kind: 'ticker' };
/** Configuration by kind. */
export type ConfigOf<K extends SectionKind> = K extends 'londiste' ? LondisteConfig : TickerConfig;

/** Section names per kind, the usual one first. */
export const SECTION_NAMES: Readonly<Record<SectionKind, readonly string[]>> = {
  londiste: ['londiste', 'londiste3', 'kaja'],
  ticker: ['pgqd', 'kaja-ticker'],
};

/** Option tables per kind. */
export const OPTION_TABLES = { londiste: LONDISTE_OPTIONS, ticker: TICKER_OPTIONS } as const satisfies Record<
  SectionKind,
  OptionTable
>;

/** What to load. */
export interface LoadOptions<K extends SectionKind> {
  readonly path: string;
  readonly kind: K;
  /** `--set` pairs; they win over the file and take part in interpolation. */
  readonly overrides?: ReadonlyMap<string, string> | undefined;
  /** Accept missing required keys: for -s, -k, -r. */
  readonly partial?: boolean | undefined;
  readonly readText?: ReadText | undefined;
}

/**
 * Load one job's configuration.
 * @throws ConfigError naming file, line and key, with the nearest known key for a misspelt one
 */
export function loadConfig<K extends SectionKind>(options: LoadOptions<K>): ConfigOf<K> {
  const { path, kind } = options;
  const ini = withOverrides(readIniFile(path, options.readText), kind, options.overrides);
  const section = findSection(ini, kind, path);
  const table: OptionTable = OPTION_TABLES[kind];
  const predefined = predefinedNames(path);
  const resolver = createResolver(ini, section, predefined, formatOf(ini, section));
  const values: Record<string, ConfigValue> = {};
  let missing: unknown;
  for (const [key, spec] of Object.entries(table)) {
    if (spec.type === 'ignored') continue;
    try {
      values[fieldName(key, spec)] = readValue(key, spec, resolver, {
        path,
        section,
        partial: options.partial === true,
      });
    } catch (error) {
      missing ??= error;
    }
  }
  // A misspelt key says more than the absence of the right one.
  checkUnknown(ini, section, table, resolver, predefined);
  if (missing !== undefined) throw missing;
  const jobName = String(values.jobName);
  if (values.consumerName === '') values.consumerName = jobName;
  const origin: ConfigOrigin = {
    kind,
    section,
    configFile: resolve(path),
    configDir: dirname(resolve(path)),
    hostName: hostname(),
    serviceName: predefined.get('service_name') ?? 'kaja',
  };
  return Object.freeze({ ...values, ...origin }) as unknown as ConfigOf<K>;
}

/**
 * Tell whether an ini belongs to a node or to a ticker; a file with both sections counts as a node's.
 * @throws ConfigError when it is neither
 */
export function detectKind(path: string, readText?: ReadText): SectionKind {
  const ini = readIniFile(path, readText);
  for (const kind of ['londiste', 'ticker'] as const)
    if (SECTION_NAMES[kind].some((name) => ini.has(name))) return kind;
  throw noSection(ini, path, ['[londiste]', '[pgqd]']);
}

function predefinedNames(path: string): Map<string, string> {
  return new Map([
    ['job_name', basename(path).replace(/\.[^.]*$/, '')],
    ['service_name', 'kaja'],
    ['host_name', hostname()],
    ['config_dir', dirname(resolve(path))],
    ['config_file', resolve(path)],
  ]);
}

function withOverrides(
  ini: IniFile,
  kind: SectionKind,
  overrides: ReadonlyMap<string, string> | undefined,
): IniFile {
  if (!overrides?.size) return ini;
  const copy = new Map(ini);
  for (const name of SECTION_NAMES[kind]) {
    const section = ini.get(name);
    if (!section) continue;
    const merged = new Map<string, IniEntry>(section);
    for (const [key, raw] of overrides)
      merged.set(key.toLowerCase(), { key: key.toLowerCase(), raw, file: '--set', line: 0 });
    copy.set(name, merged);
  }
  return copy;
}

function findSection(ini: IniFile, kind: SectionKind, path: string): string {
  const found = SECTION_NAMES[kind].filter((name) => ini.has(name));
  if (found.length > 1)
    throw new ConfigError(`${path} has both [${found[0]}] and [${found[1]}]`, { hint: 'keep one of them' });
  if (found[0] === undefined) throw noSection(ini, path, [`[${SECTION_NAMES[kind][0]}]`]);
  return found[0];
}

function noSection(ini: IniFile, path: string, wanted: readonly string[]): ConfigError {
  const present = [...ini.keys()].filter((name) => name !== 'DEFAULT').map((name) => `[${name}]`);
  return new ConfigError(`${path} has no section ${wanted.join(' or ')}`, {
    hint: present.length > 0 ? `it has ${present.join(', ')}` : 'kaja --ini prints a sample',
  });
}

function formatOf(ini: IniFile, section: string): InterpolationFormat {
  const format = ini.get(section)?.get('config_format')?.raw ?? ini.get('DEFAULT')?.get('config_format')?.raw;
  if (format?.trim() === '2') return 'format2';
  return section === 'pgqd' ? 'lenient' : 'format1';
}

const place = (entry: IniEntry): string => (entry.line === 0 ? entry.file : `${entry.file}:${entry.line}`);

function readValue(
  key: string,
  spec: Exclude<OptionSpec, { type: 'ignored' }>,
  resolver: Resolver,
  at: { path: string; section: string; partial: boolean },
): ConfigValue {
  const names = [key, ...(spec.aliases ?? [])].filter((name) => resolver.entry(name) !== undefined);
  const name = names[0] ?? key;
  const entry = resolver.entry(name);
  if (names.length > 1) {
    throw new ConfigError(`${entry ? place(entry) : at.path}: ${names.join(' and ')} are the same key`, {
      hint: 'keep one of them',
    });
  }
  if (!entry) {
    if ('required' in spec && !at.partial) throw missing(key, spec, at);
    if (key === 'job_name') return resolver.get('job_name') ?? '';
    return defaultOf(spec);
  }
  const text = resolver.get(name) ?? '';
  if (text.trim() === '') {
    if ('required' in spec && !at.partial) throw missing(key, spec, at);
    if (spec.type !== 'text' && spec.type !== 'list') return defaultOf(spec);
  }
  try {
    return convertValue(text, spec);
  } catch (error) {
    throw new ConfigError(`${place(entry)}: ${name} ${(error as Error).message}`, { cause: error });
  }
}

const missing = (key: string, spec: OptionSpec, at: { path: string; section: string }): ConfigError =>
  new ConfigError(`${at.path}: ${key} is missing in [${at.section}]`, {
    hint: `add ${key} = … (${spec.help})`,
  });

function defaultOf(spec: Exclude<OptionSpec, { type: 'ignored' }>): ConfigValue {
  if (spec.type === 'seconds') return Math.round(spec.default * 1000);
  if (spec.type === 'list') return convertValue(spec.default, spec);
  return spec.default;
}

/* Keys of [DEFAULT], and keys that others refer to, are the user's own variables. */
function checkUnknown(
  ini: IniFile,
  section: string,
  table: OptionTable,
  resolver: Resolver,
  predefined: ReadonlyMap<string, string>,
): void {
  const known = new Set([
    ...Object.entries(table).flatMap(([key, spec]) => [key, ...(spec.aliases ?? [])]),
    ...predefined.keys(),
  ]);
  for (const entry of ini.get(section)?.values() ?? []) {
    if (known.has(entry.key) || resolver.referenced.has(entry.key)) continue;
    const near = nearestWord(entry.key, known);
    throw new ConfigError(`${place(entry)}: unknown key "${entry.key}" in [${section}]`, {
      hint: near ? `did you mean ${near}?` : 'kaja --ini lists all keys',
    });
  }
}
