/** Judges of the doctor: what cannot be provoked on a test server, and the lines between severities. */
import { describe, expect, it } from 'vitest';
import { judgeClock } from '../../../src/doctor/check-clock.ts';
import { judgeCollation, judgeCollations } from '../../../src/doctor/check-collation.ts';
import { judgePooler } from '../../../src/doctor/check-pooler.ts';
import { judgeSequence } from '../../../src/doctor/check-sequences.ts';
import { judgeServer, judgeSides } from '../../../src/doctor/check-server.ts';
import { takesAll } from '../../../src/doctor/check-structure.ts';
import { judgeTriggers } from '../../../src/doctor/check-triggers.ts';
import { duration, type Finding, listNames, size, type Verdict } from '../../../src/doctor/finding.ts';
import { formatFindings } from '../../../src/doctor/format-findings.ts';
import { placed } from '../../../src/doctor/run-checks.ts';
import { arrange } from '../../../src/doctor/run-doctor.ts';

const severities = (list: readonly Verdict[]): string[] => list.map((one) => one.severity);

describe('judgeServer', () => {
  const fine = {
    version: 180_001,
    encoding: 'UTF8',
    standby: false,
    readOnly: false,
    connectionsFree: 90,
    maxConnections: 100,
    roleFree: -1,
  };
  it('knows its versions', () => {
    expect(severities(judgeServer(fine, 10))).toEqual(['ok', 'ok']);
    expect(judgeServer({ ...fine, version: 130_010 }, 10)[0]).toMatchObject({
      severity: 'error',
      what: 'PostgreSQL 13 is too old',
    });
    expect(judgeServer({ ...fine, version: 190_000 }, 10)[0]?.severity).toBe('warning');
  });
  it('refuses a standby once, not also as read-only', () => {
    const verdicts = judgeServer({ ...fine, standby: true, readOnly: true }, 10);
    expect(verdicts.filter((one) => one.severity === 'error')).toMatchObject([
      { what: expect.stringContaining('standby') },
    ]);
  });
  it('counts the tighter of the limits', () => {
    expect(severities(judgeServer({ ...fine, roleFree: 9 }, 10))).toEqual(['ok', 'warning']);
    expect(severities(judgeServer({ ...fine, roleFree: 10 }, 10))).toEqual(['ok', 'ok']);
  });
  it('takes equal names on other servers for other databases', () => {
    const one = { version: 140_000, encoding: 'UTF8', database: 'shop', system: '1' };
    expect(severities(judgeSides(one, one))).toEqual(['ok', 'error']);
    expect(severities(judgeSides(one, { ...one, system: '2' }))).toEqual(['ok']);
    expect(severities(judgeSides({ ...one, system: null }, { ...one, system: null }))).toEqual(['ok']);
  });
});

describe('judgePooler', () => {
  const fine = {
    backends: 1,
    settingsLost: false,
    applicationNameLost: false,
    foreignPid: false,
    notified: true,
  };
  it('tells kinds of poolers apart', () => {
    expect(severities(judgePooler(fine))).toEqual(['ok']);
    expect(severities(judgePooler({ ...fine, foreignPid: true }))).toEqual(['info']);
    expect(severities(judgePooler({ ...fine, notified: false }))).toEqual(['warning']);
    expect(severities(judgePooler({ ...fine, backends: 2 }))).toEqual(['error']);
    expect(severities(judgePooler({ ...fine, settingsLost: true, notified: false }))).toEqual([
      'error',
      'warning',
    ]);
  });
});

describe('judgeClock', () => {
  it('does not blame the clock for a slow network', () => {
    expect(severities(judgeClock({ aheadSeconds: 1.5, uncertainSeconds: 0.6 }, 1, 'this host'))).toEqual([
      'ok',
    ]);
    expect(severities(judgeClock({ aheadSeconds: 1.5, uncertainSeconds: 0.1 }, 1, 'this host'))).toEqual([
      'warning',
    ]);
    expect(judgeClock({ aheadSeconds: -90, uncertainSeconds: 0 }, 1, 'this host')[0]?.what).toContain(
      '90 s behind this host',
    );
  });
});

describe('collations', () => {
  const libc = {
    database: 'a',
    collate: 'C',
    provider: 'libc',
    locale: null,
    recorded: null,
    actual: null,
    changed: [],
  };
  it('differ in name, provider or version', () => {
    expect(severities(judgeCollations(libc, { ...libc, database: 'b' }, ['t']))).toEqual(['ok']);
    const icu = { ...libc, provider: 'icu', locale: 'de', recorded: '1', actual: '1' };
    expect(judgeCollations(libc, icu, ['public.t'])[0]).toMatchObject({
      severity: 'info',
      what: expect.stringMatching(/libc C .* icu de 1 here; keys with text: public\.t/),
    });
    expect(judgeCollations(libc, icu, [])).toEqual([]);
  });
  it('that changed under an index are warnings', () => {
    expect(severities(judgeCollation(libc))).toEqual(['ok']);
    expect(judgeCollation({ ...libc, changed: ['public.german'] })[0]).toMatchObject({
      severity: 'warning',
      remedy: expect.stringContaining('alter collation public.german refresh version'),
    });
  });
});

describe('takesAll', () => {
  const column = (type: string, name: string) => ({
    attnum: 1,
    name: 'c',
    type,
    typeOid: 0,
    notNull: false,
    default: null,
    generated: null,
    identity: null,
    collation: null,
    base: { name: `pg_catalog.${name}`, category: 'N', depth: 0 },
  });
  const int = column('integer', 'int4');
  const bigint = column('bigint', 'int8');
  const short = column('character varying(5)', 'varchar');
  const long = column('character varying(9)', 'varchar');
  const varchar = column('character varying', 'varchar');
  it.each([
    [int, bigint, true],
    [bigint, int, false],
    [bigint, column('numeric', 'numeric'), true],
    [int, column('numeric(3,0)', 'numeric'), false],
    [short, long, true],
    [long, short, false],
    [varchar, short, false],
    [short, varchar, true],
    [varchar, column('text', 'text'), true],
    [column('json', 'json'), column('jsonb', 'jsonb'), false],
    [
      column('timestamp with time zone', 'timestamptz'),
      column('timestamp without time zone', 'timestamp'),
      false,
    ],
  ])('%#', (from, to, expected) => {
    expect(takesAll(from, to)).toBe(expected);
  });
});

describe('judgeTriggers', () => {
  const trigger = {
    name: 't',
    enabled: 'origin',
    functionName: 'public.f',
    timing: 'after',
    level: 'row',
    events: ['insert'],
    definition: '',
  } as const;
  it('depends on the role that applies', () => {
    const judge = (enabled: 'origin' | 'replica' | 'always' | 'disabled', role: 'replica' | 'marker') =>
      severities(judgeTriggers('public.a', [{ ...trigger, enabled }], role));
    expect([
      judge('origin', 'replica'),
      judge('replica', 'replica'),
      judge('always', 'replica'),
      judge('disabled', 'replica'),
    ]).toEqual([[], ['warning'], ['warning'], []]);
    expect([
      judge('origin', 'marker'),
      judge('replica', 'marker'),
      judge('always', 'marker'),
      judge('disabled', 'marker'),
    ]).toEqual([['warning'], ['info'], ['warning'], []]);
    expect(judgeTriggers('public.a', [{ ...trigger, functionName: 'kaja.deny_write' }], 'marker')).toEqual(
      [],
    );
  });
});

describe('findings', () => {
  const one = (where: string, severity: Finding['severity'], what: string, remedy = ''): Finding => ({
    check: 'c',
    where,
    severity,
    what,
    remedy,
  });
  it('are sorted by place and severity, and said once', () => {
    const list = arrange([
      one('a', 'ok', 'fine'),
      one('b', 'info', 'queue was not ticked for 40 s', 'kaja INI worker'),
      one('a', 'error', 'bad'),
      one('b', 'info', 'queue was not ticked for 41 s', 'kaja leaf.ini worker'),
      one('b', 'info', 'table t1'),
      one('b', 'info', 'table t2'),
    ]);
    expect(list.map((found) => found.what)).toEqual([
      'bad',
      'fine',
      'queue was not ticked for 41 s',
      'table t1',
      'table t2',
    ]);
  });
  it('take one line each', () => {
    const text = formatFindings(
      [one('db', 'error', 'two\nlines', 'do\n  this'), one('db', 'ok', 'fine')],
      false,
    );
    expect(text).toBe('db\n  error    c: two lines  ->  do this\n\n1 error, 0 warnings, 0 notes, 1 in order');
    expect(formatFindings([one('db', 'ok', 'fine')], true)).toContain('  ok       c: fine\n');
  });
  it('never show passwords', () => {
    const [found] = placed('c', 'db', [
      { severity: 'info', what: 'postgres://u:geheim@h/db', remedy: "password='geheim'" },
    ]);
    expect(JSON.stringify(found)).not.toContain('geheim');
  });
  it('have readable numbers', () => {
    expect([duration(5), duration(600), duration(7300), duration(400_000)]).toEqual([
      '5 s',
      '10 min',
      '2 h',
      '5 days',
    ]);
    expect([size(0), size(2048n), size(5 * 1024 ** 4)]).toEqual(['0 bytes', '2 kB', '5 TB']);
    expect(listNames(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
  });
  it('on sequences: only those behind', () => {
    const state = { sequence: 'public.s', table: 'public.t', column: 'id', last: 5n, max: 5n };
    expect(judgeSequence(state)).toEqual([]);
    expect(judgeSequence({ ...state, max: null })).toEqual([]);
    expect(severities(judgeSequence({ ...state, max: 6n }))).toEqual(['info']);
  });
});
