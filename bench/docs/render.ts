/** The generated parts of docs/commands.md and docs/configuration.md, from the command registry and the option tables. */
import { GLOBAL_OPTIONS } from '../../src/cli/global-options.ts';
import type { AnyCommand, CommandOption } from '../../src/commands/command.ts';
import { commands } from '../../src/commands/registry.ts';
import { OPTION_TABLES, SECTION_NAMES, type SectionKind } from '../../src/config/load-config.ts';
import type { OptionSpec, OptionTable } from '../../src/config/option-table.ts';
import { fillRegions } from './regions.ts';

const all = await commands.all();

/** Keys that are read and checked but do nothing in this version; the documentation says so. */
export const NO_EFFECT_YET: ReadonlySet<string> = new Set([
  'metrics_port',
  'metrics_host',
  'batch_max_bytes',
  'local_only',
  'local_only_drop_execute',
]);

/** Further ones, whose names are read somewhere all the same: per kind, or because only the settings carry them. */
const WITH_THEM: Readonly<Record<SectionKind, ReadonlySet<string>>> = {
  londiste: new Set(['keepalive_stats']),
  ticker: new Set(),
};

/**
 * Fill the regions of a page anew; NAME is a command, `globals`, `config/londiste` or `config/ticker`.
 * @throws Error for an unknown name or a region without end
 */
export const fillPage = (page: string): string => fillRegions(page, render);

function render(name: string): string {
  if (name === 'config/londiste' || name === 'config/ticker') {
    return renderOptions(name === 'config/ticker' ? 'ticker' : 'londiste');
  }
  if (name === 'globals') return ['', ...table(GLOBAL_OPTIONS), ''].join('\n');
  const command = all.find((one) => one.name === name);
  if (!command) throw new Error(`there is no command ${name}`);
  return renderCommand(command);
}

function renderCommand(command: AnyCommand): string {
  const front = command.section === undefined ? `kaja ${command.name}` : `kaja CONFIG.ini ${command.name}`;
  const usage = [front, command.options.length > 0 ? '[options]' : '', command.args]
    .filter(Boolean)
    .join(' ');
  return [
    '',
    `\`${usage}\``,
    '',
    `${sentence(command.summary)}${command.details ? ` ${flow(command.details)}` : ''}`,
    '',
    ...(command.options.length > 0 ? [...table(command.options), ''] : []),
  ].join('\n');
}

/** Text of a help page as a paragraph; what is indented there stays as it is. */
const flow = (details: string): string =>
  details
    .split(/^((?: {2}.*\n?)+)/m)
    .map((part, at) =>
      at % 2 ? `\n\n\`\`\`text\n${part.trimEnd()}\n\`\`\`\n\n` : part.trim().replaceAll('\n', ' '),
    )
    .join('');

const table = (options: readonly CommandOption[]): string[] => [
  '| option | |',
  '|---|---|',
  ...options.map((one) => `| \`${one.flags}\` | ${cell(one.help)}${one.repeat ? '; may be repeated' : ''} |`),
];

/** All keys of a kind of ini, one table per group. */
function renderOptions(kind: SectionKind): string {
  const options: OptionTable = OPTION_TABLES[kind];
  const rows = Object.entries(options).filter(([, spec]) => spec.type !== 'ignored');
  const groups = [...new Set(rows.map(([, spec]) => spec.group))];
  const former = Object.entries(options).flatMap(([key, spec]) =>
    spec.type === 'ignored' ? [`\`${key}\``] : [],
  );
  return [
    '',
    `Section: ${SECTION_NAMES[kind].map((name) => `\`[${name}]\``).join(', ')}.`,
    '',
    ...groups.flatMap((group) => [
      `**${group}**`,
      '',
      '| key | default | |',
      '|---|---|---|',
      ...rows.filter(([, spec]) => spec.group === group).map(([key, spec]) => optionRow(kind, key, spec)),
      '',
    ]),
    `Accepted for old files, without effect here: ${former.join(', ')}.`,
    '',
  ].join('\n');
}

function optionRow(kind: SectionKind, key: string, spec: OptionSpec): string {
  const unit = { seconds: 'seconds', bytes: 'bytes, or with kB, MB, GB', list: 'comma separated' } as const;
  const kindText =
    spec.type === 'choice' ? spec.choices.join(', ') : (unit as Partial<Record<string, string>>)[spec.type];
  const aliases = spec.aliases ? `; also ${spec.aliases.map((name) => `\`${name}\``).join(', ')}` : '';
  const idle =
    NO_EFFECT_YET.has(key) || WITH_THEM[kind].has(key) ? ' **No effect in this version yet.**' : '';
  const help = `${cell(spec.help)}${kindText ? ` (${kindText})` : ''}${aliases}`;
  return `| \`${key}\` | ${defaultText(spec)} | ${help}${idle ? `.${idle}` : ''} |`;
}

function defaultText(spec: OptionSpec): string {
  if (spec.type === 'ignored') return '';
  if ('required' in spec) return 'required';
  if (spec.type === 'bool') return spec.default ? '`1`' : '`0`';
  return spec.default === '' ? '' : `\`${spec.default}\``;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
