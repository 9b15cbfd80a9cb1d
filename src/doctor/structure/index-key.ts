/** What makes two indexes the same, whatever they are called. */
import type { IndexDefinition } from '../../tables/table-definition.ts';

/** Words for messages. A unique constraint and a unique index do the same. */
export function indexClass(
  index: IndexDefinition,
): 'primary key' | 'unique index' | 'exclusion constraint' | 'index' {
  if (index.kind === 'primary') return 'primary key';
  if (index.kind === 'exclusion') return 'exclusion constraint';
  return index.unique ? 'unique index' : 'index';
}

/** Equal for indexes that do the same. */
export const indexKey = (index: IndexDefinition): string =>
  [
    indexClass(index),
    index.kind === 'exclusion' ? index.constraint : index.suffix,
    / DEFERRABLE.*$/.exec(index.constraint ?? '')?.[0] ?? '',
  ].join(' ');

/** How it is shown: `primary key (id)`, `index using btree (a)`. */
export const indexText = (index: IndexDefinition): string =>
  index.constraint === null
    ? `${indexClass(index)} ${index.suffix.replace(/^USING btree /, '')}`
    : index.constraint.replace(/^(PRIMARY KEY|UNIQUE|EXCLUDE)/, (word) => word.toLowerCase());
