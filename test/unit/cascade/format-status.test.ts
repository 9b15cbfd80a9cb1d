/** The shape of `status`: tree, order of nodes, compact form, lag. */
import { describe, expect, it } from 'vitest';
import { formatLag, formatStatus } from '../../../src/cascade/format-status.ts';
import type { NodeReport } from '../../../src/cascade/node-report.ts';
import { paceOf } from '../../../src/cascade/node-report.ts';
import type { MemberReport } from '../../../src/cascade/set-report.ts';

interface Sketch {
  readonly provider?: string;
  readonly type?: 'root' | 'branch' | 'leaf';
  readonly lag?: number | null;
  readonly tick?: bigint;
  readonly tables?: readonly [number, number, number];
  readonly location?: string;
  readonly changes?: Partial<NodeReport>;
  readonly info?: Partial<NodeReport['info']>;
}

function node(name: string, sketch: Sketch): MemberReport {
  const type = sketch.type ?? 'leaf';
  const [ok, half, ignored] = sketch.tables ?? [0, 0, 0];
  return {
    name,
    location: sketch.location ?? 'host=h',
    dead: false,
    failure: null,
    lagSeconds: sketch.lag ?? null,
    report: {
      info: {
        type,
        name,
        providerNode: sketch.provider ?? name,
        providerLocation: '',
        workerName: name,
        paused: false,
        uptodate: true,
        lastTick: sketch.tick ?? null,
        combinedQueue: null,
        combinedType: null,
        attrs: null,
        ...sketch.info,
      },
      tickerLagSeconds: null,
      tables: { ok, half, ignored },
      errors: [],
      subscribers: [],
      attrs: new Map(),
      troubled: [],
      ...sketch.changes,
    },
  };
}

const dead = (name: string, failure: string | null = null): MemberReport => ({
  name,
  location: 'host=h',
  dead: failure === null,
  failure,
  lagSeconds: null,
  report: undefined,
});

const show = (members: readonly MemberReport[], compact = false): string[] =>
  formatStatus({ queue: 'specq', localNode: 'n1', members }, { compact }).split('\n');

const n1 = node('n1', { type: 'root', lag: 2.9, tick: 121n, tables: [3, 0, 0] });
const n2 = node('n2', {
  type: 'branch',
  provider: 'n1',
  lag: 3,
  tick: 145n,
  tables: [0, 2, 1],
  info: { paused: true },
});
const n3 = node('n3', {
  provider: 'n2',
  lag: 5,
  tick: 120n,
  tables: [3, 0, 1],
  changes: { errors: [{ consumer: 'spec_c3', error: 'first line of the error\nsecond' }] },
});

describe('status', () => {
  it('looks as in Londiste', () => {
    expect(show([n1, n2, n3])).toEqual([
      'Queue: specq   Local node: n1',
      '',
      'n1 (root)',
      '  |                           Tables: 3/0/0',
      '  |                           Lag: 2s, Tick: 121',
      '  +--: n2 (branch)',
      '     |                        Tables: 0/2/1',
      '     |                        Lag: 3s, Tick: 145, PAUSED',
      '     +--: n3 (leaf)',
      '                              Tables: 3/0/1',
      '                              Lag: 5s, Tick: 120',
      '                              ERR: spec_c3: first line of the error',
    ]);
  });

  it('draws bars beside nodes that have younger siblings, small subtrees first', () => {
    const lines = show([
      n1,
      n2,
      n3,
      node('n0', { provider: 'n1', location: "dbname=x service='zz'" }),
      node('n9', { provider: 'n1' }),
    ]);
    expect(lines.filter((line) => line.includes('('))).toEqual([
      'n1 (root)',
      '  +--: n9 (leaf)',
      '  |                           Lag: (n/a), Tick: (n/a)',
      '  +--: n0 (leaf, zz)',
      '  |                           Lag: (n/a), Tick: (n/a)',
      '  +--: n2 (branch)',
      '     +--: n3 (leaf)',
    ]);
  });

  it('shows dead nodes where they belong, or beside the root, and circles once', () => {
    const root = node('n1', { type: 'root', changes: { subscribers: ['n2'] } });
    const titles = (members: readonly MemberReport[]): string[] =>
      show(members).filter((line) => /\w \(\w/.test(line) || line.startsWith('Node'));
    expect(titles([root, dead('n2', 'cannot connect\nat all'), node('n3', { provider: 'n2' })])).toEqual([
      "Node 'n2' failure: cannot connect",
      'n1 (root)',
      '  +--: n2 (dead)',
      '     +--: n3 (leaf)',
    ]);
    expect(titles([dead('n1'), node('n3', { provider: 'n1' }), dead('n4')])).toEqual([
      'n4 (dead)',
      'n1 (dead)',
      '  +--: n3 (leaf)',
    ]);
    const circle = [
      node('a', { type: 'branch', provider: 'b' }),
      node('b', { type: 'branch', provider: 'a' }),
    ];
    expect(titles(circle)).toEqual(['a (branch)', '  +--: b (branch)']);
  });

  it('puts a node on one line with --compact', () => {
    expect(show([n1, n2], true).slice(2)).toEqual([
      `${'n1 (root)'.padEnd(60)}${'Tables: 3/0/0'.padEnd(30)}Lag: 2s, Tick: 121`,
      `${'   n2 (branch)'.padEnd(60)}${'Tables: 0/2/1'.padEnd(30)}Lag: 3s, Tick: 145, PAUSED`,
    ]);
  });

  it('marks large lags in red only where colours are wanted', () => {
    const set = { queue: 'q', localNode: 'n', members: [node('n', { type: 'root', lag: 61, tick: 1n })] };
    expect(formatStatus(set)).toContain('Lag: 1m1s,');
    expect(formatStatus(set, { colours: true })).toContain('\u001b[31mLag: 1m1s\u001b[0m,');
  });

  it('shows attributes and stale settings, and does not list thousands of waiting tables', () => {
    const table = {
      mergeState: null,
      rowsCopied: null,
      rowsTotal: null,
      rowsPerSecond: null,
      secondsLeft: null,
      copyError: null,
      updateMissing: 0n,
      deleteMissing: 0n,
      insertFound: 0n,
      lastDiverged: null,
    };
    const many = Array.from({ length: 3000 }, (_, n) => ({ ...table, table: `public.t${n}` }));
    const lines = show([
      node('n', {
        type: 'root',
        info: { uptodate: false },
        changes: { attrs: new Map([['sync_watermark', 'a,b']]), troubled: many },
      }),
    ]).map((line) => line.trim());
    expect(lines.slice(3)).toEqual([
      'Tables: 0/0/0',
      'Lag: (n/a), Tick: (n/a), NOT UPTODATE',
      'Attr: sync_watermark=a,b',
      'Copy: 3000 more tables wait',
    ]);
  });
});

describe('figures', () => {
  it.each([
    [null, '(n/a)'],
    [0, '0s'],
    [59.9, '59s'],
    [60, '1m0s'],
    [3600, '1h0s'],
    [90_061, '1d1h1m1s'],
    [-3, '0s'],
  ])('prints %s seconds as %s', (seconds, text) => {
    expect(formatLag(seconds)).toBe(text);
  });

  it('knows no speed before rows arrive, and no end beyond the estimate', () => {
    expect(paceOf({ rowsCopied: 0n, rowsTotal: 10n }, 5)).toEqual({ rowsPerSecond: null, secondsLeft: null });
    expect(paceOf({ rowsCopied: 10n, rowsTotal: 110n }, 5)).toEqual({ rowsPerSecond: 2, secondsLeft: 50 });
    expect(paceOf({ rowsCopied: 10n, rowsTotal: 5n }, 5)).toEqual({ rowsPerSecond: 2, secondsLeft: null });
    expect(paceOf({ rowsCopied: 10n, rowsTotal: null }, null)).toEqual({
      rowsPerSecond: null,
      secondsLeft: null,
    });
  });
});
