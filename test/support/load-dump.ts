/** Loads a plain pg_dump file, COPY blocks included, without psql. */
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** Run the dump over one connection. */
export async function loadDump(client: pg.Client, path: string): Promise<void> {
  let statements: string[] = [];
  let rows: string[] | undefined;
  const flush = async (): Promise<void> => {
    const text = statements.filter((line) => !line.startsWith('\\')).join('\n');
    statements = [];
    if (text.trim() !== '') await client.query(text);
  };
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (rows) {
      if (line !== '\\.') {
        rows.push(`${line}\n`);
        continue;
      }
      const copy = statements.join('\n').replace(/;\s*$/, '');
      statements = [];
      const data = rows;
      rows = undefined;
      await new Promise<void>((resolve, reject) => {
        const stream = client.query(copyFrom(copy));
        stream.on('error', reject).on('finish', resolve);
        stream.end(data.join(''));
      });
    } else if (/^COPY .* FROM stdin;$/i.test(line)) {
      await flush();
      statements.push(line);
      rows = [];
    } else statements.push(line);
  }
  await flush();
}
