/**
 * `npm run bench`: measures contenders side by side on servers of its own.
 * See bench/README.md for the options, what is measured and how to read it. Exit code 1 when something could not be measured.
 */
import { cpus, totalmem } from 'node:os';
import { buildIfStale } from './demo/fresh-build.ts';
import { big } from './subjects/big.ts';
import { capture } from './subjects/capture.ts';
import { compare } from './subjects/compare.ts';
import { copy } from './subjects/copy.ts';
import { drain } from './subjects/drain.ts';
import { latency } from './subjects/latency.ts';
import { mixes } from './subjects/mixes.ts';
import { processes } from './subjects/processes.ts';
import { queue } from './subjects/queue.ts';
import { steady } from './subjects/steady.ts';
import { subscribers } from './subjects/subscribers.ts';
import { tables } from './subjects/tables.ts';
import { Book } from './suite/book.ts';
import { hasLondiste } from './suite/londiste-site.ts';
import { type Options, readOptions } from './suite/options.ts';
import { tableOf } from './suite/print.ts';
import { killAllPrograms } from './suite/programs.ts';
import { query } from './suite/query.ts';
import { type BenchServer, hasPgqExtension, startServer } from './suite/servers.ts';
import type { ContenderName, Servers } from './suite/site.ts';
import { storeJson, storeMarkdown } from './suite/store.ts';
import type { Subject } from './suite/subject.ts';

const SUBJECTS: readonly Subject[] = [
  capture,
  drain,
  mixes,
  big,
  queue,
  steady,
  latency,
  copy,
  compare,
  processes,
  tables,
  subscribers,
];

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const note = (text: string): void =>
  void process.stderr.write(`${performance.now().toFixed(0).padStart(8)} ms  ${text}\n`);

async function describe(server: BenchServer, { quick, large, rounds }: Options): Promise<string> {
  const [row] = await query(server.url('postgres'), `select current_setting('server_version') as version`);
  const cores = cpus();
  return [
    `${cores.length} × ${cores[0]?.model ?? 'unknown processor'}`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `PostgreSQL ${row?.version}`,
    `Node.js ${process.version}`,
    `${new Date().toISOString().slice(0, 10)}; ${rounds} ${rounds === 1 ? 'round' : 'rounds'}${quick ? ', quick' : ''}${large ? ', with the largest cases' : ''}`,
  ].join(', ');
}

/** Whether a contender is installed; the extensions are those of Debian's packages. */
function isInstalled(name: ContenderName): boolean {
  if (name === 'pgq-c') return hasPgqExtension();
  return name !== 'londiste' || hasLondiste();
}

/** Measure one subject. @returns false when it failed */
async function measure(subject: Subject, servers: Servers, book: Book, options: Options): Promise<boolean> {
  const startedMs = Date.now();
  const has = (name: ContenderName): boolean => options.contenders.includes(name) && isInstalled(name);
  const { rounds, quick, large, chosen, minutes, rates } = options;
  note(subject.name);
  try {
    await subject.measure({ servers, book, rounds, quick, large, chosen, minutes, rates, has, note });
    return true;
  } catch (error) {
    say(`${subject.name} failed: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  } finally {
    say(`\n${tableOf(book, subject.name)}`);
    note(`${subject.name} took ${((Date.now() - startedMs) / 1000).toFixed(0)} s`);
  }
}

async function measureAll(options: Options): Promise<number> {
  const started: BenchServer[] = [];
  const book = new Book();
  try {
    const [provider, subscriber] = await Promise.all([startServer(), startServer()]);
    started.push(provider, subscriber);
    let interrupted = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        interrupted = true;
        void leave(started);
      });
    const about = await describe(provider, options);
    say(about);
    const missing = options.contenders.filter((name) => !isInstalled(name));
    if (missing.length > 0) say(`not installed here: ${missing.join(', ')}`);
    const servers = { provider, subscriber, hurry: options.quick };
    const measured: string[] = [];
    let good = true;
    for (const subject of SUBJECTS.filter(({ name }) => options.only.includes(name))) {
      if (interrupted) break;
      good = (await measure(subject, servers, book, options)) && good;
      measured.push(subject.name);
      // After each subject, so that an interrupted run has left what it knows.
      const report = { book, about, subjects: measured };
      if (options.json !== undefined) storeJson(options.json, report);
      if (options.markdown !== undefined) storeMarkdown(options.markdown, report);
    }
    return good && book.entries.every((one) => one.failure === undefined) ? 0 : 1;
  } finally {
    // Those of sites that could not be opened.
    killAllPrograms();
    await Promise.all(started.map((one) => one.destroy()));
  }
}

/** Interrupted: leave nothing behind. */
async function leave(started: readonly BenchServer[]): Promise<void> {
  killAllPrograms();
  await Promise.allSettled(started.map((one) => one.destroy()));
  process.exit(1);
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(SUBJECTS.map(({ name }) => name));
  } catch (error) {
    note(error instanceof Error ? error.message : String(error));
    return 2;
  }
  await buildIfStale(new AbortController().signal);
  return measureAll(options);
}

process.exitCode = await main();
