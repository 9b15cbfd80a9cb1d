/** Compare and repair of a big table, against reading both sides once with a plain checksum query. */
import { accountTables } from '../suite/accounts.ts';
import type { NodeSite } from '../suite/node-site.ts';
import { withNodeSites } from '../suite/open-sites.ts';
import { query, secondsOf } from '../suite/query.ts';
import { difference } from '../suite/site.ts';
import { nodeContenders, type Run, type Subject } from '../suite/subject.ts';

const CHECKSUM = 'select count(*), sum(hashtextextended(t::text, 0)) from accounts t';

/** As role replica, so that no trigger sees it. */
const DAMAGE = `
  set session_replication_role = replica;
  update accounts set abalance = 1 where aid = 7;
  delete from accounts where aid = 77;
  insert into accounts values (-1, 1, 1, 'intruder')`;

const DIFFERS = [1];
const EQUAL = [0];
const MEGABYTE = 1e6;

async function plainChecksum(run: Run, site: NodeSite, rows: number): Promise<void> {
  const seconds = await secondsOf(() =>
    Promise.all([query(site.provider, CHECKSUM), query(site.subscriber, CHECKSUM)]),
  );
  run.book.add('compare', `compare ${rows} equal rows`, 'plain checksum', seconds, 's');
}

async function oneRound(run: Run, site: NodeSite, rows: number): Promise<void> {
  const add = (what: string, value: number, unit: string): void =>
    run.book.add('compare', what, site.name, value, unit);
  add(`compare ${rows} equal rows`, await secondsOf(() => site.onLeaf(EQUAL, 'compare', 'accounts')), 's');
  await query(site.subscriber, DAMAGE);
  await site.onLeaf(DIFFERS, 'compare', 'accounts');
  // Londiste deletes without being told.
  const deletes = site.name === 'londiste' ? [] : ['--delete-extra'];
  const repair = await secondsOf(() => site.onLeaf(EQUAL, 'repair', '--apply', ...deletes, 'accounts'));
  add(`repair 3 of ${rows} rows`, repair, 's');
  const wrong = await difference(site, ['accounts']);
  if (wrong) run.book.fail('compare', site.name, wrong);

  await query(site.subscriber, DAMAGE);
  const moved = await site.countOnLeaf(EQUAL, 'repair', '--apply', ...deletes, 'accounts');
  add(`repair 3 of ${rows} rows, moved from and to the provider`, moved.provider / MEGABYTE, 'MB');
  add(`repair 3 of ${rows} rows, moved in all`, (moved.provider + moved.subscriber) / MEGABYTE, 'MB');
  const left = await difference(site, ['accounts']);
  if (left) run.book.fail('compare', site.name, left);
}

/** 1,000,000 accounts (quick: 100,000). */
export const compare: Subject = {
  name: 'compare',
  measure: async (run: Run) => {
    const rows = run.quick ? 100_000 : 1_000_000;
    await withNodeSites(run.servers, nodeContenders(run), accountTables(rows), async (sites) => {
      for (const { provider, subscriber } of sites)
        for (const url of [provider, subscriber]) await query(url, 'vacuum analyze accounts');
      for (let round = 1; round <= run.rounds; round++) {
        for (const site of sites) {
          run.note(`round ${round}: ${site.name}`);
          await plainChecksum(run, site, rows);
          await oneRound(run, site, rows);
        }
      }
    });
  },
};
