/** What a copy needs from the worker that runs it. */
import { callRet } from '../db/ret-code.ts';
import type { Session } from '../db/session.ts';
import type { Log } from '../log/logger.ts';

/** See the members. */
export interface CopyContext {
  readonly queue: string;
  /** Consumer of the worker; the copy's own is `<consumer>.copy.<table>`. */
  readonly consumer: string;
  readonly providerLocation: string;
  readonly providerNode: string;
  /** Parallel readers and writers of one table. */
  readonly jobs: number;
  /** Events that one catch-up step may take; fewer than that are left to the worker's hand-over. */
  readonly batchMaxEvents: number;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Session on this node that writes without firing triggers, with staging tables. */
  openWriter(name: string): Promise<Session>;
  /** Ordinary session on this node. */
  openHere(name: string): Promise<Session>;
  /** Session on the provider. */
  openProvider(name: string): Promise<Session>;
}

/** Name of the consumer that keeps a table's events on the provider while it is copied. */
export const copyConsumer = (consumer: string, table: string): string => `${consumer}.copy.${table}`;

/** Store a table's merge state. */
export async function setTableState(
  session: Session,
  context: Pick<CopyContext, 'queue' | 'log'>,
  table: string,
  state: string | null,
): Promise<void> {
  await callRet(session, 'londiste.local_set_table_state', [context.queue, table, null, state]);
  context.log.info(`Table ${table} status changed to '${state ?? 'none'}'`);
}
