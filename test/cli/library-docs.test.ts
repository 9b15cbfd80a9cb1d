/** docs/library.md is true: its programs compile under strict rules against the built package, and do what the page says. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { startTicking, type Ticking } from '../support/ticking.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

describe('docs/library.md', () => {
  let dir: string;
  let shop: TestDatabase;
  let stats: TestDatabase;
  let ticking: Ticking;
  const running = new Set<ChildProcess>();
  const tsc = (...words: string[]): Promise<unknown> =>
    run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...words], { cwd: dir }).catch(
      (error: { stdout?: string }) => {
        throw new Error(error.stdout);
      },
    );
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kaja-library-'));
    const kaja = join(dir, 'node_modules/kaja');
    mkdirSync(join(dir, 'node_modules/@types'), { recursive: true });
    mkdirSync(kaja);
    await tsc('-p', join(root, 'tsconfig.json'), '--outDir', join(kaja, 'dist'));
    for (const one of ['package.json', 'sql', 'migrations'])
      cpSync(join(root, one), join(kaja, one), { recursive: true });
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object };
    // What a newcomer installs beside it: pg and the types.
    for (const name of [
      ...Object.keys(manifest.dependencies),
      '@types/node',
      '@types/pg',
      'undici-types',
      'pg-types',
      'pg-protocol',
    ])
      if (existsSync(join(root, 'node_modules', name)))
        symlinkSync(join(root, 'node_modules', name), join(dir, 'node_modules', name));
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
    writeFileSync(
      join(dir, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noUncheckedIndexedAccess: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck: false,
          preserveSymlinks: true,
          module: 'nodenext',
          target: 'es2022',
          lib: ['es2022'],
          types: ['node'],
        },
      }),
    );
    const page = readFileSync(join(root, 'docs/library.md'), 'utf8');
    for (const [, body = '', name = ''] of page.matchAll(/^```ts\n(\/\/ (\S+)\n.*?)^```/gms))
      writeFileSync(join(dir, name), body);
    [shop, stats] = await Promise.all([createDatabase({ server: 0 }), createDatabase({ server: -1 })]);
    await shop.sql('create table orders (id int generated always as identity, item text)');
    await stats.sql('create table order_log (id int, item text)');
    ticking = await startTicking(shop.url);
  }, 120_000);
  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL');
    await ticking?.stop();
    await Promise.all([shop?.drop(), stats?.drop()]);
    rmSync(dir, { recursive: true, force: true });
  });

  const start = (name: string): { child: ChildProcess; out: () => string; ended: Promise<unknown> } => {
    const env = { ...process.env, SHOP: shop.url, SHOP_URL: shop.url, STATS: stats.url };
    const child = spawn(process.execPath, [`${name}.js`], {
      cwd: dir,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let out = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        out += chunk.toString();
      });
    const ended = new Promise((resolve) =>
      child.once('close', (code, signal) => {
        running.delete(child);
        resolve(code ?? signal);
      }),
    );
    return { child, out: () => out, ended };
  };
  const finish = async (name: string): Promise<string> => {
    const program = start(name);
    expect(await program.ended, program.out()).toBe(0);
    return program.out();
  };

  it('compiles, runs, and does what it says', { timeout: 180_000 }, async () => {
    await tsc('-p', '.');
    expect(await finish('produce')).toBe('order 1 placed, event bigint\n3 reminders produced\n');
    const consumers = ['consume', 'iterate', 'copy'].map(start);
    const [mailer, auditor, copier] = consumers as [
      ReturnType<typeof start>,
      ReturnType<typeof start>,
      ReturnType<typeof start>,
    ];
    await eventually(
      async () => (await shop.sql('select consumer_name from pgq.get_consumer_info()')).length,
      (count) => count === 3,
      { timeoutMs: 30_000 },
    );
    expect(await finish('produce')).toMatch(/^order 2 placed/);
    await eventually(mailer.out, (text) => text === 'mail about order 2\n');
    await eventually(copier.out, (text) => text === 'order 2 copied\n');
    expect(await auditor.ended).toBe(0);
    expect(auditor.out().split('\n').slice(0, 2)).toEqual([
      'order.placed: {"id":2,"item":"bicycle"}',
      'reminder: {"day":1}',
    ]);
    await shop.sql(`select pgq.insert_event('orders', 'order.placed', '{"id": 3, "item": "unicorn"}')`);
    await eventually(
      async () => (await shop.sql('select 1 from kaja.dead_letter')).length,
      (count) => count === 1,
    );
    expect(await finish('dead')).toBe('3 deliveries: nobody sells a unicorn\n1 replayed\n');
    mailer.child.kill('SIGTERM');
    expect(await mailer.ended).toBe(0);
    expect(mailer.out()).toMatch(/\nstopped\n$/);
    await eventually(copier.out, (text) => text.endsWith('order 3 copied\n'));
    copier.child.kill('SIGTERM');
    expect(await copier.ended).toBe(0);
    expect(await stats.sql('select id, item from order_log order by id')).toEqual([
      { id: 2, item: 'bicycle' },
      { id: 3, item: 'unicorn' },
    ]);
  });
});
