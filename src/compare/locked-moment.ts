/** Londiste's way to one moment: the provider's tables are locked against writes until this node has everything. For providers that cannot make a tick from a snapshot. */
import { quoteFqName } from '../db/names.ts';
import { openSession, type Session } from '../db/session.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { sleep } from '../runtime/sleep.ts';
import type { CompareContext } from './compare-context.ts';
import type { Moment, MomentRequest } from './moment.ts';
import { openReaders, positionOf, shareSnapshot } from './reading-sessions.ts';

const POLL_MS = 50;

/**
 * Lock, let the worker catch up, take both snapshots, unlock.
 * @throws KajaError lock-timeout; state-refused (exit code 2) when no tick comes or the worker lags too much
 */
export async function reachLockedMoment(context: CompareContext, request: MomentRequest): Promise<Moment> {
  const { applicationName, signal, queue, providerLocation, location } = context;
  const opened: Session[] = [];
  const open = async (where: string): Promise<Session> => {
    const session = await openSession(where, { purpose: 'admin', applicationName, signal });
    opened.push(session);
    return session;
  };
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((session) => session.close()));
  };
  try {
    const [locker, ticks, watcher] = await Promise.all([
      open(providerLocation),
      open(providerLocation),
      open(location),
    ]);
    const provider = await openReaders(context, providerLocation, request.readers);
    opened.push(...provider);
    const here = await openReaders(context, location, request.readersHere);
    opened.push(...here);
    const names = await physicalNames(ticks, queue, request.tables);
    if (names.length > 0) {
      context.log.info(`Locking ${names.join(', ')}`);
      await locker.query('begin');
      await locker.query(
        `set local lock_timeout = ${context.lockTimeoutMs}; lock table ${names.join(', ')} in share mode`,
      );
    }
    const tick = await nextTick(context, ticks);
    let exact = true;
    const reached = await until(
      context,
      async () => (await positionOf(watcher, queue, context.consumer)) >= tick,
    );
    if (!reached) {
      const why = `worker ${context.consumer} is lagging: stands at tick ${await positionOf(watcher, queue, context.consumer)}, wanted is ${tick}`;
      if (!request.force) throw refusal(why, 'wait longer with --wait, or compare anyway with --force');
      context.log.warn(`${why}; going on anyway, differences may be lag`);
      exact = false;
    }
    await Promise.all([shareSnapshot(provider), shareSnapshot(here)]);
    await Promise.all([locker.close(), ticks.close(), watcher.close()]);
    return { tick, exact, provider, here, stoodMs: () => null, release: async () => {}, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const refusal = (text: string, hint: string): KajaError =>
  new KajaError('state-refused', text, { exitCode: 2, hint });

async function physicalNames(session: Session, queue: string, tables: readonly string[]): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    `select coalesce(dest_table, table_name) as name from londiste.table_info
      where queue_name = $1 and table_name = any ($2::text[]) and local`,
    [queue, tables],
  );
  return rows.map((row) => quoteFqName(row.name));
}

/** A tick that surely has everything committed before: the second after now. The snapshot of the first may be older than its number. */
async function nextTick(context: CompareContext, session: Session): Promise<bigint> {
  const own = await session.value<boolean>(
    `select coalesce(has_function_privilege(to_regprocedure('kaja.poll_ticks(interval)'), 'execute'), false)`,
  );
  let at = await newestTick(context, session);
  for (let round = 0; round < 2; round++) {
    const before = at;
    const made = await until(context, async () => {
      await session.query(
        own ? `select from kaja.poll_ticks('0 seconds') where $1 <> ''` : 'select pgq.force_tick($1)',
        [context.queue],
      );
      at = await newestTick(context, session);
      return at > before;
    });
    if (!made) throw refusal(`no tick is made on ${context.providerNode}`, 'start its ticker');
  }
  return at;
}

const newestTick = async (context: CompareContext, session: Session): Promise<bigint> =>
  (await session.value<bigint>('select last_tick_id from pgq.get_queue_info($1)', [context.queue])) ?? 0n;

async function until(context: CompareContext, reached: () => Promise<boolean>): Promise<boolean> {
  const deadline = context.waitMs > 0 ? Date.now() + context.waitMs : Number.POSITIVE_INFINITY;
  while (!(await reached())) {
    if (Date.now() >= deadline) return false;
    await sleep(POLL_MS, context.signal);
  }
  return true;
}
