/** Replaces references in ini values: `%(key)s` (format 1), `${key}` and `${section:key}` (format 2). */
import { ConfigError } from '../errors/kaja-error.ts';
import { nearestWord } from '../errors/nearest.ts';
import type { IniEntry, IniFile } from './ini-file.ts';

/**
 * How references are written.
 * `format1`: `%(key)s`, `%%` is a percent sign, any other `%` is an error. `format2`: `${key}`, `$$` is a dollar sign.
 * `lenient`: as format 1, but what is no reference to a known key stays as it is: pgqd's files never had references.
 */
export type InterpolationFormat = 'format1' | 'format2' | 'lenient';

/** A value after interpolation, or undefined when the key is absent. */
export interface Resolver {
  /** @throws ConfigError for unknown references and circles, naming file and line */
  get(key: string): string | undefined;
  /** The entry a key comes from; undefined for predefined keys. */
  entry(key: string): IniEntry | undefined;
  /** Keys that other values refer to. */
  readonly referenced: ReadonlySet<string>;
}

/**
 * Resolve the values of one section. Order: section, then [DEFAULT], then predefined names.
 * @param ini file
 * @param section its name
 * @param predefined job_name and the like, taken as they are
 */
export function createResolver(
  ini: IniFile,
  section: string,
  predefined: ReadonlyMap<string, string>,
  format: InterpolationFormat,
): Resolver {
  const referenced = new Set<string>();
  const find = (name: string, key: string): IniEntry | undefined =>
    ini.get(name)?.get(key) ?? ini.get('DEFAULT')?.get(key);

  const resolve = (name: string, key: string, path: readonly string[]): string | undefined => {
    const entry = find(name, key);
    if (!entry) return predefined.get(key);
    const id = `${name}:${key}`;
    if (path.includes(id)) {
      const fallback = predefined.get(key); // `job_name = %(job_name)s` means the predefined one
      if (fallback !== undefined) return fallback;
      throw new ConfigError(`${at(entry)}: ${key} refers to itself`);
    }
    const next = [...path, id];
    const lookUp = (otherSection: string, otherKey: string): string => {
      if (otherSection === section || otherSection === 'DEFAULT') referenced.add(otherKey);
      const value = resolve(otherSection, otherKey, next);
      if (value === undefined) throw unknownReference(entry, otherKey, otherSection);
      return value;
    };
    return format === 'format2'
      ? expandFormat2(entry, name, lookUp)
      : expandFormat1(entry, name, format, lookUp, (other) => has(name, other));
  };
  const has = (name: string, key: string): boolean => find(name, key) !== undefined || predefined.has(key);
  const unknownReference = (entry: IniEntry, key: string, other: string): ConfigError => {
    const known = [
      ...(ini.get(other)?.keys() ?? []),
      ...(ini.get('DEFAULT')?.keys() ?? []),
      ...predefined.keys(),
    ];
    const near = nearestWord(key, known);
    return new ConfigError(`${at(entry)}: ${entry.key} refers to unknown key "${key}"`, {
      hint: near ? `did you mean ${near}?` : undefined,
    });
  };
  return {
    get: (key) => resolve(section, key, []),
    entry: (key) => find(section, key),
    referenced,
  };
}

const at = (entry: IniEntry): string => `${entry.file}:${entry.line}`;

type LookUp = (section: string, key: string) => string;

function expandFormat1(
  entry: IniEntry,
  section: string,
  format: InterpolationFormat,
  lookUp: LookUp,
  has: (key: string) => boolean,
): string {
  if (format === 'lenient') {
    return entry.raw.replace(/%\(([^()]+)\)s/g, (whole, key: string) =>
      has(key.toLowerCase()) ? lookUp(section, key.toLowerCase()) : whole,
    );
  }
  return entry.raw.replace(/%(?:%|\(([^()]+)\)s|)/g, (whole, key: string | undefined) => {
    if (whole === '%%') return '%';
    if (key === undefined) {
      throw new ConfigError(`${at(entry)}: ${entry.key} holds a lone "%"`, {
        hint: 'write %% for a percent sign',
      });
    }
    return lookUp(section, key.toLowerCase());
  });
}

function expandFormat2(entry: IniEntry, section: string, lookUp: LookUp): string {
  return entry.raw.replace(/\$(?:\$|\{([^{}]+)\}|)/g, (whole, name: string | undefined) => {
    if (whole === '$$') return '$';
    if (name === undefined) {
      throw new ConfigError(`${at(entry)}: ${entry.key} holds a lone "$"`, {
        hint: 'write $$ for a dollar sign',
      });
    }
    const colon = name.indexOf(':');
    const other = colon < 0 ? section : name.slice(0, colon).trim();
    return lookUp(
      other,
      name
        .slice(colon + 1)
        .trim()
        .toLowerCase(),
    );
  });
}
