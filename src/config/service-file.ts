/** Service files of libpq: named groups of connection parameters. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkConnectionKey, locationError } from './connection-keys.ts';
import type { Environment } from './connection-spec.ts';

/**
 * Find a service: in `servicefile=`, PGSERVICEFILE or ~/.pg_service.conf, then in PGSYSCONFDIR/pg_service.conf.
 * @param name section of the file
 * @throws ConfigError when no file has it, or a line is wrong
 */
export function readService(
  name: string,
  env: Environment,
  home: string,
  given?: string,
): Map<string, string> {
  const own = given || env.PGSERVICEFILE || join(home, '.pg_service.conf');
  const system = join(env.PGSYSCONFDIR ?? '/etc/postgresql-common', 'pg_service.conf');
  for (const path of [own, system]) {
    if (!existsSync(path)) continue;
    const found = parseServiceFile(readFileSync(path, 'utf8'), name, path);
    if (found) return found;
  }
  throw locationError(`service "${name}" is defined neither in ${own} nor in ${system}`);
}

/**
 * Parse one service file.
 * @param text content
 * @returns the parameters of the section, undefined when it is absent
 * @throws ConfigError naming file and line
 */
export function parseServiceFile(text: string, name: string, path: string): Map<string, string> | undefined {
  let found: Map<string, string> | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (line.startsWith('[')) {
      if (found) break;
      if (line === `[${name}]`) found = new Map();
      continue;
    }
    if (!found) continue;
    const where = `${path}:${index + 1}`;
    const equals = line.indexOf('=');
    if (equals < 0) throw locationError(`${where}: "=" is missing`);
    const key = line.slice(0, equals).trim();
    checkConnectionKey(key, where);
    if (key === 'service') throw locationError(`${where}: a service cannot name another service`);
    if (!found.has(key)) found.set(key, line.slice(equals + 1).trim());
  }
  return found;
}
