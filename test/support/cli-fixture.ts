/** A program with a few simple commands, to test the command line without databases. Started by tests as a process of its own. */

import { runProgram } from '../../src/cli/run-program.ts';
import { defineCommand, flag, list, listedCommands, text } from '../../src/commands/command.ts';
import { KajaError } from '../../src/errors/kaja-error.ts';
import { sleep } from '../../src/runtime/sleep.ts';

const addTable = defineCommand({
  name: 'add-table',
  args: '[table...]',
  summary: 'add tables',
  details: 'More about tables.',
  section: 'londiste',
  pidfileSuffix: '.admin',
  options: [
    { flags: '--all', help: 'all tables' },
    { flags: '--wait-sync', help: 'wait' },
    { flags: '--dest-table <name>', help: 'other name' },
    { flags: '--trigger-arg <arg>', help: 'argument', repeat: true },
    { flags: '--no-triggers', help: 'no triggers' },
  ],
  async run(ctx) {
    ctx.printJson({
      job: ctx.config.jobName,
      db: ctx.config.db,
      args: ctx.args,
      all: flag(ctx.options, 'all'),
      waitSync: flag(ctx.options, 'waitSync'),
      destTable: text(ctx.options, 'destTable') ?? null,
      triggerArgs: list(ctx.options, 'triggerArg'),
      triggers: flag(ctx.options, 'triggers'),
      verbosity: ctx.verbosity,
    });
  },
});

const tables = defineCommand({
  name: 'tables',
  args: '',
  summary: 'list tables',
  section: 'londiste',
  options: [],
  async run(ctx) {
    ctx.printTable(
      'Tables on node',
      ['table_name', 'merge_state', 'n'],
      [
        ['public.a_rather_long_name', null, 7n],
        ['public.b', 'ok', true],
      ],
    );
  },
});

const hold = defineCommand({
  name: 'worker',
  args: '',
  summary: 'run until stopped',
  section: 'londiste',
  pidfileSuffix: '',
  daemon: true,
  options: [{ flags: '--mode <mode>', help: 'fail, die, or deaf' }],
  async run(ctx) {
    const mode = text(ctx.options, 'mode');
    if (mode === 'fail') throw new KajaError('connect-failed', 'cannot connect to host=a password=hunter2');
    if (mode === 'die') process.kill(process.pid, 'SIGKILL');
    ctx.onReload(() => ctx.log.info(`reloaded, copy_jobs=${ctx.reloadConfig().copyJobs}`));
    ctx.log.info('worker is up');
    ctx.ready();
    await sleep(60_000, mode === 'deaf' ? undefined : ctx.signal);
    ctx.log.info('worker ends');
  },
});

const waitSync = defineCommand({
  name: 'wait-sync',
  args: '',
  summary: 'wait',
  section: 'londiste',
  options: [],
  async run(ctx) {
    ctx.log.info('waiting');
    await sleep(60_000, ctx.signal);
    ctx.signal.throwIfAborted();
  },
});

const ticker = defineCommand({
  name: 'ticker',
  args: '',
  summary: 'tick',
  section: 'ticker',
  pidfileSuffix: '',
  daemon: true,
  options: [],
  async run(ctx) {
    ctx.print(`ticks every ${ctx.config.tickerMaxPeriodMs} ms`);
  },
});

const queue = defineCommand({
  name: 'queue',
  args: '<dsn> [words...]',
  summary: 'work with queues',
  section: undefined,
  options: [{ flags: '--force', help: 'by force' }],
  async run(ctx) {
    ctx.print(ctx.args.join('|'));
    return flag(ctx.options, 'force') ? 6 : 0;
  },
});

const doctor = defineCommand({
  name: 'doctor',
  args: '<ini...>',
  summary: 'look for problems',
  section: undefined,
  options: [],
  async run(ctx) {
    ctx.print(ctx.args.join('|'));
    throw new Error('something odd\nhappened with password=hunter2');
  },
});

/** The registry of the fixture. */
export const fixtureCommands = listedCommands([addTable, tables, hold, waitSync, ticker, queue, doctor]);

if (process.argv[1] === import.meta.filename) {
  process.exitCode = await runProgram(process.argv.slice(2), fixtureCommands, {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onKill: () => {
      process.exit(130);
    },
  });
}
