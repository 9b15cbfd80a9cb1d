/** Passwords stay where they were given. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { killLeftOvers, startKaja } from '../support/kaja-process.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'kaja-secrets-'));
});
afterEach(killLeftOvers);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it.runIf(existsSync('/proc/self/cmdline'))('takes passwords out of the list of processes', async () => {
  const ini = join(dir, 'pgqd.ini');
  writeFileSync(ini, '[pgqd]\ndatabase_list = shop\n');
  const ticker = startKaja('ticker', ini, '--set', 'base_connstr=host=127.0.0.1 port=1 password=hunter2');
  const commandLine = (): string => readFileSync(`/proc/${ticker.pid}/cmdline`, 'utf8');
  await eventually(commandLine, (text) => text.includes('password=***'), { timeoutMs: 30_000 });
  expect(commandLine()).not.toContain('hunter2');
  ticker.signal('SIGTERM');
  expect((await ticker.ended()).err).not.toContain('hunter2');
});
