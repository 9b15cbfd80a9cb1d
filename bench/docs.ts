/** `npx tsx bench/docs.ts`: write the generated parts of docs/commands.md and docs/configuration.md anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fillRegions } from './docs/render.ts';

for (const name of ['commands.md', 'configuration.md']) {
  const path = join(import.meta.dirname, '../docs', name);
  writeFileSync(path, fillRegions(readFileSync(path, 'utf8')));
}
