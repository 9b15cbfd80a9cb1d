/** Maintenance of the queues of one database: rotation, vacuum, watermarks, retried events. */
import { quoteFqName } from '../db/names.ts';
import { openSession, type Session } from '../db/session.ts';
import { errorLine } from '../errors/error-line.ts';
import { isAbort } from '../errors/retry-policy.ts';
import type { Log } from '../log/logger.ts';

/** Outcome of a round. */
export interface MaintenanceResult {
  /** Operations done, each counted once however often it was called. */
  readonly done: number;
  /** Failures, already logged; the other operations were done all the same. */
  readonly failures: readonly unknown[];
}

interface Operation {
  func_name: string;
  func_arg: string | null;
}

const OPERATIONS = 'select func_name, func_arg from pgq.maint_operations()';

/* Before PgQ 3.1 there was no such list. */
const EARLY_OPERATIONS = `
  select 'pgq.maint_rotate_tables_step1' as func_name, q.queue_name as func_arg from pgq.get_queue_info() q
  union all
  select 'pgq.maint_rotate_tables_step2', null
  union all
  select 'vacuum', v from pgq.maint_tables_to_vacuum() v`;

/** An operation that never says it is through is left for the next round. */
const MAX_CALLS = 1_000;

/**
 * Open the session of a maintenance round.
 * @param signal cancels what is in hand
 */
export async function openMaintenanceSession(
  location: string,
  name: string,
  signal?: AbortSignal,
): Promise<Session> {
  const session = await openSession(location, {
    purpose: 'admin',
    applicationName: `kaja ticker ${name}`,
    signal,
  });
  try {
    // Operations of a queue's extra_maint are the user's own code, written for the settings of the login.
    await session.query('reset search_path; reset row_security');
  } catch (error) {
    await session.close();
    throw error;
  }
  return session;
}

/**
 * Do everything that `pgq.maint_operations()` lists, each call in a transaction of its own, each until it answers 0.
 * One operation that fails is logged and does not keep the others from being done.
 * @throws KajaError when the list cannot be read, or the connection is lost
 */
export async function runMaintenance(session: Session, log: Log): Promise<MaintenanceResult> {
  const listed = await session.value<boolean>(
    `select exists (select 1 from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
                     where n.nspname = 'pgq' and p.proname = 'maint_operations')`,
  );
  const failures: unknown[] = [];
  const operations = await session.query<Operation>(listed ? OPERATIONS : EARLY_OPERATIONS);
  for (const operation of operations) {
    try {
      await runOperation(session, operation, log);
    } catch (error) {
      if (session.closed || isAbort(error)) throw error;
      log.error(`${operation.func_name}(${operation.func_arg ?? ''}): ${errorLine(error)}`);
      failures.push(error);
    }
  }
  return { done: operations.length - failures.length, failures };
}

async function runOperation(session: Session, operation: Operation, log: Log): Promise<void> {
  const { func_name: name, func_arg: arg } = operation;
  if (/^vacuum( analyze)?$/i.test(name)) {
    await session.query(`${name} ${quoteFqName(arg ?? '')}`);
    return;
  }
  const call = `select ${quoteFqName(name)}(${arg === null ? '' : '$1'})`;
  for (let calls = 0; calls < MAX_CALLS; calls++) {
    if (!wantsMore(await session.value(call, arg === null ? [] : [arg]))) return;
  }
  log.warn(`${name}(${arg ?? ''}) wanted to be called more than ${MAX_CALLS} times, goes on next time`);
}

/* As pgqd reads it: a number other than 0 at the start of the answer. */
const wantsMore = (answer: unknown): boolean => (Number.parseInt(String(answer), 10) || 0) !== 0;

/**
 * Put due events of the retry queue back into their queues, until there are none.
 * @param signal ends it between two calls
 * @returns how many
 */
export async function moveRetryEvents(session: Session, signal?: AbortSignal): Promise<number> {
  let moved = 0;
  while (signal?.aborted !== true) {
    const now = Number(await session.value('select pgq.maint_retry_events()'));
    if (now === 0) break;
    moved += now;
  }
  return moved;
}
