/** Measures how long a change takes from commit on the root to being visible on a leaf. */
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from './connect.ts';

const GIVE_UP_MS = 20_000;

/**
 * Write rows one after the other and look for each on the leaf.
 * @param probes how many
 * @returns delays in milliseconds, shortest first
 * @throws Error when a row does not arrive within 20 s
 */
export async function measureDelays(rootUrl: string, leafUrl: string, probes: number): Promise<number[]> {
  const [root, leaf] = await Promise.all([connect(rootUrl), connect(leafUrl)]);
  try {
    const delays: number[] = [];
    for (let probe = 0; probe < probes; probe++) {
      const { rows } = await root.query<{ id: string }>(
        'insert into user_login_rec (userid, login_time) values (1, now()) returning id',
      );
      const committedMs = performance.now();
      while ((await leaf.query('select from user_login_rec where id = $1', [rows[0]?.id])).rowCount === 0) {
        if (performance.now() - committedMs > GIVE_UP_MS) throw new Error('a row did not arrive within 20 s');
        await pause(2);
      }
      delays.push(performance.now() - committedMs);
    }
    return delays.sort((a, b) => a - b);
  } finally {
    await Promise.all([root.end(), leaf.end()]);
  }
}
