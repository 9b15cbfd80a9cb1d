/** Where this package lies and which version it is, both when run from source and when installed. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KajaError } from '../../errors/kaja-error.ts';

/** Folder with `migrations/` and `sql/`, found upwards from this file. */
export function packageRoot(): string {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    if (existsSync(join(at, 'migrations')) && existsSync(join(at, 'package.json'))) return at;
    if (at === dirname(at))
      throw new KajaError('internal', 'the SQL files of this program are missing, reinstall it');
  }
}

/** The version in package.json. */
export function packageVersion(): string {
  const text = readFileSync(join(packageRoot(), 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
