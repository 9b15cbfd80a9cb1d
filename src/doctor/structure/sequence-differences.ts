/** Sequences: those that were added to the set, and those that fill columns of its tables. */
import { quoteFqName, quoteLiteral } from '../../db/names.ts';
import type { Session } from '../../db/session.ts';
import { createSequence, readSequences, type SequenceDefinition } from '../../tables/sequence-ddl.ts';
import { judgeSequence, readSequenceStates } from '../check-sequences.ts';
import type { Pair } from '../side.ts';
import { type Difference, here } from './difference.ts';
import type { TablePair } from './table-pair.ts';

/**
 * Compare them. The sessions have no transaction open.
 * @param all also sequences that were added by themselves
 */
export async function sequenceDifferences(
  { provider, subscriber }: Pair,
  pairs: readonly TablePair[],
  all: boolean,
): Promise<{ list: Difference[]; compared: number }> {
  const queue = subscriber.queue ?? '';
  const names = await registered(subscriber.session, queue);
  const there = new Set(await registered(provider.session, queue));
  const list: Difference[] = [];
  if (all && names.length > 0) {
    const [theirs, ours] = await Promise.all([
      readSequences(provider.session, names),
      readSequences(subscriber.session, names),
    ]);
    for (const name of names)
      list.push(...compareSequence(name, there.has(name) ? theirs.get(name) : undefined, ours.get(name)));
  }
  const states = await readSequenceStates(
    subscriber.session,
    pairs.map((pair) => pair.dest.source.relation.oid),
  );
  const known = new Set(names.map(quoteFqName));
  for (const state of states) {
    const [verdict] = known.has(state.sequence) ? [] : judgeSequence(state);
    if (!verdict) continue;
    const pair = pairs.find((one) => one.dest.source.relation.fqName === state.table);
    list.push({
      weight: 'note',
      kind: 'sequence',
      table: pair?.table ?? state.table,
      object: state.sequence,
      what: verdict.what,
      hint: 'matters once somebody writes here',
      ddl: [here('state', `select pg_catalog.setval(${quoteLiteral(state.sequence)}, ${state.max})`)],
    });
  }
  return { list, compared: all ? names.length : 0 };
}

const registered = async (session: Session, queue: string): Promise<string[]> =>
  (
    await session.query<{ name: string }>(
      'select seq_name as name from londiste.seq_info where queue_name = $1 and local order by nr',
      [queue],
    )
  ).map((row) => row.name);

const OPTIONS = ['type', 'increment', 'min', 'max', 'cache', 'cycle'] as const;

function compareSequence(
  name: string,
  theirs: SequenceDefinition | undefined,
  ours: SequenceDefinition | undefined,
): Difference[] {
  const head = { kind: 'sequence', table: null, object: name, hint: '', ddl: [] } as const;
  if (!theirs)
    return [
      {
        ...head,
        weight: 'error',
        what: `sequence ${name} is replicated here and the provider does not have it`,
        hint: `kaja INI remove-seq ${name}`,
      },
    ];
  if (!ours)
    return [
      {
        ...head,
        weight: 'error',
        what: `sequence ${name} does not exist here`,
        ddl: [here('sequence', createSequence(theirs))],
      },
    ];
  const list: Difference[] = [];
  const other = OPTIONS.filter((option) => theirs[option] !== ours[option]);
  if (other.length > 0)
    list.push({
      ...head,
      weight: 'note',
      what: `sequence ${name} has ${other.map((one) => `${one} ${ours[one]}`).join(', ')} here and ${other.map((one) => `${one} ${theirs[one]}`).join(', ')} on the provider`,
      ddl: [
        here(
          'state',
          `alter sequence ${quoteFqName(name)} as ${theirs.type} increment by ${theirs.increment} minvalue ${theirs.min} maxvalue ${theirs.max} cache ${theirs.cache} ${theirs.cycle ? 'cycle' : 'no cycle'}`,
        ),
      ],
    });
  const up = BigInt(theirs.increment) > 0n;
  const [there, at] = [BigInt(theirs.next), BigInt(ours.next)];
  // A node is ahead: the root publishes values before it gives them.
  if (theirs.cycle || (up ? at >= there : at <= there)) return list;
  list.push({
    ...head,
    weight: 'warning',
    what: `sequence ${name} would give ${at} here and ${there} on the provider: it has been given there already`,
    ddl: [here('state', `select pg_catalog.setval(${quoteLiteral(quoteFqName(name))}, ${there}, false)`)],
  });
  return list;
}
