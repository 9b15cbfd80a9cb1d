/** What a ticker does, fast, for tests of producers and consumers. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** A running ticker. */
export interface Ticking {
  stop(): Promise<void>;
}

/** Tick all queues of a database and move its due retry events, every few milliseconds. */
export async function startTicking(url: string): Promise<Ticking> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      // A queue may be dropped meanwhile; the next round is right again.
      await client.query('select kaja.poll_ticks()').catch(() => {});
      await client.query('select pgq.maint_retry_events()').catch(() => {});
      await sleep(10);
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await loop;
      await client.end();
    },
  };
}
