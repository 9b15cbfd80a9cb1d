/** The documentation says what the program says. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { regionsOf } from '../../bench/docs/regions.ts';
import { fillPage, NO_EFFECT_YET } from '../../bench/docs/render.ts';
import { commands } from '../../src/commands/registry.ts';
import { OPTION_TABLES } from '../../src/config/load-config.ts';
import { fieldName, type OptionTable } from '../../src/config/option-table.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const PAGES = [
  'README.md',
  'AGENTS.md',
  'CHANGELOG.md',
  'bench/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

describe('generated parts', () => {
  it.each(['docs/commands.md', 'docs/configuration.md'])(
    '%s is up to date (npx tsx bench/docs.ts)',
    (page) => {
      expect(read(page)).toBe(fillPage(read(page)));
    },
  );

  it('has every command under its own name in the registry', async () => {
    for (const command of await commands.all()) {
      expect(await commands.named(['nonsense', command.name])).toEqual([command]);
    }
  });

  it('names every command', async () => {
    const shown = (await commands.all()).filter((one) => !one.hidden).map((one) => one.name);
    expect(regionsOf(read('docs/commands.md')).sort()).toEqual(['globals', ...shown].sort());
  });

  it('calls keys without effect so exactly as long as nothing reads them', () => {
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.startsWith('config'))
      .map((name) => read(join('src', name)))
      .join('\n');
    const options: OptionTable = { ...OPTION_TABLES.londiste, ...OPTION_TABLES.ticker };
    const used = [...NO_EFFECT_YET].filter((key) => {
      const spec = options[key];
      return spec === undefined || new RegExp(`\\.${fieldName(key, spec)}\\b`).test(sources);
    });
    expect(used).toEqual([]);
  });
});

describe('links', () => {
  it.each(PAGES)('%s links to files that exist', (page) => {
    const targets = [...read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map((match) => match[1] ?? '');
    const missing = targets.filter((target) => {
      try {
        statSync(join(root, dirname(page), target));
        return false;
      } catch {
        return true;
      }
    });
    expect(missing).toEqual([]);
  });
});
