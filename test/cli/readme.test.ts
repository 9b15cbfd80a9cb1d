/** README.md's section "The same by hand" works as written, and its outputs are what the program prints. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
/** Port in the README → server of the test run. */
const PORTS: Readonly<Record<string, URL>> = {
  5432: new URL(inject('servers')[0] ?? ''),
  5433: new URL(inject('servers').at(-1) ?? ''),
};
const ELLIPSIS = '…';

interface Block {
  readonly language: string;
  readonly lines: readonly string[];
}

/** Fenced blocks of a section, in order. */
function blocksOf(page: string, heading: string): Block[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return [...section.matchAll(/^```(\w+)\n(.*?)^```/gms)].map((match) => ({
    language: match[1] ?? '',
    lines: (match[2] ?? '').trimEnd().split('\n'),
  }));
}

/** Commands of a console block with the output that is said to follow. */
function commandsOf(lines: readonly string[]): { command: string; output: string[] }[] {
  const found: { command: string; output: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith('$ ')) found.push({ command: line.slice(2), output: [] });
    else found.at(-1)?.output.push(line);
  }
  return found;
}

/** What stays the same from run to run: no times, process numbers, ticks, checksums. */
const essence = (line: string): string =>
  line
    .replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ /, '')
    .replace(/checksum=[0-9a-f]+/, 'checksum=#')
    .replace(/(tick:? (?:> )?|Lag: |Tick: |sent to |stood for )[0-9.]+/gi, '$1#')
    .trimEnd();

/** The claimed lines stand in the real output in this order, without gaps but for an ellipsis. */
function expectOutput(claimed: readonly string[], real: string, command: string): void {
  const lines = real.split('\n').map(essence);
  let at = 0;
  let gap = false;
  for (const claim of claimed) {
    if (claim === ELLIPSIS) {
      gap = true;
      continue;
    }
    const found = lines.indexOf(essence(claim), at);
    const fits = found >= 0 && (gap || found === at);
    expect(fits, `${command}: "${claim}" is not at its place in:\n${real}`).toBe(true);
    at = found + 1;
    gap = false;
  }
}

let dir: string;

async function runSql(lines: readonly string[]): Promise<void> {
  const where = /^-- server (\d), database (\w+), as (\w+)$/.exec(lines[0] ?? '');
  expect(where, lines[0]).not.toBeNull();
  const url = new URL(PORTS[where?.[1] === '1' ? 5432 : 5433]?.href ?? '');
  url.pathname = `/${where?.[2]}`;
  if (where?.[3] !== 'postgres') url.username = where?.[3] ?? '';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    for (const statement of lines.slice(1).join('\n').split(';'))
      if (statement.trim() !== '') await client.query(statement);
  } finally {
    await client.end();
  }
}

const withPorts = (text: string): string =>
  text.replace(/port=(\d+)/g, (_, port: string) => `port=${PORTS[port]?.port}`);

/** Output of a shell command, stdout and stderr as a terminal shows them. */
const shell = (command: string): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    execFile(
      'sh',
      ['-c', `{ ${command}\n} 2>&1`],
      { cwd: dir, env: { ...process.env, PATH: `${join(dir, 'bin')}${delimiter}${process.env.PATH}` } },
      (error, stdout) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, output: stdout }),
    );
  });

async function dropEverything(): Promise<void> {
  for (const [port, database] of [
    [5432, 'shop'],
    [5433, 'shop_copy'],
  ] as const) {
    const client = new pg.Client({ connectionString: PORTS[port]?.href });
    await client.connect();
    await client.query(`drop database if exists ${database} with (force)`);
    await client.query('drop role if exists shop');
    await client.end();
  }
}

/* A single server was given by the user: databases named shop may be theirs, and both ports would be the same. */
describe.skipIf(inject('servers').length < 2)('README by hand', () => {
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kaja-readme-'));
    mkdirSync(join(dir, 'bin'));
    const tsx = import.meta.resolve('tsx');
    const program = `#!/bin/sh\nexec '${process.execPath}' --import '${tsx}' '${join(root, 'src/main.ts')}' "$@"\n`;
    writeFileSync(join(dir, 'bin/kaja'), program, { mode: 0o755 });
    await dropEverything();
  });

  afterAll(async () => {
    await shell('kaja -k --set pidfile=kaja.pid');
    await dropEverything();
    rmSync(dir, { recursive: true, force: true });
  });

  it('runs as written', { timeout: 180_000 }, async () => {
    const blocks = blocksOf(readFileSync(join(root, 'README.md'), 'utf8'), 'The same by hand');
    const ran: string[] = [];
    for (const { language, lines } of blocks) {
      if (language === 'sql') await runSql(lines);
      else if (language === 'ini') {
        const name = /^; (\S+\.ini)$/.exec(lines[0] ?? '')?.[1] ?? '';
        writeFileSync(join(dir, name), withPorts(`${lines.join('\n')}\n`));
      } else if (language === 'console') {
        for (const { command, output } of commandsOf(lines)) {
          const result = await shell(command);
          expect(result.code, `${command}\n${result.output}`).toBe(0);
          expectOutput(output, result.output, command);
          ran.push(/^kaja (?:\S+\.ini )?(\S+)/.exec(command)?.[1] ?? command);
        }
      }
    }
    expect(ran).toEqual(
      expect.arrayContaining([
        'create-root',
        'create-leaf',
        'run',
        'add-table',
        'status',
        'compare',
        'repair',
      ]),
    );
  });
});
