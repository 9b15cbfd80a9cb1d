/** What `npm pack` ships is complete: it runs away from the checkout with nothing but its declared dependencies. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from '../support/database.ts';

const root = join(import.meta.dirname, '..', '..');
const SOURCES = [
  'src',
  'sql',
  'migrations',
  'ini-samples',
  'package.json',
  'tsconfig.json',
  'LICENSE',
  'README.md',
  'test',
  'docs',
];

const asUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
/** Module to import first: names everything that is loaded later, on stderr. */
const LIST_LOADED = asUrl(`
  import { register } from 'node:module';
  register(${JSON.stringify(asUrl('export const load = (url, context, next) => { process._rawDebug(url); return next(url, context); }'))});
  process.on('exit', () => {
    if (process.moduleLoadList.some((one) => one.includes('undici'))) process._rawDebug('fetch is here');
  });
`);

interface Lock {
  packages: Record<string, { dev?: boolean; optional?: boolean }>;
}

describe('the packed program', () => {
  let dir: string;
  let installed: string;
  const run = promisify(execFile);
  const kaja = (...words: string[]): Promise<{ stdout: string; stderr: string }> =>
    run(join(installed, 'dist', 'main.js'), words, { cwd: dir, maxBuffer: 10_000_000 });

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'kaja-pack-'));
    // Packing builds; a copy keeps the checkout's dist as it is.
    const copy = join(dir, 'checkout');
    for (const one of SOURCES)
      if (existsSync(join(root, one))) cpSync(join(root, one), join(copy, one), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const packed = spawnSync('npm', ['pack', '--offline', '--pack-destination', dir], {
      cwd: copy,
      encoding: 'utf8',
    });
    if (packed.status !== 0) throw new Error(`npm pack failed: ${packed.stdout}${packed.stderr}`);
    const tarball = readdirSync(dir).find((file) => file.endsWith('.tgz'));
    if (!tarball) throw new Error('npm pack made no tarball');
    installed = join(dir, 'app', 'node_modules', 'kaja');
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', join(dir, tarball), '-C', installed, '--strip-components=1']);
    linkDependencies(join(dir, 'app'));
  }, 180_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** As `npm install --omit=dev` would, without a registry: only packages that are not devDependencies. */
  function linkDependencies(app: string): void {
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
    for (const [path, entry] of Object.entries(lock.packages)) {
      const nested = path.lastIndexOf('node_modules/') > 0;
      if (!path || nested || entry.dev || !existsSync(join(root, path))) continue;
      mkdirSync(dirname(join(app, path)), { recursive: true });
      symlinkSync(join(root, path), join(app, path));
    }
  }

  it('says its version and its help', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect((await kaja('--version')).stdout).toContain(version);
    expect((await kaja('--help')).stdout).toContain('install');
  });

  it('loads for a command what that command needs, not more', async () => {
    const ini = join(dir, 'nowhere.ini');
    writeFileSync(ini, '[londiste]\ndb = host=127.0.0.1 port=1 dbname=x\nqueue_name = q\n');
    const loaded = (...words: string[]): string =>
      spawnSync(process.execPath, ['--import', LIST_LOADED, join(installed, 'dist', 'main.js'), ...words], {
        encoding: 'utf8',
      }).stderr;
    const status = loaded(ini, 'status');
    expect(status).toContain('cannot connect');
    expect(status).toContain('/commands/status.js');
    expect(status).not.toMatch(/\/commands\/(worker|compare|add-table)\.js|kysely|node-cron|fetch is here/);
    expect(loaded('--version')).not.toMatch(/\/commands\/status\.js|node_modules\/(pg|pino)\b/);
    expect(loaded('--help')).toContain('/commands/worker.js');
  });

  it('carries no tests, sources or source maps', () => {
    expect(
      readdirSync(installed)
        .filter((file) => !['README.md', 'LICENSE', 'package.json'].includes(file))
        .sort(),
    ).toEqual(['dist', 'ini-samples', 'migrations', 'sql']);
    expect(
      readdirSync(join(installed, 'dist'), { recursive: true }).filter((file) =>
        String(file).endsWith('.map'),
      ),
    ).toEqual([]);
  });

  it('finds its SQL files and installs a database', async () => {
    expect((await kaja('sql')).stdout).toContain('migrations/0001_pgq.sql');
    const db = await createDatabase({ install: false });
    try {
      expect((await kaja('install', db.url)).stdout).toMatch(/migration 0001_pgq\n[\s\S]*is ready/);
      expect((await kaja('install', db.url)).stdout).toContain('up to date');
      expect(JSON.parse((await kaja('install', '--json', '--dry-run', db.url)).stdout)).toEqual([]);
      expect((await kaja('uninstall', db.url)).stdout).toContain('is removed');
      expect(await db.sql(`select 1 from pg_namespace where nspname in ('pgq', 'kaja')`)).toEqual([]);
    } finally {
      await db.drop();
    }
  });

  it('ends with the exit code of the failure and one line', async () => {
    const failed = await kaja('install', 'postgres://u:s3cret@127.0.0.1:1/x').catch(
      (error: unknown) => error,
    );
    expect(failed).toMatchObject({ code: 4, stdout: '' });
    const { stderr } = failed as { stderr: string };
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain('cannot connect to x at 127.0.0.1:1');
    expect(stderr).not.toContain('s3cret');
  });
});
