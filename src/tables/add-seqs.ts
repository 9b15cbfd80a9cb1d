/** add-seq and remove-seq. */
import { parseFqName, quoteFqName, quoteIdent } from '../db/names.ts';
import { callRet } from '../db/ret-code.ts';
import { UsageError } from '../errors/kaja-error.ts';
import type { TableWords } from './add-tables.ts';
import { expandNames } from './expand-names.ts';
import { listMissing, listSequences, type TableNode } from './node-tables.ts';
import { createNoteBuffer, type NoteBuffer } from './note-buffer.ts';
import { createSequence, readSequences, type SequenceDefinition } from './sequence-ddl.ts';
import { syncSeqList } from './sync-lists.ts';

/** Options of add-seq. */
export interface AddSeqOptions {
  readonly create: 'no' | 'plain' | 'full';
  readonly skipNonExisting: boolean;
}

/**
 * Register sequences, all in one transaction. Values are published by the root ahead of the real ones.
 * @returns names that were added
 * @throws UsageError for sequences this node lacks, KajaError
 */
export async function addSeqs(
  node: TableNode,
  request: TableWords,
  options: AddSeqOptions,
): Promise<string[]> {
  const { here, queue, log } = node;
  const isRoot = node.nodeType === 'root';
  if (!isRoot) await syncSeqList(node);
  const { local } = await listSequences(here, queue);
  const choice = expandNames(
    { ...request, candidates: await listMissing(here, queue, 'S'), processed: local },
    log,
  );
  const present = await readPresent(node, choice.names);
  const wanted = choice.names.filter((name) => !present.has(name));
  const definitions =
    isRoot || options.create === 'no' || wanted.length === 0
      ? new Map<string, SequenceDefinition>()
      : await readSequences(await node.provider(), wanted);
  const names = choice.names.filter((name) => {
    if (present.has(name) || definitions.has(name)) return true;
    if (!options.skipNonExisting) {
      throw new UsageError(`Sequence '${name}' missing on local node`, {
        hint: isRoot ? 'see missing' : 'create it, or use --create',
      });
    }
    log.warn(`Sequence ${name} does not exist on local node, skipping`);
    return false;
  });
  if (names.length === 0) return [];
  const notes = createNoteBuffer();
  await here.transaction(async () => {
    for (const name of names) {
      const definition = present.has(name) ? undefined : definitions.get(name);
      if (definition) await create(node, definition, options.create === 'full', notes);
      await callRet(here, 'londiste.local_add_seq', [queue, name], notes);
    }
  });
  notes.flush(log);
  return names;
}

async function readPresent({ here }: TableNode, names: readonly string[]): Promise<Set<string>> {
  const rows = await here.query<{ name: string }>(
    `select x.name from unnest($1::text[]) as x (name) where londiste.find_seq_oid(x.name) is not null`,
    [names],
  );
  return new Set(rows.map((row) => row.name));
}

/** With `full` the sequence also becomes the property of the column it belongs to on the provider, if that is here. */
async function create(
  { here }: TableNode,
  one: SequenceDefinition,
  full: boolean,
  notes: NoteBuffer,
): Promise<void> {
  const { schema } = parseFqName(one.name);
  if (!(await here.value<boolean>('select exists (select from pg_namespace where nspname = $1)', [schema]))) {
    await here.query(`create schema ${quoteIdent(schema)}`);
  }
  await here.query(createSequence(one));
  notes.info(`Sequence ${one.name} created`);
  if (!full || one.identity || one.ownerTable === null || one.ownerColumn === null) return;
  const owner = `${quoteFqName(one.ownerTable)}.${quoteIdent(one.ownerColumn)}`;
  const fits = await here.value<boolean>(
    `select exists (select from pg_attribute a join pg_class c on c.oid = a.attrelid
       where a.attrelid = to_regclass($1) and a.attname = $2 and not a.attisdropped
         and c.relnamespace = (select s.relnamespace from pg_class s where s.oid = to_regclass($3)))`,
    [quoteFqName(one.ownerTable), one.ownerColumn, quoteFqName(one.name)],
  );
  if (fits) await here.query(`alter sequence ${quoteFqName(one.name)} owned by ${owner}`);
}

/**
 * Stop replicating sequences here; on the root for the whole set. All in one transaction.
 * @returns names that were removed
 */
export async function removeSeqs(node: TableNode, request: TableWords): Promise<string[]> {
  const { here, queue, log } = node;
  const { local } = await listSequences(here, queue);
  const choice = expandNames(
    { ...request, candidates: local, processed: await listMissing(here, queue, 'S') },
    log,
  );
  if (choice.names.length === 0) return [];
  const notes = createNoteBuffer();
  await here.transaction(async () => {
    for (const name of choice.names) await callRet(here, 'londiste.local_remove_seq', [queue, name], notes);
  });
  notes.flush(log);
  return [...choice.names];
}

/** One sequence of the queue. */
export interface SeqReport {
  readonly name: string;
  readonly local: boolean;
  /** Published by the root, ahead of the real one. */
  readonly lastValue: bigint;
}

/** All sequences of the queue that this node knows. */
export async function readSeqReports({
  here,
  queue,
}: Pick<TableNode, 'here' | 'queue'>): Promise<SeqReport[]> {
  return here.query<SeqReport>(
    'select seq_name as name, local, last_value as "lastValue" from londiste.get_seq_list($1)',
    [queue],
  );
}
