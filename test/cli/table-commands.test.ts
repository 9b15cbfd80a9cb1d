/** Wrong input to the table and sequence commands: one line, the right exit code. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPair, type NodePair, runKaja } from '../support/node-pair.ts';

let pair: NodePair;

beforeAll(async () => {
  pair = await createPair();
  await pair.root.sql('create table public.orders (id int primary key)');
});
afterAll(async () => {
  await pair.drop();
});

describe('wrong input', () => {
  it.each<[string[], number, RegExp]>([
    [['add-table', '--nonsense', 'x'], 2, /unknown option '--nonsense'/],
    [['add-table', 'orders', '--all'], 2, /--all and names exclude each other/],
    [['add-table', 'ordres'], 2, /not available: public\.ordres; did you mean public\.orders\?/],
    [['add-table', 'orders', '--key', 'a', '--whole-row'], 2, /--key and --whole-row exclude each other/],
    [['add-table', 'orders', '--key', 'a,,b'], 2, /--key needs column names/],
    [['add-table', 'orders', '--key', 'a,a'], 2, /--key names a column twice/],
    [['add-table', 'orders', '--max-parallel-copy', 'many'], 2, /--max-parallel-copy needs a whole number/],
    [['add-table', 'orders', '--trigger-flags', 'XYZ'], 2, /--trigger-flags knows the letters/],
    [['add-table', 'orders', '--where', ' '], 2, /--where is empty/],
    [['add-table', 'orders', '--truncate', '--skip-truncate'], 2, /exclude each other/],
    [['add-table', 'orders', '--truncate', '--expect-sync'], 2, /exclude each other/],
    [['add-table', 'orders', '--find-copy-node'], 5, /--find-copy-node is not in this version/],
    [['add-table', 'orders', '--copy-node', 'n'], 5, /--copy-node is not in this version/],
    [['add-table', 'orders', '--handler', 'part'], 5, /--handler is not in this version/],
    [['add-table', 'orders', '--merge-all'], 5, /--merge-all is not in this version/],
    [['resync', 'orders', '--copy-node', 'n'], 5, /--copy-node is not in this version/],
    [['change-handler', 'orders', '--handler', 'x'], 5, /change-handler is not in this version/],
    [['show-handlers'], 5, /show-handlers is not in this version/],
    [['wait-sync', '--timeout', '-1'], 2, /./],
    [['wait-sync', '--timeout', 'soon'], 2, /--timeout needs a whole number/],
    [['tables', 'x'], 2, /too many arguments/],
    [['remove-table', 'nothing'], 2, /not available: public\.nothing/],
    [['remove-seq', 'nothing'], 2, /not available: public\.nothing/],
  ])('%j', async (words, code, text) => {
    const result = await pair.onRoot(...words);
    expect(result.err).toMatch(text);
    expect(result.code).toBe(code);
    expect(result.out).toBe('');
    expect(result.err).not.toMatch(/\n\s+at /);
    expect(await pair.root.sql('select table_name from londiste.table_info')).toEqual([]);
  });

  it('has nothing to do without names', async () => {
    for (const command of ['add-table', 'remove-table', 'add-seq', 'remove-seq']) {
      const result = await pair.onRoot(command);
      expect(result.err).toContain('what to do ?');
      expect(result.code).toBe(0);
    }
  });

  it('names a database that is no node, and a provider that is down', async () => {
    const other = await pair.onRoot('tables', '--set', 'queue_name=other_q');
    expect(other.err).toMatch(/database is no node of queue other_q .*create-root or create-leaf/);
    expect(other.code).toBe(5);
    await pair.leaf.sql(
      `update pgq_node.node_location set node_location = 'host=127.0.0.1 port=1 dbname=x' where node_name = 'root'`,
    );
    const down = await pair.onLeaf('add-table', 'orders');
    expect(down.err).toMatch(/cannot connect to x at 127\.0\.0\.1/);
    expect(down.code).toBe(4);
    expect((await pair.onLeaf('tables')).code).toBe(0);
  });

  it('wants an ini', async () => {
    const result = await runKaja('add-table', 'orders');
    expect(result.code).toBe(2);
    expect(result.err).toContain('need config file');
  });
});
