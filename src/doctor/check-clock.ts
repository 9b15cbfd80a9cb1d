/** Clocks of this host and of the servers. Lag and ages are computed with them. */
import type { Session } from '../db/session.ts';
import type { PairCheck, SideCheck } from './check.ts';
import { duration, ok, type Verdict, warning } from './finding.ts';

/** How far a server's clock is ahead of this host's, and how sure that is; seconds. */
export interface ClockReading {
  readonly aheadSeconds: number;
  readonly uncertainSeconds: number;
}

const REMEDY = 'run a time service (chrony, systemd-timesyncd) on both machines';

/** @param between what is compared, for the text */
export function judgeClock(reading: ClockReading, limitSeconds: number, between: string): Verdict[] {
  const off = Math.abs(reading.aheadSeconds);
  if (off - reading.uncertainSeconds <= limitSeconds) return [ok(`clock agrees with ${between}`)];
  const direction = reading.aheadSeconds > 0 ? 'ahead of' : 'behind';
  return [
    warning(
      `the server's clock is ${duration(off)} ${direction} ${between}: lag is shown wrong by as much`,
      REMEDY,
    ),
  ];
}

/** Compare a server's clock with ours. @param now our clock, milliseconds */
export async function readClock(session: Session, now: () => number): Promise<ClockReading> {
  const before = now();
  const there = await session.value<number>(
    `select extract(epoch from pg_catalog.clock_timestamp())::float8`,
  );
  const after = now();
  return {
    aheadSeconds: (there ?? 0) - (before + after) / 2000,
    uncertainSeconds: (after - before) / 2000,
  };
}

/** Clock of a server against that of this host. */
export const checkClock: SideCheck = {
  name: 'clock',
  run: async (side, { now, limits }) =>
    judgeClock(await readClock(side.session, now), limits.clockSkewSeconds, 'this host'),
};

/** Clocks of both servers against each other. */
export const checkClocks: PairCheck = {
  name: 'clock',
  async run({ provider, subscriber }, { now, limits }) {
    const there = await readClock(provider.session, now);
    const here = await readClock(subscriber.session, now);
    return judgeClock(
      {
        aheadSeconds: here.aheadSeconds - there.aheadSeconds,
        uncertainSeconds: here.uncertainSeconds + there.uncertainSeconds,
      },
      limits.clockSkewSeconds,
      'that of the provider',
    );
  },
};
