import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FailpointName } from '../../src/runtime/failpoint.ts';
import { eventually } from '../support/eventually.ts';
import { type FaultSet, startFaultSet } from '../support/fault-set.ts';

/** Every edge of durability that a leaf's worker passes. */
const EDGES: FailpointName[] = [
  'copy-claimed',
  'copy-tick-made',
  'copy-rows-loaded',
  'copy-committed',
  'copy-caught-up',
  'copy-wanna-sync',
  'sync-applied',
  'sync-committed',
  'batch-opened',
  'batch-applied',
  'batch-committed',
  'batch-finished',
  'watermark-sent',
];

describe('a worker that dies at an edge of durability', () => {
  let set: FaultSet;
  beforeAll(async () => {
    set = await startFaultSet();
  });
  afterEach(() => set?.killAll());
  afterAll(() => set?.destroy());

  it.each(EDGES)(
    'goes on after %s',
    async (edge) => {
      const table = `t_${edge.replaceAll('-', '_')}`;
      for (const side of ['root', 'leaf'] as const)
        await set.sql(
          side,
          `create table ${table} (id int primary key, v int); create table ${table}_log (n int)`,
        );
      await set.sql(
        'root',
        `insert into ${table} select g, g from generate_series(1, ${edge === 'sync-applied' ? 400_000 : 500}) g`,
      );
      await set.command(set.rootIni, 'add-table', table);
      await set.command(set.rootIni, 'add-table', `${table}_log`, '--insert-only');
      await set.command(set.leafIni, 'add-table', table, `${table}_log`);
      const write = (): Promise<unknown> =>
        set.sql(
          'root',
          `update ${table} set v = v + 1 where id % 2 = 0 and id < 500; delete from ${table} where id % 50 = 3 and id < 500; insert into ${table} select max(id) + 1, 0 from ${table}; insert into ${table}_log select 1`,
        );
      const dying = set.start([set.leafIni, 'worker', '-v'], { KAJA_FAILPOINT: edge });
      // The worker has to be ahead of the copy's tick when the copy is done.
      if (edge === 'sync-applied')
        await eventually(
          () => dying.output(),
          (text) => text.includes(`Starting full copy of public.${table} `),
        );
      let over = false;
      void dying.ended.then(() => {
        over = true;
      });
      for (let n = 0; !over && n < 200; n++) {
        await write();
        await set.sql('root', 'select * from kaja.poll_ticks()');
      }
      if (!over) dying.child.kill('SIGTERM');
      expect(await dying.ended, dying.output()).toBe('SIGKILL');
      await write();
      const healthy = set.start([set.leafIni, 'worker']);
      await set.settled(30_000);
      healthy.child.kill('SIGTERM');
      expect(await healthy.ended, healthy.output()).toBe(0);
      await set.expectEqual(table);
      await set.expectEqual(`${table}_log`);
    },
    90_000,
  );
});
