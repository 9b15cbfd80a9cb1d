/** Writing transactions at full speed: by pgbench where it is installed, else by the driver. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from '../demo/connect.ts';

const execFileAsync = promisify(execFile);

/** Statements in which `:userid` is a random number up to `users`; each is a transaction. */
export interface Script {
  readonly users: number;
  readonly statements: readonly string[];
}

/** How long a load goes on. */
export type Until = { readonly transactions: number } | { readonly seconds: number };

const hasPgbench = (() => {
  try {
    execFileSync('pgbench', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/**
 * Run a script on `clients` connections with prepared statements.
 * @param until transactions (of each client) or seconds
 * @param options settings for the connections, for example `-c synchronous_commit=off`
 * @returns scripts per second
 */
export async function runLoad(
  url: string,
  script: Script,
  clients: number,
  until: Until,
  options = '',
): Promise<number> {
  return hasPgbench
    ? pgbench(url, script, clients, until, options)
    : driver(url, script, clients, until, options);
}

async function pgbench(
  url: string,
  script: Script,
  clients: number,
  until: Until,
  options: string,
): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'kaja-pgbench-'));
  try {
    const file = join(dir, 'script.sql');
    writeFileSync(
      file,
      `\\set userid random(1,${script.users})\n${script.statements.map((one) => `${one};\n`).join('')}`,
    );
    const limit = 'seconds' in until ? ['-T', String(until.seconds)] : ['-t', String(until.transactions)];
    const { stdout } = await execFileAsync(
      'pgbench',
      [
        '-n',
        '-M',
        'prepared',
        '-f',
        file,
        '-c',
        String(clients),
        '-j',
        String(Math.min(clients, 2)),
        ...limit,
        url,
      ],
      { env: { ...process.env, PGOPTIONS: options } },
    );
    return Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function driver(
  url: string,
  script: Script,
  clients: number,
  until: Until,
  options: string,
): Promise<number> {
  const withOptions = options ? `${url}?options=${encodeURIComponent(options)}` : url;
  const startedMs = performance.now();
  const goesOn = (done: number): boolean =>
    'seconds' in until ? performance.now() - startedMs < until.seconds * 1000 : done < until.transactions;
  const work = async (): Promise<number> => {
    const client = await connect(withOptions);
    try {
      let done = 0;
      for (; goesOn(done); done++) {
        const user = 1 + Math.floor(Math.random() * script.users);
        for (const [at, text] of script.statements.entries())
          await client.query({ name: `s${at}`, text: text.replaceAll(':userid', '$1'), values: [user] });
      }
      return done;
    } finally {
      await client.end();
    }
  };
  const done = await Promise.all(Array.from({ length: clients }, work));
  return done.reduce((sum, one) => sum + one, 0) / ((performance.now() - startedMs) / 1000);
}
