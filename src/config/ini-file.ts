/** Reads ini files the way Londiste and pgqd do, remembering the line of every value. */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { ConfigError } from '../errors/kaja-error.ts';
import { expandHome } from './expand-home.ts';

/** One `key = value` as written. */
export interface IniEntry {
  readonly key: string;
  /** Value without interpolation; continuation lines are joined by line feeds. */
  readonly raw: string;
  readonly file: string;
  /** Line number, from 1. */
  readonly line: number;
}

/** Section name → lower-case key → entry. */
export type IniFile = ReadonlyMap<string, ReadonlyMap<string, IniEntry>>;

/** Reads a text file; replaced in tests. */
export type ReadText = (path: string) => string;

const MAX_INCLUDE_DEPTH = 10;

const readUtf8: ReadText = (path) => readFileSync(path, 'utf8');

/**
 * Read an ini file with its includes.
 * Comments are whole lines starting with `#` or `;`; a deeper indented line continues the value above it; values are never cut.
 * @param path file
 * @throws ConfigError naming file and line: unreadable file, line without `=`, key twice, include loop
 */
export function readIniFile(path: string, readText: ReadText = readUtf8): IniFile {
  const sections = new Map<string, Map<string, IniEntry>>();
  readInto(sections, path, undefined, [], readText);
  return sections;
}

type Sections = Map<string, Map<string, IniEntry>>;

function readInto(
  sections: Sections,
  path: string,
  inherited: string | undefined,
  open: readonly string[],
  readText: ReadText,
): void {
  const text = load(path, open, readText);
  let section = inherited;
  let last: { entry: IniEntry; indent: number } | undefined;
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    const where = `${path}:${index + 1}`;
    const body = line.trim();
    if (body === '' || body.startsWith('#') || body.startsWith(';')) continue;
    const indent = line.length - line.trimStart().length;
    if (last && section !== undefined && indent > last.indent) {
      const entry: IniEntry = { ...last.entry, raw: `${last.entry.raw}\n${body}` };
      sections.get(section)?.set(entry.key, entry);
      last = { entry, indent: last.indent };
      continue;
    }
    last = undefined;
    if (/^%include(\s|$)/.test(body)) {
      const name = expandHome(body.slice('%include'.length).trim());
      if (name === '') throw new ConfigError(`${where}: %include needs a file name`);
      const target = isAbsolute(name) ? name : join(dirname(path), name);
      readInto(sections, target, section, [...open, path], readText);
    } else if (body.startsWith('[')) {
      section = sectionName(body, where);
      if (!sections.has(section)) sections.set(section, new Map());
    } else {
      if (section === undefined) throw new ConfigError(`${where}: a key before the first [section]`);
      const entry = parseEntry(body, path, index + 1);
      addEntry(sections.get(section) ?? new Map(), entry, section);
      last = { entry, indent };
    }
  }
}

const READ_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'not found',
  EISDIR: 'is a directory',
  EACCES: 'may not be read',
};

function load(path: string, open: readonly string[], readText: ReadText): string {
  const parent = open.at(-1);
  if (open.includes(path) || open.length > MAX_INCLUDE_DEPTH) {
    throw new ConfigError(`${parent}: %include of ${path} goes round in a circle`);
  }
  try {
    return readText(path).replace(/^\uFEFF/, '');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = READ_FAILURES[code ?? ''] ?? message;
    throw new ConfigError(
      `config file ${reason}: ${path || "''"}${parent ? ` (included by ${parent})` : ''}`,
      {
        code: 'config-missing',
        hint: parent ? undefined : 'kaja --ini prints a sample',
        cause: error,
      },
    );
  }
}

function sectionName(body: string, where: string): string {
  const match = /^\[([^\]]+)\]$/.exec(body);
  if (!match?.[1])
    throw new ConfigError(`${where}: section header is not understood`, {
      hint: 'write [name] alone on its line',
    });
  return match[1].trim();
}

function parseEntry(body: string, file: string, line: number): IniEntry {
  const match = /^([^=:]*?)\s*[=:]\s*(.*)$/s.exec(body);
  if (!match?.[1]) {
    throw new ConfigError(`${file}:${line}: no "key = value" here`, { hint: 'comments start with ; or #' });
  }
  return { key: match[1].toLowerCase(), raw: match[2] ?? '', file, line };
}

function addEntry(section: Map<string, IniEntry>, entry: IniEntry, name: string): void {
  const before = section.get(entry.key);
  if (before) {
    const first = before.file === entry.file ? `line ${before.line}` : `${before.file}:${before.line}`;
    throw new ConfigError(
      `${entry.file}:${entry.line}: ${entry.key} stands twice in [${name}], first in ${first}`,
      {
        hint: 'remove one',
      },
    );
  }
  section.set(entry.key, entry);
}
