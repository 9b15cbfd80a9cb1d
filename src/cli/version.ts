/** The version of this package. */
import { readFileSync } from 'node:fs';

/** `0.1.0`, from package.json, which lies above src/ and above dist/. */
export function kajaVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
