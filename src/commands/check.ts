/** `kaja CONFIG.ini check [table…]`: are tables and sequences defined as they are on the provider? */
import { writeFile } from 'node:fs/promises';
import { type CheckOutcome, checkNode } from '../doctor/structure/check-node.ts';
import { ddlScript } from '../doctor/structure/ddl-script.ts';
import type { Difference } from '../doctor/structure/difference.ts';
import { UsageError } from '../errors/kaja-error.ts';
import { type CommandContext, defineCommand, flag, text } from './command.ts';

/** Exit codes. */
const SAME = 0;
const DIFFERENT = 1;
const NOT_CHECKED = 2;

/** Compares definitions; changes nothing. */
export const check = defineCommand({
  name: 'check',
  args: '[table...]',
  summary: 'compare the structure of tables and sequences with that of the provider',
  details:
    'Columns, keys, indexes, constraints, foreign keys, sequences and triggers, with the statements that bring this node in line. Changes nothing.\n' +
    'error: stops replication or makes compare differ; warning: will hurt some day; note: different, and often meant so.\n' +
    'Tables may be patterns with * and ?; default are all tables and sequences of this node.\n' +
    'Exit code: 0 nothing found, 1 differences, 2 something could not be checked.',
  options: [
    { flags: '--ddl <file>', help: 'write the statements as a script for psql; - prints only them' },
    { flags: '--drop-extra', help: 'the script also drops what only this node has, and what that held' },
    { flags: '--no-notes', help: 'leave out what is different and often meant so' },
  ],
  section: 'londiste',
  async run(ctx) {
    const file = text(ctx.options, 'ddl');
    if (file === '-' && ctx.json) throw new UsageError('--ddl - and --json both want the output');
    const found = await checkNode({
      config: ctx.config,
      words: ctx.args,
      signal: ctx.signal,
      onProgress: (done, total) => ctx.progress.update('check', done, total, 'tables'),
    });
    ctx.progress.clear();
    const differences = found.differences
      .filter((one) => ctx.options.notes !== false || one.weight !== 'note')
      .map((one) => ({ ...one, hint: named(ctx, one.hint) }));
    const outcome = { ...found, differences };
    for (const { reason } of outcome.refused) ctx.log.warn(reason);
    const dropExtra = flag(ctx.options, 'dropExtra');
    const script = ddlScript(differences, {
      node: outcome.node,
      provider: outcome.provider,
      dropExtra,
    });
    if (file === '-') ctx.print(script.trimEnd());
    else if (file !== undefined) {
      await writeFile(file, script);
      ctx.log.info(`statements: ${file}`);
    }
    if (ctx.json) ctx.printJson(toJson(outcome));
    else if (file !== '-' && (outcome.tables > 0 || outcome.refused.length === 0))
      ctx.print(toText(outcome, dropExtra));
    if (differences.length > 0) return DIFFERENT;
    return outcome.refused.length > 0 ? NOT_CHECKED : SAME;
  },
});

/** Commands that a hint names are to be copied. */
function named(ctx: CommandContext<'londiste'>, hint: string): string {
  const path = ctx.config.configFile;
  return hint.replaceAll('kaja INI ', `kaja ${/^[\w./-]+$/.test(path) ? path : `'${path}'`} `);
}

const WIDTH = 'warning'.length;
const count = (n: number, word: string): string => `${n} ${word}${n === 1 ? '' : 's'}`;
const countOf = (list: readonly Difference[], weight: Difference['weight']): number =>
  list.filter((one) => one.weight === weight).length;

function toText(outcome: CheckOutcome, dropExtra: boolean): string {
  const { node, provider, differences, tables, sequences } = outcome;
  const what = [count(tables, 'table'), ...(sequences > 0 ? [count(sequences, 'sequence')] : [])].join(
    ' and ',
  );
  if (differences.length === 0)
    return provider === null
      ? `${node}: ${what}, triggers are in place`
      : `${node}: ${what} as on ${provider}`;
  const lines: string[] = [];
  for (const table of new Set(differences.map((one) => one.table))) {
    lines.push(table ?? 'sequences');
    for (const one of differences.filter((other) => other.table === table)) {
      lines.push(`  ${one.weight.padEnd(WIDTH)}  ${one.what}`);
      for (const { on, sql, optional } of one.ddl) {
        const place = on === 'provider' ? 'on the provider: ' : optional && !dropExtra ? '-- ' : '';
        lines.push(`${' '.repeat(WIDTH + 4)}${place}${sql.replace(/\s+/g, ' ')};`);
      }
      if (one.hint !== '') lines.push(`${' '.repeat(WIDTH + 4)}-- ${one.hint}`);
    }
  }
  lines.push(
    '',
    `${count(countOf(differences, 'error'), 'error')}, ${count(countOf(differences, 'warning'), 'warning')}, ${count(countOf(differences, 'note'), 'note')} in ${what}`,
  );
  return lines.join('\n');
}

const toJson = (outcome: CheckOutcome): Record<string, unknown> => ({
  node: outcome.node,
  provider: outcome.provider,
  result: outcome.differences.length > 0 ? 'different' : outcome.refused.length > 0 ? 'not checked' : 'equal',
  tables: outcome.tables,
  sequences: outcome.sequences,
  error: countOf(outcome.differences, 'error'),
  warning: countOf(outcome.differences, 'warning'),
  note: countOf(outcome.differences, 'note'),
  differences: outcome.differences.map((one) => ({
    severity: one.weight,
    kind: one.kind,
    table_name: one.table,
    object: one.object,
    what: one.what,
    hint: one.hint,
    ddl: one.ddl.map(({ on, sql, optional }) => ({ on, sql, optional: optional ?? false })),
  })),
  not_checked: outcome.refused.map((one) => ({ table_name: one.tableName, reason: one.reason })),
});
