/** Finding the databases of a server. On a server of its own: a ticker that takes all databases would tick those of other tests. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tickOnce } from '../../src/queue/tick-once.ts';
import { createTicker } from '../../src/queue/ticker-service.ts';
import { defaultTickerSettings, type TickerSettings } from '../../src/queue/ticker-settings.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { createDatabaseAt, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { type LogLines, logLines } from '../support/log-lines.ts';
import { openProxy } from '../support/proxy.ts';

let cluster: Cluster;
let made: TestDatabase[];
let logged: LogLines;
let stop: AbortController;
let running: Promise<void>;

beforeAll(async () => {
  cluster = await startCluster(14);
});
afterAll(() => cluster.destroy());
beforeEach(() => {
  made = [];
  logged = logLines('debug');
  stop = new AbortController();
  running = Promise.resolve();
});
afterEach(async () => {
  stop.abort();
  await running.catch(() => {});
  await Promise.all(made.map((db) => db.drop()));
});

/** A database with a queue q and one event that no tick covers. */
async function withEvent(): Promise<TestDatabase> {
  const db = await createDatabaseAt(cluster.url('postgres'));
  made.push(db);
  await db.sql(`select pgq.create_queue('q')`);
  await db.sql(`select pgq.insert_event('q', 'type', 'x')`);
  return db;
}
const tickCount = async (db: TestDatabase): Promise<number> =>
  (await db.sql('select count(*)::int as n from pgq.tick'))[0].n;
const ticked = (db: TestDatabase): Promise<number> =>
  eventually(
    () => tickCount(db),
    (n) => n >= 2,
  );
const settings = (): TickerSettings => ({
  ...defaultTickerSettings(''),
  baseConnstr: cluster.url(''),
  initialDatabase: 'postgres',
  checkPeriodMs: 100,
  exceptionSleepMs: 200,
});
function start(of: TickerSettings): void {
  running = createTicker(of, logged.log).run(stop.signal);
}

describe('without a list', () => {
  it('finds databases by itself: new ones are served, dropped ones are let go', async () => {
    const first = await withEvent();
    start(settings());
    await ticked(first);
    const second = await withEvent();
    await ticked(second);
    await second.drop();
    made.pop();
    await eventually(() => logged.lines.includes(`INFO Unregister database: ${second.name}`));
    expect(logged.lines.filter((line) => line.startsWith('INFO') && line.includes('ignoring'))).toEqual([]);
  });

  it('waits for a server that is not up', async () => {
    const db = await withEvent();
    const proxy = await openProxy(cluster.url('postgres'));
    proxy.refuse();
    start({ ...settings(), baseConnstr: proxy.url });
    await eventually(() =>
      logged.lines.some((line) => line.includes('list of databases: ') && line.includes('attempt 1')),
    );
    await proxy.accept();
    await ticked(db);
    await proxy.close();
  });

  it('passes over databases without PgQ that nobody named', async () => {
    const good = await withEvent();
    made.push(await createDatabaseAt(cluster.url('postgres'), { install: false }));
    const result = await tickOnce(settings(), logged.log, stop.signal);
    expect(result.databases).toBe(1);
    expect(await tickCount(good)).toBe(2);
    expect(
      logged.lines.filter((line) => line.includes('not installed') && !line.startsWith('DEBUG')),
    ).toEqual([]);
  });
});
