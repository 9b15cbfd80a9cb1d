/** `npx tsx bench/plot.ts FILE.json`: draws the curves that `npm run bench -- --json FILE.json` stored into docs/, one SVG per case. */
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
  for (const what of new Set(curves.map((one) => one.what))) {
    const drawn = curves.filter((one) => one.what === what);
    const name = `bench-${drawn[0]?.subject}-${what.replaceAll(/\W+/g, '-')}.svg`;
    const drawing = drawCurves(what, drawn[0]?.across ?? '', drawn);
    writeFileSync(join(DOCS, name), drawing);
    process.stdout.write(`docs/${name}\n`);
  }
  return 0;
}

process.exitCode = main(process.argv[2]);
