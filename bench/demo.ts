/**
 * `npm run demo`: a root and two leaves on real servers, with the real program, under traffic, in about a minute.
 * `-- --quick` takes fewer rows; `-- --stay` leaves everything running at the end, to play with, until Ctrl-C.
 * Exit code 0 only if every comparison came out as it should. Nothing is left behind, also when interrupted.
 */
import { buildIfStale, MAIN } from './demo/fresh-build.ts';
import { elapsed, say } from './demo/screen.ts';
import { type Size, tellStory } from './demo/story.ts';
import { CleanUp } from './demo/world.ts';

const FULL: Size = { users: 200_000, connections: 4, probes: 40 };
const QUICK: Size = { users: 20_000, connections: 3, probes: 20 };

async function main(words: readonly string[]): Promise<number> {
  const unknown = words.find((word) => word !== '--quick' && word !== '--stay');
  if (unknown !== undefined) {
    say(`demo: unknown word ${unknown}; there are --quick and --stay`);
    return 2;
  }
  const stop = new AbortController();
  let received: NodeJS.Signals | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!received) say(`\ngot ${name}: cleaning up`);
      received ??= name;
      stop.abort();
    });
  }
  const cleanUp = new CleanUp();
  try {
    if (await buildIfStale(stop.signal)) say(`built dist/ in ${elapsed()} s`);
    const world = await tellStory(words.includes('--quick') ? QUICK : FULL, cleanUp, stop.signal);
    say(`\nEverything came out as it should, in ${elapsed()} s.`);
    if (words.includes('--stay')) {
      say(`\nIt all runs on until Ctrl-C. In another terminal:\n  cd ${world.dir}`);
      say(`  alias kaja='node ${MAIN}'\n  kaja leaf1.ini status\n  psql ${world.rootUrl}`);
      await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
    }
    return 0;
  } catch (error) {
    if (received) return received === 'SIGINT' ? 130 : 143;
    say(`\ndemo FAILED after ${elapsed()} s: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await cleanUp.run();
  }
}

process.exitCode = await main(process.argv.slice(2));
