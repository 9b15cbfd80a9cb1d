/** Compare and repair of a big table, against reading both sides once with a plain checksum query. */
import { accountTables } from '../suite/accounts.ts';
import { type KajaSite, kajaSite } from '../suite/kaja-site.ts';
import { query, secondsOf } from '../suite/query.ts';
import { difference } from '../suite/site.ts';
import type { Run, Subject } from '../suite/subject.ts';

const CHECKSUM = 'select count(*), sum(hashtextextended(t::text, 0)) from accounts t';

/** As role replica, so that no trigger sees it. */
const DAMAGE = `
  set session_replication_role = replica;
  update accounts set abalance = 1 where aid = 7;
  delete from accounts where aid = 77;
  insert into accounts values (-1, 1, 1, 'intruder')`;

const DIFFERS = [1];
const EQUAL = [0];

async function oneRound(run: Run, site: KajaSite, rows: number): Promise<void> {
  const plain = await secondsOf(() =>
    Promise.all([query(site.provider, CHECKSUM), query(site.subscriber, CHECKSUM)]),
  );
  run.book.add('compare', `compare ${rows} equal rows`, 'plain checksum', plain, 's');
  const compare = await secondsOf(() => site.onLeaf(EQUAL, 'compare', 'accounts'));
  run.book.add('compare', `compare ${rows} equal rows`, 'kaja', compare, 's');
  await query(site.subscriber, DAMAGE);
  await site.onLeaf(DIFFERS, 'compare', 'accounts');
  const repair = await secondsOf(() => site.onLeaf(EQUAL, 'repair', '--apply', 'accounts'));
  run.book.add('compare', `repair 3 of ${rows} rows`, 'kaja', repair, 's');
  const wrong = await difference(site, ['accounts']);
  if (wrong) run.book.fail('compare', 'kaja', wrong);
}

/** 1,000,000 accounts (quick: 200,000). */
export const compare: Subject = {
  name: 'compare',
  measure: async (run: Run) => {
    const rows = run.quick ? 200_000 : 1_000_000;
    const setup = accountTables(rows);
    const site = await kajaSite(run.servers, 'bench_compare', setup.schema);
    try {
      await query(site.provider, setup.seed);
      await site.publish(setup.tables);
      await site.subscribe(setup.tables);
      for (const url of [site.provider, site.subscriber]) await query(url, 'vacuum analyze accounts');
      for (let round = 1; round <= run.rounds; round++) {
        run.note(`round ${round}`);
        await oneRound(run, site, rows);
      }
    } finally {
      await site.close();
    }
  },
};
