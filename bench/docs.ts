/** `npx tsx bench/docs.ts`: write the generated parts of docs/commands.md and docs/configuration.md anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fillPage } from './docs/render.ts';

for (const name of ['commands.md', 'configuration.md']) {
  const path = join(import.meta.dirname, '../docs', name);
  writeFileSync(path, fillPage(readFileSync(path, 'utf8')));
}
