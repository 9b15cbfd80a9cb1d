import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultSet, type Running, startFaultSet } from '../support/fault-set.ts';

const SECONDS = Number(process.env.KAJA_FAULT_SECONDS ?? 25);
const SEED = Number(process.env.KAJA_SEED ?? Date.now() % 100_000);

/** Small repeatable generator (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe(`kill -9 of worker, ticker and servers under load (KAJA_SEED=${SEED}, KAJA_FAULT_SECONDS=${SECONDS})`, () => {
  let set: FaultSet;
  beforeAll(async () => {
    set = await startFaultSet();
    for (const side of ['root', 'leaf'] as const) {
      await set.sql(
        side,
        `create table account (id int primary key, balance int not null, note text); create table journal (n int, note text); create table late (id int primary key, v text)`,
      );
    }
    await set.sql(
      'root',
      `insert into account select g, 0, null from generate_series(1, 200) g; insert into late select g, repeat('x', 100) from generate_series(1, 20000) g`,
    );
    await set.command(set.rootIni, 'add-table', 'account', 'late');
    await set.command(set.rootIni, 'add-table', 'journal', '--insert-only');
    await set.command(set.leafIni, 'add-table', 'account', 'journal');
  });
  afterAll(() => set?.destroy());

  it(
    'loses nothing and applies nothing twice',
    async () => {
      const chance = random(SEED);
      const until = Date.now() + SECONDS * 1000;
      let committed = 0;
      const writer = async (name: string, pick: () => number): Promise<void> => {
        let client: pg.Client | undefined;
        for (let n = 0; Date.now() < until; n++) {
          try {
            if (!client) {
              client = new pg.Client({ connectionString: set.root.url('postgres') });
              client.on('error', () => {});
              await client.connect();
            }
            const a = 1 + Math.floor(pick() * 200);
            await client.query(`begin; update account set balance = balance + 1, note = '${name} ${n}' where id = ${a}; insert into journal values (${n}, '${name}');
            ${n % 5 === 0 ? `delete from account where id = ${a + 300}; insert into account values (${a + 300}, ${n}, 'new')` : ''}; ${n % 7 === 0 ? `update late set v = 'w' || ${n} where id = ${a}` : ''}; commit`);
            committed++;
          } catch {
            // The server was killed: a commit without an answer may or may not have happened, both sides must agree all the same.
            await client?.end().catch(() => {});
            client = undefined;
            await sleep(50);
          }
        }
        await client?.end();
      };
      const keep = (words: string[]): { kill: () => void; stop: () => Promise<void> } => {
        let running: Running | undefined;
        let stopped = false;
        const done = (async () => {
          while (!stopped) {
            running = set.start(words);
            await running.ended;
          }
        })();
        return {
          kill: () => running?.child.kill('SIGKILL'),
          stop: async () => {
            stopped = true;
            running?.child.kill('SIGTERM');
            await done;
          },
        };
      };
      const worker = keep([set.leafIni, 'worker']);
      const ticker = keep(['ticker', set.tickerIni]);
      const writers = ['a', 'b', 'c'].map((name, n) => writer(name, random(SEED + n)));
      const faults: string[] = [];
      let added = false;
      while (Date.now() < until - 3000) {
        await sleep(1000 + chance() * 2000);
        const die = chance();
        if (die < 0.45) {
          faults.push('worker');
          worker.kill();
        } else if (die < 0.65) {
          faults.push('ticker');
          ticker.kill();
        } else {
          const cluster = die < 0.82 ? set.root : set.leaf;
          faults.push(cluster === set.root ? 'root server' : 'leaf server');
          await cluster.crash();
          await cluster.start();
        }
        if (!added && faults.length >= 2) {
          await set.command(set.leafIni, 'add-table', 'late');
          added = true;
        }
      }
      await Promise.all(writers);
      await set.settled(60_000);
      await worker.stop();
      await ticker.stop();
      expect(committed).toBeGreaterThan(100);
      for (const table of ['account', 'journal', 'late']) await set.expectEqual(table);
      const diverged = await set.sql(
        'leaf',
        'select * from kaja.table_stats where update_missing + delete_missing + insert_found > 0',
      );
      expect(diverged, `faults: ${faults.join(', ')}`).toEqual([]);
    },
    SECONDS * 1000 + 120_000,
  );
});
