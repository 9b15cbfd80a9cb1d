import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../../../src/cli/run-program.ts';
import { fixtureCommands } from '../../support/cli-fixture.ts';

let dir: string;
let ini: string;
let pgqd: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'kaja-cli-'));
  ini = join(dir, 'shop.ini');
  pgqd = join(dir, 'pgqd.ini');
  writeFileSync(ini, '[londiste]\ndb = dbname=shop\nqueue_name = q\n');
  writeFileSync(pgqd, '[pgqd]\n');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function kaja(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runProgram(argv, fixtureCommands, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    onKill: () => {},
  });
  return { code, out, err };
}
const json = async (...argv: string[]): Promise<unknown> => {
  const { code, out, err } = await kaja(...argv);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
};

describe('grammar', () => {
  it('takes options anywhere, in every spelling', async () => {
    const expected = {
      args: ['public.a', 'public.b'],
      all: true,
      waitSync: true,
      destTable: 'x',
      verbosity: 2,
      db: 'dbname=other',
      triggers: false,
    };
    const spellings = [
      [
        '--all',
        '-vv',
        ini,
        '--set',
        'db=dbname=other',
        'add-table',
        'public.a',
        '--dest-table=x',
        'public.b',
        '--wait-sync',
        '--no-triggers',
      ],
      [
        ini,
        'add-table',
        'public.a',
        'public.b',
        '-v',
        '-v',
        '--dest-table',
        'x',
        '--al',
        '--wait',
        '--no-trig',
        '--set=db=dbname=other',
      ],
      [
        'add-table',
        '--dest',
        'x',
        ini,
        'public.a',
        '--all',
        '--wait-sync',
        '--set',
        'db=dbname=other',
        '-vv',
        '--no-triggers',
        '--',
        'public.b',
      ],
    ];
    for (const words of spellings) {
      const { out, code } = await kaja(...words);
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject(expected);
    }
  });

  it('collects repeated options', async () => {
    expect(
      await json(ini, 'add-table', '--trigger-arg=backup', 'a.b', '--trigger-arg', 'ignore=c'),
    ).toMatchObject({
      triggerArgs: ['backup', 'ignore=c'],
      args: ['a.b'],
      triggers: true,
    });
  });

  it('takes commands without ini, with ini as argument, and the ticker either way round', async () => {
    expect(await kaja('queue', 'dbname=x', 'list', '--force')).toEqual({
      code: 6,
      out: 'dbname=x|list\n',
      err: '',
    });
    expect((await kaja('doctor', ini, pgqd)).out).toBe(`${ini}|${pgqd}\n`);
    expect((await kaja(ini, 'doctor', pgqd)).out).toBe(`${ini}|${pgqd}\n`);
    expect((await kaja('ticker', pgqd)).out).toBe('ticks every 100 ms\n');
    expect((await kaja(pgqd, 'ticker', '--set', 'ticker_max_period=2')).out).toBe('ticks every 2000 ms\n');
  });

  it.each<[string[], number, string]>([
    [[], 2, 'kaja: need config file and command; use --help for help\n'],
    [['x.ini'], 2, 'kaja: need command; use --help for help\n'],
    [['x.ini', 'add-tabel'], 2, "kaja: unknown command 'add-tabel'; did you mean add-table?\n"],
    [['qeue'], 2, "kaja: unknown command 'qeue'; did you mean queue?\n"],
    [['add-table'], 2, 'kaja: need config file: kaja CONFIG.ini add-table; see kaja --help\n'],
    [['no.ini', 'add-table'], 3, 'kaja: config file not found: no.ini; kaja --ini prints a sample\n'],
    [
      ['x.ini', 'add-table', '--dest-tabel=x'],
      2,
      "kaja: unknown option '--dest-tabel=x'; did you mean --dest-table?\n",
    ],
    [['x.ini', 'tables', '--force'], 2, "kaja: unknown option '--force'; see kaja tables --help\n"],
    [['queue'], 2, "kaja: missing required argument 'dsn'; see kaja queue --help\n"],
    [
      ['x.ini', 'tables', 'a', 'b'],
      2,
      'kaja: too many arguments. Expected 0 arguments but got 2; see kaja tables --help\n',
    ],
    [['--set', 'x', '--ini'], 2, 'kaja: --set needs key=value; see kaja --help\n'],
    [['-s'], 2, 'kaja: need config file; give the one whose pidfile counts, as in kaja -s CONFIG.ini\n'],
    [['-s', '-k', 'x.ini'], 2, 'kaja: only one of -r, -s, -k can be given; see kaja --help\n'],
    [['-s', 'no.ini'], 3, 'kaja: config file not found: no.ini; kaja --ini prints a sample\n'],
  ])('answers %j with exit code %i and one line', async (words, code, line) => {
    expect(await kaja(...words)).toEqual({ code, out: '', err: line });
  });

  it('names file and line of a wrong ini', async () => {
    const bad = join(dir, 'bad.ini');
    writeFileSync(bad, '[londiste]\ndb = dbname=x\nqueue_nmae = q\n');
    expect(await kaja(bad, 'tables')).toEqual({
      code: 3,
      out: '',
      err: `kaja: ${bad}:3: unknown key "queue_nmae" in [londiste]; did you mean queue_name?\n`,
    });
  });

  it('refuses an unknown KAJA_FAILPOINT', async () => {
    let err = '';
    const io = {
      stdout: { write: () => {} },
      stderr: { write: (text: string) => (err += text) },
      env: { KAJA_FAILPOINT: 'nope' },
      onKill: () => {},
    };
    expect(await runProgram(['--version'], fixtureCommands, io)).toBe(3);
    expect(err).toContain('KAJA_FAILPOINT=nope');
  });
});

describe('advice', () => {
  it('tells commands of Londiste that are missing from misspelt ones', async () => {
    expect((await kaja(ini, 'takeover', 'n1')).err).toBe(
      'kaja: takeover is not in this version; use --help for help\n',
    );
    expect((await kaja(ini, 'tabels')).err).toContain('did you mean tables?');
  });

  it('says what is wrong with a file', async () => {
    expect((await kaja('', 'tables')).err).toMatch(/^kaja: config file not found: ''; /);
    expect((await kaja(dir, 'tables')).err).toMatch(/^kaja: config file is a directory: \//);
  });
});

describe('answers without a command', () => {
  it('prints version, sample inis and help', async () => {
    expect((await kaja('--version')).out).toMatch(/^kaja \d+\.\d+\.\d+\n$/);
    expect((await kaja('-V', ini, 'tables')).out).toMatch(/^kaja /);
    expect((await kaja('--ini')).out).toMatch(/^\[londiste\]\n/);
    expect((await kaja('--ini', '--set', 'queue_name=mine')).out).toMatch(/^queue_name = mine$/m);
    expect((await kaja('ticker', '--ini')).out).toMatch(/^\[pgqd\]\n/);
    const help = (await kaja('--help')).out;
    for (const command of await fixtureCommands.all()) expect(help).toContain(`  ${command.name}`);
    expect(help).toContain('kaja [options] CONFIG.ini COMMAND [args]');
    expect((await kaja('help')).out).toBe(help);
    expect((await kaja('--version', '--help')).out).toBe(help);
  });

  it('prints help of a command from every direction', async () => {
    const { out, code } = await kaja('add-table', '--help');
    expect(code).toBe(0);
    expect(out).toContain('Usage: kaja CONFIG.ini add-table [options] [table...]');
    expect(out).toContain('--dest-table <name>');
    expect(out).toContain('--set <key=value>');
    expect(out).toContain('More about tables.');
    for (const words of [
      ['x.ini', 'add-table', '--help'],
      ['-h', ini, 'add-table'],
      ['help', 'add-table'],
      [ini, 'add-table', '-vh'],
    ]) {
      expect((await kaja(...words)).out).toBe(out);
    }
    expect((await kaja('add-tabel', '--help')).err).toContain('did you mean add-table?');
  });

  it('says that there is nobody to signal, with exit code 0', async () => {
    expect(await kaja('-s', ini)).toEqual({ code: 0, out: '', err: 'No pidfile in config, nothing to do\n' });
    expect(await kaja('-k', pgqd, '--set', `pidfile=${dir}/none.pid`)).toEqual({
      code: 0,
      out: '',
      err: 'No pidfile, process not running\n',
    });
  });

  it('takes the pidfile of --set, with the files of a set or without any', async () => {
    const given = ['--set', `pidfile=${dir}/none.pid`];
    const nobody = { code: 0, out: '', err: 'No pidfile, process not running\n' };
    expect(await kaja('-s', ...given)).toEqual(nobody);
    expect(await kaja('-s', ...given, ini, pgqd)).toEqual(nobody);
    expect(await kaja('doctor', '-s', ...given, ini)).toEqual(nobody);
  });
});

describe('results and failures', () => {
  it("prints tables in Londiste's look or as JSON", async () => {
    expect((await kaja(ini, 'tables')).out).toBe(
      [
        'Tables on node',
        'table_name                 merge_state      n',
        '-------------------------  ---------------  ---------------',
        'public.a_rather_long_name  None             7',
        'public.b                   ok               True',
        '\n\n',
      ].join('\n'),
    );
    expect(await json(ini, 'tables', '--json')).toEqual([
      { table_name: 'public.a_rather_long_name', merge_state: null, n: 7 },
      { table_name: 'public.b', merge_state: 'ok', n: true },
    ]);
  });

  it('logs a failure as one line without password; the stack only with -v', async () => {
    const quiet = await kaja('doctor', ini);
    expect(quiet.code).toBe(1);
    expect(quiet.err).toMatch(/^\S+ \S+ \d+ ERROR something odd happened with password=\*\*\*\n$/);
    const loud = await kaja('doctor', ini, '-v');
    expect(loud.err).toContain('    at ');
    expect(loud.err).not.toContain('hunter2');
    expect((await kaja(ini, 'worker', '--mode=fail')).code).toBe(4);
  });

  it('needs pidfile and logfile for -d, and a command that stays', async () => {
    expect(await kaja('-d', ini, 'worker')).toMatchObject({
      code: 3,
      err: `kaja: Daemon needs pidfile; set it in [londiste] of ${ini}: pidfile = …\n`,
    });
    expect((await kaja('-d', ini, 'worker', '--set', `pidfile=${dir}/a.pid`)).err).toContain(
      'Daemon needs logfile',
    );
    expect(await kaja('-d', ini, 'tables')).toMatchObject({
      code: 2,
      err: 'kaja: tables does not run in the background; leave -d out\n',
    });
  });

  it('holds the pidfile of its kind, so that two of a kind cannot run', async () => {
    const pid = join(dir, 'held.pid');
    writeFileSync(`${pid}.admin`, `${process.ppid}\n`);
    expect(await kaja(ini, 'add-table', '--set', `pidfile=${pid}`)).toMatchObject({ code: 5, out: '' });
    expect((await kaja(ini, 'tables', '--set', `pidfile=${pid}`)).code).toBe(0);
  });
});
