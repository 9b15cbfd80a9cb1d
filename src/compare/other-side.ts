/** The side that is compared with: the root, read by a snapshot that is made a tick, or another node, whose worker is held at the tick too. */
import type { Session } from '../db/session.ts';
import { sqlstateOf } from '../db/sql-error.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { openReaderSessions, openReadersAtTick, type ReaderSessions } from '../queue/snapshot-readers.ts';
import type { CompareContext } from './compare-context.ts';
import { type Hold, placeHold } from './hold.ts';
import type { MomentRequest } from './moment.ts';
import {
  GROUP_BY_HASH,
  KEY_TABLE,
  notStayed,
  openReaders,
  positionOf,
  shareSnapshot,
} from './reading-sessions.ts';
import { standbySide } from './standby-side.ts';

/** Call in this order. */
export interface OtherSide {
  /** Connect. */
  connect(): Promise<void>;
  /** Make a tick. */
  tick(): Promise<bigint>;
  /** Sessions that read exactly at the tick. */
  read(): Promise<readonly Session[]>;
  /** Let its worker go on. Never throws. */
  release(): Promise<void>;
  /** Close everything. Never throws. */
  close(): Promise<void>;
}

/** The one of this context. */
export function otherSide(context: CompareContext, request: MomentRequest): OtherSide {
  if (context.standby) return standbySide(context, request);
  return context.providerConsumer === null
    ? rootSide(context, request)
    : peerSide(context, request, context.providerConsumer);
}

function rootSide(context: CompareContext, request: MomentRequest): OtherSide {
  const snapshot = snapshotRequest(context, request);
  let opened: ReaderSessions | undefined;
  let sessions: readonly Session[] = [];
  return {
    connect: async () => {
      opened = await openReaderSessions(snapshot);
    },
    tick: async () => {
      const readers = await openReadersAtTick({
        ...snapshot,
        opened: opened && Promise.resolve(opened),
      }).catch(noTick);
      sessions = readers.sessions;
      return readers.tick;
    },
    read: async () => sessions,
    release: async () => {},
    close: async () => {
      await Promise.all([opened?.close(), opened?.maker.close()]);
    },
  };
}

function peerSide(context: CompareContext, request: MomentRequest, consumer: string): OtherSide {
  const { queue, applicationName, providerLocation, providerNode, signal, waitMs } = context;
  let hold: Hold | undefined;
  let sessions: Session[] = [];
  let at = -1n;
  const reached = async (): Promise<void> => {
    if (await hold?.reached(waitMs, signal)) return;
    throw new KajaError('state-refused', `worker ${consumer} of node ${providerNode} does not come`, {
      exitCode: 2,
      hint: 'start it, or wait longer with --wait',
    });
  };
  return {
    connect: async () => {
      sessions = await openReaders(context, providerLocation, request.readers, request.keep);
      hold = await placeHold(providerLocation, queue, consumer, applicationName);
    },
    tick: async () => {
      await reached();
      const readers = await openReadersAtTick(
        snapshotRequest(context, { tables: [], readers: 1, keep: false }),
      ).catch(noTick);
      await readers.close();
      at = readers.tick;
      await hold?.moveTo(at);
      return at;
    },
    read: async () => {
      await reached();
      await shareSnapshot(sessions);
      const position = sessions[0] ? await positionOf(sessions[0], queue, consumer) : at;
      if (position !== at) throw notStayed(consumer, at, position);
      return sessions;
    },
    release: async () => {
      await hold?.release();
    },
    close: async () => {
      await Promise.all([hold?.release(), ...sessions.map((session) => session.close())]);
    },
  };
}

const snapshotRequest = (
  context: CompareContext,
  { tables, readers, keep }: Pick<MomentRequest, 'tables' | 'readers' | 'keep'>,
): Parameters<typeof openReadersAtTick>[0] => ({
  location: context.rootLocation,
  queue: context.queue,
  tables,
  readers,
  applicationName: context.applicationName,
  prepare: `${GROUP_BY_HASH}; ${keep ? `${KEY_TABLE}; ` : ''}set statement_timeout = ${context.limits.statementTimeoutMs}`,
  signal: context.signal,
});

/** A provider of the genuine extensions has no function for it. */
function noTick(error: unknown): never {
  if (!['42883', '3F000'].includes(sqlstateOf(error) ?? '')) throw error;
  throw new KajaError('state-refused', 'the provider cannot make a tick from a snapshot', {
    exitCode: 2,
    hint: "install kaja's schemas there, or compare with --lock",
    cause: error,
  });
}
