/** The statements of all differences as one script. Pure. */
import { type Ddl, type Difference, PHASES } from './difference.ts';

/** Whose script it is. */
export interface ScriptHead {
  readonly node: string;
  readonly provider: string | null;
  /** Take away what only this node has, instead of naming it in a comment. */
  readonly dropExtra: boolean;
}

const commented = (sql: string): string => `${sql};`.replace(/^/gm, '-- ');

/** Statements for this node in an order that works, each once; in comments what is optional and what belongs to the provider. */
export function ddlScript(differences: readonly Difference[], head: ScriptHead): string {
  const all = differences.flatMap((one) => one.ddl);
  const ordered = PHASES.flatMap((phase) => all.filter((one) => one.phase === phase));
  const lines = (on: Ddl['on']): string[] => [
    ...new Set(
      ordered
        .filter((one) => one.on === on)
        .map((one) => {
          if (on === 'provider') return commented(one.sql);
          return one.optional && !head.dropExtra ? commented(one.sql) : `${one.sql};`;
        }),
    ),
  ];
  const hints = [...new Set(differences.flatMap((one) => (one.hint === '' ? [] : one.hint)))];
  const there = lines('provider');
  return [
    `-- node ${head.node}${head.provider === null ? '' : `, to be as its provider ${head.provider}`}; psql -1 -v ON_ERROR_STOP=1 -f FILE`,
    ...lines('here'),
    ...(there.length > 0 ? [`-- on the provider ${head.provider ?? ''}:`, ...there] : []),
    ...hints.map((hint) => `-- ${hint.replace(/\s+/g, ' ')}`),
    '',
  ].join('\n');
}
