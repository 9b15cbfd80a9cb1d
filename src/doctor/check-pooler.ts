/** Is a connection pooler in between, and does it break sessions? Found out by using two connections the way a pooler cannot hide. */
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Session } from '../db/session.ts';
import type { SideCheck } from './check.ts';
import { error, info, ok, type Verdict, warning } from './finding.ts';
import { openDoctorSession } from './open-session.ts';

/** What two connections showed. */
export interface PoolerProbe {
  /** Different backends that statements of one connection met. */
  readonly backends: number;
  /** A setting of the session was gone. */
  readonly settingsLost: boolean;
  readonly applicationNameLost: boolean;
  /** The process number that came with the connection is not the backend's. */
  readonly foreignPid: boolean;
  readonly notified: boolean;
}

const REMEDY = 'connect to the server itself, or use a port of the pooler with pool_mode = session';

/** Judge what the probe found. */
export function judgePooler(probe: PoolerProbe): Verdict[] {
  const list: Verdict[] = [];
  const signs = [
    probe.backends > 1 ? `statements of one connection ran in ${probe.backends} different backends` : '',
    probe.settingsLost ? 'settings of the session were lost' : '',
    probe.applicationNameLost ? 'application_name was lost' : '',
  ].filter(Boolean);
  if (probe.backends > 1 || probe.settingsLost)
    list.push(
      error(
        `a pooler that shares connections between transactions is in between: ${signs.join(', ')}`,
        REMEDY,
      ),
    );
  else if (probe.foreignPid || probe.applicationNameLost)
    list.push(
      info(
        'a connection pooler is in between; sessions survive it',
        'make sure that its pool has room for all connections of kaja',
      ),
    );
  if (!probe.notified)
    list.push(
      warning(
        'notifications do not arrive (LISTEN/NOTIFY): the worker has to poll and replicates with more delay',
        REMEDY,
      ),
    );
  return list.length > 0 ? list : [ok('sessions and notifications work')];
}

interface State {
  readonly pid: number;
  readonly token: string | null;
  readonly application: string;
}

const readState = (session: Session): Promise<State> =>
  session.one<State & Record<string, unknown>>(
    `select pg_catalog.pg_backend_pid() as pid, pg_catalog.current_setting('kaja.doctor', true) as token,
            pg_catalog.current_setting('application_name') as application`,
  );

/** Probe a location. @param notifySeconds longest wait for the notification */
export async function probePooler(
  location: string,
  notifySeconds: number,
  signal?: AbortSignal,
): Promise<PoolerProbe> {
  await using first = await openDoctorSession(location, signal);
  await using second = await openDoctorSession(location, signal);
  const token = randomUUID();
  const channel = `kaja_doctor_${token.replaceAll('-', '')}`;
  await first.query(`select pg_catalog.set_config('kaja.doctor', $1, false)`, [token]);
  const states: State[] = [await readState(first)];
  // While the other connection holds a backend, a pooler has to give this one another.
  for (let round = 0; round < 3; round++) {
    await second.transaction(
      async () => {
        await second.query('select 1');
        states.push(await readState(first));
      },
      { readOnly: true },
    );
  }
  const { processID } = first.client as unknown as { processID: number | null };
  const notified = await probeNotification(first, second, channel, notifySeconds);
  return {
    backends: new Set(states.map((one) => one.pid)).size,
    settingsLost: states.some((one) => one.token !== token),
    applicationNameLost: states.some((one) => one.application !== 'kaja doctor'),
    foreignPid: states.every((one) => one.pid !== processID),
    notified,
  };
}

async function probeNotification(
  listener: Session,
  sender: Session,
  channel: string,
  seconds: number,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  let onNotification: ((message: pg.Notification) => void) | undefined;
  try {
    await listener.query(`listen ${channel}`);
    const arrived = new Promise<boolean>((resolve) => {
      onNotification = (message) => message.channel === channel && resolve(true);
      listener.client.on('notification', onNotification);
      timer = setTimeout(() => resolve(false), seconds * 1000);
    });
    await sender.query('select pg_catalog.pg_notify($1, $2)', [channel, '']);
    return await arrived;
  } finally {
    clearTimeout(timer);
    if (onNotification) listener.client.off('notification', onNotification);
    await listener.query(`unlisten ${channel}`).catch(() => {});
  }
}

/** Opens two connections of its own. */
export const checkPooler: SideCheck = {
  name: 'pooler',
  outside: true,
  run: async (side, { limits, signal }) =>
    judgePooler(await probePooler(side.location, limits.notifySeconds, signal)),
};
