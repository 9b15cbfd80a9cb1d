/** Makes sure that dist/ is what src/ says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGE = join(import.meta.dirname, '../..');

/** The built program. */
export const MAIN = join(PACKAGE, 'dist/main.js');

/**
 * Build when dist is missing or older than a source.
 * @returns whether it was built
 * @throws Error when the sources do not compile
 */
export async function buildIfStale(signal: AbortSignal): Promise<boolean> {
  const builtMs = existsSync(MAIN) ? statSync(MAIN).mtimeMs : 0;
  const sources = readdirSync(join(PACKAGE, 'src'), { recursive: true, encoding: 'utf8' }).map((name) =>
    join(PACKAGE, 'src', name),
  );
  const inputs = [...sources, join(PACKAGE, 'tsconfig.json'), join(PACKAGE, 'package-lock.json')];
  if (builtMs > Math.max(...inputs.map((path) => statSync(path).mtimeMs))) return false;
  const child = spawn('npm', ['run', '--silent', 'build'], { cwd: PACKAGE, stdio: 'inherit', signal });
  const [code] = (await once(child, 'close')) as [number | null];
  signal.throwIfAborted();
  if (code !== 0) throw new Error('the sources do not compile');
  return true;
}
