/** Password files of libpq (.pgpass). */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionSpec, HostSpec } from './connection-spec.ts';

/** A password, or the reason why the file was not used. */
export interface PgpassResult {
  readonly password?: string;
  readonly warning?: string;
}

/**
 * Look the password of one server up in `passfile=`, PGPASSFILE or ~/.pgpass.
 * @param spec location
 * @param server which of its hosts
 * @returns nothing when there is no file or no matching line; a warning when others may read the file
 */
export function lookupPgpass(spec: ConnectionSpec, server: HostSpec): PgpassResult {
  const path = spec.params.get('passfile') || join(spec.home, '.pgpass');
  let text: string;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return { warning: `password file ${path} is not a plain file` };
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      return { warning: `password file ${path} is ignored: others may read it; set its mode to 0600` };
    }
    text = readFileSync(path, 'utf8');
  } catch {
    return {};
  }
  // libpq's rule: a socket in the default directory is looked up as localhost.
  const host = server.host === '/tmp' || server.host === '/var/run/postgresql' ? 'localhost' : server.host;
  const wanted = [host, String(server.port), spec.database, spec.user];
  const password = findPassword(text, wanted);
  return password === undefined ? {} : { password };
}

/**
 * The password of the first line whose four fields match.
 * @param wanted host, port, database, user
 */
export function findPassword(text: string, wanted: readonly string[]): string | undefined {
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    const fields = splitFields(line);
    if (fields.length < 5) continue;
    if (wanted.every((value, index) => fields[index]?.raw === '*' || fields[index]?.value === value))
      return fields[4]?.value;
  }
  return undefined;
}

function splitFields(line: string): { raw: string; value: string }[] {
  const fields = [{ raw: '', value: '' }];
  for (let at = 0; at < line.length; at++) {
    const field = fields[fields.length - 1] ?? { raw: '', value: '' };
    const char = line.charAt(at);
    if (char === '\\' && at + 1 < line.length) {
      const next = line.charAt(++at);
      field.raw += char + next;
      field.value += next;
    } else if (char === ':' && fields.length < 5) fields.push({ raw: '', value: '' });
    else {
      field.raw += char;
      field.value += char;
    }
  }
  return fields;
}
