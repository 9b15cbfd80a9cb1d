/**
 * `npm run bench -- [--only subject,…] [--quick] [--rounds N] [--json FILE]`: measures contenders side by side on servers of its own.
 * See bench/README.md for what is measured and how to read it. Exit code 1 when something could not be measured.
 */
import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { buildIfStale } from './demo/fresh-build.ts';
import { capture } from './subjects/capture.ts';
import { compare } from './subjects/compare.ts';
import { copy } from './subjects/copy.ts';
import { drain } from './subjects/drain.ts';
import { latency } from './subjects/latency.ts';
import { processes } from './subjects/processes.ts';
import { steady } from './subjects/steady.ts';
import { Book, medianOf } from './suite/book.ts';
import { tableOf } from './suite/print.ts';
import { query } from './suite/query.ts';
import { type BenchServer, hasPgqExtension, startServer } from './suite/servers.ts';
import type { Subject } from './suite/subject.ts';
import { verdict } from './suite/targets.ts';

const SUBJECTS: readonly Subject[] = [capture, drain, steady, latency, copy, compare, processes];

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const note = (text: string): void => void process.stderr.write(`  ${text}\n`);

async function machine(server: BenchServer): Promise<string> {
  const [row] = await query(server.url('postgres'), `select current_setting('server_version') as version`);
  const cores = cpus();
  return `${cores.length} × ${cores[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB, PostgreSQL ${row?.version}, Node.js ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
}

async function measureAll(
  subjects: readonly Subject[],
  rounds: number,
  quick: boolean,
  json?: string,
): Promise<number> {
  const servers: BenchServer[] = [];
  const book = new Book();
  let code = 0;
  try {
    const [provider, subscriber] = await Promise.all([startServer(), startServer()]);
    servers.push(provider, subscriber);
    const about = await machine(provider);
    say(`${about}; ${rounds} rounds${quick ? ', quick' : ''}`);
    const pgqInstalled = hasPgqExtension();
    if (!pgqInstalled) say("PgQ's C triggers: not installed");
    for (const subject of subjects) {
      const startedMs = Date.now();
      note(subject.name);
      try {
        await subject.measure({ servers: { provider, subscriber }, book, rounds, quick, pgqInstalled, note });
      } catch (error) {
        code = 1;
        say(`${subject.name} failed: ${error instanceof Error ? error.message : String(error)}`);
      }
      say(`\n${tableOf(book, subject.name)}`);
      note(`${subject.name} took ${((Date.now() - startedMs) / 1000).toFixed(0)} s`);
    }
    if (book.entries.some((one) => one.failure !== undefined)) code = 1;
    if (json) {
      const entries = book.entries.map((one) => ({
        ...one,
        median: medianOf(one),
        target: verdict(book, one),
      }));
      writeFileSync(
        json,
        `${JSON.stringify({ machine: about, rounds, quick, entries, curves: book.curves }, null, 2)}\n`,
      );
    }
    return code;
  } finally {
    await Promise.all(servers.map((one) => one.destroy()));
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const names = values.only?.split(',');
  const unknown = names?.find((name) => !SUBJECTS.some((one) => one.name === name));
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  if (unknown !== undefined || !Number.isInteger(rounds) || rounds < 1) {
    note(
      unknown === undefined
        ? '--rounds takes a number from 1'
        : `no subject ${unknown}; there are ${SUBJECTS.map((one) => one.name).join(', ')}`,
    );
    return 2;
  }
  await buildIfStale(new AbortController().signal);
  return measureAll(
    SUBJECTS.filter((one) => names?.includes(one.name) ?? true),
    rounds,
    values.quick,
    values.json,
  );
}

process.exitCode = await main();
