/** `npx tsx bench/plot.ts FILE.json`: draws the curves that `npm run bench -- --json FILE.json` stored, as docs/bench-NAME.svg. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Curve } from './suite/book.ts';
import { drawCurves } from './suite/svg.ts';

const DOCS = join(import.meta.dirname, '../docs');

function main(file: string | undefined): number {
  if (file === undefined) {
    process.stderr.write('plot: name the JSON file of a run\n');
    return 2;
  }
  const { curves } = JSON.parse(readFileSync(file, 'utf8')) as { curves: Curve[] };
  for (const drawing of new Set(curves.map((one) => one.drawing))) {
    const drawn = curves.filter((one) => one.drawing === drawing);
    const [first] = drawn;
    const name = `bench-${drawing}.svg`;
    writeFileSync(join(DOCS, name), drawCurves(first?.what ?? '', first?.across ?? '', drawn));
    process.stdout.write(`docs/${name}\n`);
  }
  return 0;
}

process.exitCode = main(process.argv[2]);
