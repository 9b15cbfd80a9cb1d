import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type LondisteConfig,
  loadConfig,
  OPTION_TABLES,
  type TickerConfig,
} from '../../../src/config/load-config.ts';
import { fieldName, type OptionTable } from '../../../src/config/option-table.ts';
import { printSampleIni } from '../../../src/config/sample-ini.ts';
import { errorLine } from '../../../src/errors/error-line.ts';

const MINIMAL = 'db = dbname=x\nqueue_name = q\n';
const node = (text: string, overrides?: Record<string, string>): LondisteConfig =>
  loadConfig({
    path: '/c/shop.ini',
    kind: 'londiste',
    readText: () => text,
    overrides: overrides && new Map(Object.entries(overrides)),
  });
const inNode = (text: string, overrides?: Record<string, string>): LondisteConfig =>
  node(`[londiste]\n${MINIMAL}${text}`, overrides);
const ticker = (text: string): TickerConfig =>
  loadConfig({ path: '/c/pgqd.ini', kind: 'ticker', readText: () => text });
const failure = (load: () => unknown): string => {
  try {
    load();
  } catch (error) {
    return errorLine(error);
  }
  throw new Error('it was accepted');
};

describe('loadConfig', () => {
  it('fills defaults, converts units, freezes', () => {
    const config = inNode('');
    expect(config).toMatchObject({
      jobName: 'shop',
      consumerName: 'shop',
      loopDelayMs: 1000,
      exceptionSleepMs: 20_000,
      logSize: 10_485_760,
      copyJobs: 2,
      batchMaxEvents: 20_000,
      applyRole: 'auto',
      localOnly: false,
      registerOnlyTables: [],
      compareFmt: '%(cnt)d rows, checksum=%(chksum)s',
      configFile: '/c/shop.ini',
    });
    expect(Object.isFrozen(config)).toBe(true);
    expect(ticker('[pgqd]\n')).toMatchObject({
      tickerMinPeriodMs: 10,
      tickerMaxPeriodMs: 100,
      maintPeriodMs: 120_000,
    });
  });

  it('takes all section names', () => {
    for (const name of ['londiste', 'londiste3', 'kaja'])
      expect(node(`[${name}]\n${MINIMAL}`).section).toBe(name);
    for (const name of ['pgqd', 'kaja-ticker']) expect(ticker(`[${name}]\n`).section).toBe(name);
  });

  it('converts lists, sizes, switches', () => {
    const config = inNode(
      'register_only_tables = a.b, c.d ,\n  e.f\nlog_size = 10MB\nlocal_only = yes\nloop_delay = -1\n',
    );
    expect(config).toMatchObject({
      registerOnlyTables: ['a.b', 'c.d', 'e.f'],
      logSize: 10 * 1024 ** 2,
      localOnly: true,
      loopDelayMs: -1000,
    });
  });

  it('interpolates: %(key)s, predefined names, %%, [DEFAULT], own variables', () => {
    const text = `[DEFAULT]\nhost = h1\n[londiste]\nmydb = shop\ndb = dbname=%(mydb)s host=%(host)s password=a%%b
queue_name = %(job_name)s_q\nlogfile = %(config_dir)s/%(job_name)s.log\njob_name = %(job_name)s`;
    expect(node(text)).toMatchObject({
      db: 'dbname=shop host=h1 password=a%b',
      queueName: 'shop_q',
      logfile: '/c/shop.log',
      jobName: 'shop',
    });
  });

  it('interpolates references of the second format, also to other sections', () => {
    const text = `[londiste]\nconfig_format = 2\ndb = dbname=\${common:name}\nqueue_name = \${name}$$%(x)s\nname = n1\n[common]\nname = shop`;
    expect(node(text)).toMatchObject({ db: 'dbname=shop', queueName: 'n1$%(x)s' });
  });

  it('leaves percent signs of a pgqd file alone', () => {
    expect(ticker('[pgqd]\nbase_connstr = password=a%b%%c host=%(x)s').baseConnstr).toBe(
      'password=a%b%%c host=%(x)s',
    );
  });

  it('lets --set win', () => {
    expect(inNode('copy_jobs = 3', { copy_jobs: '5', db: 'dbname=%(job_name)s' })).toMatchObject({
      copyJobs: 5,
      db: 'dbname=shop',
    });
  });

  it('accepts keys of Londiste and pgqd that mean nothing here, and old names', () => {
    expect(inNode('pgq_lazy_fetch = 300\nhandler_modules = a.b\nuse_skylog = 0').queueName).toBe('q');
    expect(node('[londiste3]\ndb = dbname=x\npgq_queue_name = q7').queueName).toBe('q7');
    expect(ticker('[pgqd]\nsyslog = 1\nsyslog_ident = x').jobName).toBe('pgqd');
  });

  it.each<[string, string]>([
    ['loop_dealy = 1', '/c/shop.ini:4: unknown key "loop_dealy" in [londiste]; did you mean loop_delay?'],
    ['loop_delay = soon', '/c/shop.ini:4: loop_delay must be a number of seconds'],
    ['copy_jobs = 0', '/c/shop.ini:4: copy_jobs must be at least 1'],
    ['apply_role = both', '/c/shop.ini:4: apply_role must be one of auto, replica, marker'],
    [
      'compare_schedule = often',
      '/c/shop.ini:4: compare_schedule must be five cron fields, or six with seconds first',
    ],
    [
      'compare_schedule = 0 3 L-30 2 *',
      '/c/shop.ini:4: compare_schedule never comes: there is no such day ("0 3 L-30 2 *")',
    ],
    ['compare_auto_repair = maybe', '/c/shop.ini:4: compare_auto_repair must be 0 or 1'],
    ['compare_max_rows = -1', '/c/shop.ini:4: compare_max_rows must be at least 0'],
    [
      'job_timezone = Mars/Olympus',
      '/c/shop.ini:4: job_timezone must be the name of a time zone, such as Europe/Tallinn, not "Mars/Olympus"',
    ],
    ['job_missed = later', '/c/shop.ini:4: job_missed must be one of run, skip'],
    ['log_size = big', '/c/shop.ini:4: log_size must be a number of bytes, as 10485760 or 10MB'],
    [
      'logfile = %(jobname)s',
      '/c/shop.ini:4: logfile refers to unknown key "jobname"; did you mean job_name?',
    ],
    ['logfile = 100%', '/c/shop.ini:4: logfile holds a lone "%"; write %% for a percent sign'],
    ['logfile = %(pidfile)s\npidfile = %(logfile)s', '/c/shop.ini:5: pidfile refers to itself'],
    ['pgq_queue_name = x', '/c/shop.ini:3: queue_name and pgq_queue_name are the same key; keep one of them'],
    [
      'public_node_location = host db',
      "/c/shop.ini:4: public_node_location is not usable: connection string has no keyword=value pair at its start; write host=… dbname=… (values with blanks in '…') or postgres://…",
    ],
  ])('explains %j', (text, message) => expect(failure(() => inNode(text))).toBe(message));

  it('explains missing sections and keys', () => {
    expect(failure(() => node('[pgqd]\n'))).toBe('/c/shop.ini has no section [londiste]; it has [pgqd]');
    expect(failure(() => node('[londiste]\ndb = dbname=x'))).toMatch(
      /^\/c\/shop\.ini: queue_name is missing in \[londiste\]; add queue_name/,
    );
  });

  it('never shows the password of a wrong location', () => {
    expect(failure(() => inNode('public_node_location = host=a pasword=hunter2'))).not.toContain('hunter2');
  });
});

describe('printSampleIni', () => {
  for (const kind of ['londiste', 'ticker'] as const) {
    it(`prints a ${kind} sample that loads, with every comment line switched on too`, () => {
      const sample = printSampleIni(kind);
      const load = (text: string): Record<string, unknown> => ({
        ...loadConfig({ path: '/c/a.ini', kind, readText: () => text }),
      });
      const plain = load(sample);
      expect(load(sample.replace(/^#(\w+ =)/gm, '$1'))).toEqual(plain);
      for (const [key, spec] of Object.entries(OPTION_TABLES[kind] as OptionTable)) {
        if (spec.type === 'ignored') continue;
        expect(sample).toMatch(new RegExp(`^#?${key} =`, 'm'));
        expect(plain).toHaveProperty(fieldName(key, spec));
      }
    });
  }

  it('shows --set values in place of the defaults', () => {
    expect(printSampleIni('londiste', new Map([['copy_jobs', '7']]))).toMatch(/^copy_jobs = 7$/m);
    expect(() => printSampleIni('londiste', new Map([['copy_job', '7']]))).toThrow('unknown key "copy_job"');
  });
});

describe('ini-samples', () => {
  const path = (name: string): string => join(import.meta.dirname, '../../../ini-samples', `${name}.ini`);
  it.each(['root', 'leaf', 'branch', 'merge-leaf'])('%s.ini loads', (name) => {
    const config = loadConfig({ path: path(name), kind: 'londiste' });
    expect(config.logfile).toMatch(new RegExp(`/${config.jobName}\\.log$`));
    expect(readFileSync(path(name), 'utf8')).toContain('kaja ');
  });
  it('pgqd.ini loads', () =>
    expect(loadConfig({ path: path('pgqd'), kind: 'ticker' }).databaseList).toEqual(['shop']));
});
