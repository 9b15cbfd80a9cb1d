/** add-table: publish tables on the root, subscribe to them elsewhere. */
import { UsageError } from '../errors/kaja-error.ts';
import { addTables } from '../tables/add-tables.ts';
import { fullName } from '../tables/expand-names.ts';
import type { KeySpec } from '../tables/source-table.ts';
import { type AddOptions, splitNames } from '../tables/table-options.ts';
import { waitSync } from '../tables/wait-sync.ts';
import { type CommandOptions, defineCommand, flag, list, text } from './command.ts';
import { createChoice, refuseUnsupported, wholeNumber, withTableNode } from './table-node.ts';

const UNSUPPORTED = ['find-copy-node', 'copy-node', 'handler', 'handler-arg', 'merge-all'] as const;

/** The descriptor. */
export const addTable = defineCommand({
  name: 'add-table',
  args: '[table...]',
  summary: 'replicate tables: publish them on the root, subscribe to them on other nodes',
  details:
    'Names are schema.table without quotes, * and ? are patterns, a name without a schema is in public.\n' +
    'The root decides how rows are told apart: primary key, else a unique index over NOT NULL columns, else --key, --whole-row or --insert-only.\n' +
    'A subscribed table is copied by the worker. --create makes a partitioned table of the provider a plain one.',
  options: [
    { flags: '--all', help: 'all tables that are not replicated yet' },
    { flags: '--force', help: 'try unknown names too' },
    { flags: '--key <columns>', help: 'columns that tell rows apart, separated by commas' },
    { flags: '--whole-row', help: 'table without a key: compare whole rows' },
    { flags: '--insert-only', help: 'replicate inserts only; needs no key' },
    { flags: '--dest-table <name>', help: 'name of the table on this node' },
    { flags: '--where <condition>', help: 'replicate only rows that match, for example "region = 5"' },
    { flags: '--copy-condition <condition>', help: 'copy only rows that match; later changes come all' },
    { flags: '--skip-columns <columns>', help: 'columns of the provider that stay away' },
    { flags: '--create', help: 'create a missing table: columns and key' },
    {
      flags: '--create-full',
      help: 'create a missing table with defaults, checks, indexes, sequences, comments',
    },
    { flags: '--truncate', help: 'empty a table that has rows before copying' },
    { flags: '--skip-truncate', help: 'keep the rows that are there and copy to them' },
    { flags: '--expect-sync', help: 'no copy: the rows are there already' },
    { flags: '--skip-non-existing', help: 'pass over tables that one side lacks' },
    { flags: '--wait-sync', help: 'wait until all tables are in sync' },
    { flags: '--trigger-flags <letters>', help: 'I, U, D: log only these; others choose triggers of PgQ' },
    { flags: '--trigger-arg <argument>', help: 'argument for the trigger', repeat: true },
    { flags: '--no-triggers', help: 'create no triggers' },
    { flags: '--no-merge', help: 'take the table from this queue only' },
    { flags: '--max-parallel-copy <n>', help: 'stored; copy_jobs in the ini decides' },
    { flags: '--find-copy-node', help: 'not in this version' },
    { flags: '--copy-node <node>', help: 'not in this version' },
    { flags: '--merge-all', help: 'not in this version' },
    { flags: '--handler <handler>', help: 'not in this version' },
    { flags: '--handler-arg <argument>', help: 'not in this version', repeat: true },
  ],
  section: 'londiste',
  pidfileSuffix: '.admin',
  async run(ctx) {
    refuseUnsupported(ctx.options, UNSUPPORTED);
    const options = addOptions(ctx.options);
    const words = { words: ctx.args, all: flag(ctx.options, 'all'), force: flag(ctx.options, 'force') };
    await withTableNode(ctx, async (node) => {
      await addTables(node, words, options);
      if (flag(ctx.options, 'waitSync')) await waitSync(node, ctx.progress);
    });
  },
});

function addOptions(options: CommandOptions): AddOptions {
  const destTable = text(options, 'destTable');
  const skip = text(options, 'skipColumns');
  const flags = text(options, 'triggerFlags');
  if (flag(options, 'expectSync') && flag(options, 'truncate'))
    throw new UsageError('--expect-sync and --truncate exclude each other');
  if (flag(options, 'skipTruncate') && flag(options, 'truncate'))
    throw new UsageError('--skip-truncate and --truncate exclude each other');
  if (flags !== undefined && !/^[IUDABQLJS]+$/i.test(flags))
    throw new UsageError(`--trigger-flags knows the letters I U D A B Q L J S, not '${flags}'`);
  for (const name of ['where', 'copyCondition']) {
    if (text(options, name)?.trim() === '')
      throw new UsageError(`--${name === 'where' ? 'where' : 'copy-condition'} is empty`);
  }
  return {
    key: keyOption(options),
    destTable: destTable === undefined ? undefined : fullName(destTable),
    where: text(options, 'where'),
    copyCondition: text(options, 'copyCondition'),
    skipColumns: skip === undefined ? [] : splitNames(skip, 'skip-columns'),
    create: createChoice(options),
    truncate: flag(options, 'truncate'),
    expectSync: flag(options, 'expectSync'),
    skipTruncate: flag(options, 'skipTruncate'),
    skipNonExisting: flag(options, 'skipNonExisting'),
    maxParallelCopy: wholeNumber(options, 'maxParallelCopy', 'max-parallel-copy', 1),
    triggerArgs: [
      ...list(options, 'triggerArg'),
      ...(flags === undefined ? [] : [`tgflags=${flags}`]),
      ...(options.triggers === false ? ['no_triggers'] : []),
      ...(options.merge === false ? ['no_merge'] : []),
    ],
  };
}

function keyOption(options: CommandOptions): KeySpec | undefined {
  const columns = text(options, 'key');
  const given = [
    ...(columns === undefined ? [] : ['--key']),
    ...(flag(options, 'wholeRow') ? ['--whole-row'] : []),
    ...(flag(options, 'insertOnly') ? ['--insert-only'] : []),
  ];
  if (given.length > 1) throw new UsageError(`${given.join(' and ')} exclude each other`);
  if (columns !== undefined) return { style: 'key', columns: splitNames(columns, 'key') };
  if (flag(options, 'wholeRow')) return { style: 'whole_row', columns: [] };
  return flag(options, 'insertOnly') ? { style: 'insert_only', columns: [] } : undefined;
}
