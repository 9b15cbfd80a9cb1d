import { describe, expect, it } from 'vitest';
import { type IniFile, readIniFile } from '../../../src/config/ini-file.ts';

const read = (files: Record<string, string>): IniFile =>
  readIniFile('/c/a.ini', (path) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' });
    return text;
  });
const value = (text: string, key = 'k'): string | undefined =>
  read({ '/c/a.ini': text }).get('s')?.get(key)?.raw;

describe('readIniFile', () => {
  it('never cuts values at # or ; and keeps quotes', () => {
    expect(value('[s]\nk = a ; b # c = d')).toBe('a ; b # c = d');
    expect(value(`[s]\nk = dbname='a b' password='x;#'`)).toBe(`dbname='a b' password='x;#'`);
  });

  it('reads comments, CRLF, a byte order mark, colons, upper-case keys, empty values', () => {
    expect(value('\uFEFF; c\r\n# c\r\n[s]\r\n  # c\r\nK: v\r\n')).toBe('v');
    expect(value('[s]\nk =\n')).toBe('');
  });

  it('continues values by deeper indentation only', () => {
    expect(value('[s]\nk = a,\n  b,\n\n  # comment\n  c\nl = 1')).toBe('a,\nb,\nc');
    const indented = '[s]\n  j = 1\n  k = 2\n';
    expect(value(indented)).toBe('2');
  });

  it('remembers lines', () => expect(read({ '/c/a.ini': '\n[s]\n\nk=1' }).get('s')?.get('k')?.line).toBe(4));

  it('includes files relative to the including one, and goes on in its section', () => {
    const ini = read({ '/c/a.ini': '[s]\na=1\n%include sub/b.ini\nc=3', '/c/sub/b.ini': 'b=2\n[t]\nx=1' });
    expect([...(ini.get('s')?.keys() ?? [])]).toEqual(['a', 'b', 'c']);
    expect(ini.get('s')?.get('b')).toMatchObject({ file: '/c/sub/b.ini', line: 1 });
    expect(ini.get('t')?.get('x')?.raw).toBe('1');
  });

  it.each([
    ['[s]\nk=1\nK=2', '/c/a.ini:3: k stands twice in [s], first in line 2; remove one'],
    ['k=1', '/c/a.ini:1: a key before the first [section]'],
    ['[s]\nnonsense', '/c/a.ini:2: no "key = value" here'],
    ['[s', '/c/a.ini:1: section header is not understood'],
    ['[s]\n%include a.ini', '/c/a.ini: %include of /c/a.ini goes round in a circle'],
    ['[s]\n%include no.ini', 'config file not found: /c/no.ini (included by /c/a.ini)'],
  ])('refuses %j', (text, message) => {
    expect(() => read({ '/c/a.ini': text })).toThrow(message.split('; ')[0]);
  });
});
