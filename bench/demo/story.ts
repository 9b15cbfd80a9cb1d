/** What the demo shows, chapter by chapter. Throws when something does not come out as it should. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureDelays } from './delay.ts';
import { kajaProgram } from './kaja-program.ts';
import { digestOf, type Side } from './same-rows.ts';
import { chapter, say } from './screen.ts';
import { createWorkload, startTraffic } from './workload.ts';
import { type CleanUp, createWorld, type World } from './world.ts';

/** How big the demo is. */
export interface Size {
  readonly users: number;
  readonly connections: number;
  /** Delay measurements; each takes one delay. */
  readonly probes: number;
}

const FILTER = 'userid < 1000';
const RENAMED = { user_info: 'member.person', user_session: 'member.visit' } as const;
const TABLES = ['user_info', 'user_session', 'user_login_rec', 'user_logout_rec'] as const;

/** Damage that no replicated change explains: as role replica, so that no trigger sees it. */
const DAMAGE = `
  set session_replication_role = replica;
  update user_info set email = 'nobody@example.org' where userid = 7;
  delete from user_session where userid = 8;
  insert into user_info (userid, engname) values (-1, 'intruder');`;

/**
 * Tell the whole story.
 * @param signal aborts it between two steps, and the step in hand
 * @returns the world, still there, for `--stay`
 */
export async function tellStory(size: Size, cleanUp: CleanUp, signal: AbortSignal): Promise<World> {
  chapter('Two servers: PostgreSQL 15 with the data, PostgreSQL 18 empty');
  const world = await createWorld(cleanUp);
  signal.throwIfAborted();
  await createWorkload(world.rootUrl, size.users);
  say(`${size.users} users and their sessions in database game; databases game_copy and members are empty`);
  say(`\nleaf1.ini, as example:\n${readFileSync(join(world.dir, 'leaf1.ini'), 'utf8').trimEnd()}`);
  const kaja = kajaProgram(world.dir, signal);

  chapter('One root, two leaves');
  await kaja.run(0, 'root.ini', 'create-root');
  await kaja.run(0, 'leaf1.ini', 'create-leaf');
  await kaja.run(0, 'leaf2.ini', 'create-leaf');

  chapter('All workers and the ticker as one process, in the background');
  const process = kaja.start('run', 'root.ini', 'leaf1.ini', 'leaf2.ini', 'ticker.ini');
  cleanUp.add(() => process.stop());

  chapter('The root publishes its tables');
  await kaja.run(0, 'root.ini', 'add-table', '--all');

  chapter(`Traffic: ${size.connections} connections log users in and out from now on`);
  const traffic = await startTraffic(world.rootUrl, size.users, size.connections);
  cleanUp.add(() => traffic.stop());

  chapter('Leaf 1 takes everything; the tables are created, indexes after the copy');
  await kaja.run(0, 'leaf1.ini', 'add-table', '--all', '--create-full');
  await kaja.run(0, 'leaf1.ini', 'wait-sync', '--timeout', '120');
  await kaja.run(0, 'leaf1.ini', 'tables');

  chapter('Leaf 2 takes two tables, under other names, and only some rows');
  for (const [table, renamed] of Object.entries(RENAMED))
    await kaja.run(
      0,
      'leaf2.ini',
      'add-table',
      table,
      '--create',
      '--dest-table',
      renamed,
      '--where',
      FILTER,
    );
  await kaja.run(0, 'leaf2.ini', 'wait-sync', '--timeout', '60');

  chapter('How it is going');
  const delays = await measureDelays(world.rootUrl, world.leaf1Url, size.probes);
  say(
    `a login is visible on leaf 1 after ${middle(delays)} ms (median of ${size.probes}), ${milliseconds(delays.at(-1))} ms at worst`,
  );
  await kaja.run(0, 'root.ini', 'status');

  chapter('Compare while the traffic goes on: nobody waits, both sides at the same tick');
  await kaja.run(0, 'leaf1.ini', 'compare');
  await kaja.run(0, 'leaf2.ini', 'compare');

  chapter('Damage three rows on leaf 1, find them, repair them');
  say(DAMAGE.trim().replaceAll(/^ +/gm, ''));
  await world.query(world.leaf1Url, DAMAGE);
  await kaja.run(1, 'leaf1.ini', 'compare');
  await kaja.run(0, 'leaf1.ini', 'repair', '--apply', '--delete-extra');
  await kaja.run(0, 'leaf1.ini', 'compare');

  chapter('Stop the traffic and count for ourselves: every row as text, sorted, hashed by both servers');
  const done = await traffic.stop();
  say(`${done.transactions} transactions in ${done.seconds.toFixed(1)} s, each with an insert and an update`);
  for (const leaf of ['leaf1.ini', 'leaf2.ini']) await kaja.run(0, leaf, 'wait-root', '--timeout', '60');
  signal.throwIfAborted();
  await checkRows(world);
  process.check();
  return world;
}

async function checkRows(world: World): Promise<void> {
  for (const table of TABLES) {
    await checkPair(`leaf1 ${table}`, { url: world.rootUrl, table }, { url: world.leaf1Url, table });
  }
  for (const [table, renamed] of Object.entries(RENAMED)) {
    await checkPair(
      `leaf2 ${table} as ${renamed}`,
      { url: world.rootUrl, table, where: FILTER },
      { url: world.leaf2Url, table: renamed },
    );
  }
}

async function checkPair(what: string, source: Side, dest: Side): Promise<void> {
  const [left, right] = await Promise.all([digestOf(source), digestOf(dest)]);
  const equal = left.rows === right.rows && left.hash === right.hash;
  say(`${equal ? 'same' : 'DIFFERENT'}: ${what}: ${left.rows} rows, ${left.hash}`);
  if (!equal) throw new Error(`${what}: there are ${right.rows} rows, ${right.hash}`);
}

const milliseconds = (value: number | undefined): string => (value ?? Number.NaN).toFixed(0);
const middle = (sorted: readonly number[]): string => milliseconds(sorted[Math.floor(sorted.length / 2)]);
