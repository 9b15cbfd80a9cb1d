/** `--set key=value` pairs. */
import { UsageError } from '../errors/kaja-error.ts';

/**
 * Parse the pairs; the last of one key wins.
 * @throws UsageError for a pair without `=`
 */
export function parseOverrides(pairs: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(equals, 0)).trim().toLowerCase();
    if (key === '') throw new UsageError('--set needs key=value');
    found.set(key, pair.slice(equals + 1).trim());
  }
  return found;
}
