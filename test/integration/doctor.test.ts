/** The doctor on a pair of nodes: nothing to say when all is well, and every provoked problem found with its remedy. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { type DoctorRequest, runDoctor } from '../../src/doctor/run-doctor.ts';
import { silentLog } from '../../src/log/logger.ts';
import { createWorker } from '../../src/worker/run-worker.ts';
import { workerSettings } from '../../src/worker/worker-settings.ts';
import { type Problem, prepareTables, problem, set, testProblems } from '../support/doctor-problems.ts';
import { eventually } from '../support/eventually.ts';
import { textsOf } from '../support/expect-finding.ts';
import { createPair, type NodePair, runKaja } from '../support/node-pair.ts';

let pair: NodePair;
const look = (request: Partial<DoctorRequest> = {}) =>
  runDoctor({ paths: [pair.rootIni, pair.leafIni], ...request });

beforeAll(async () => {
  pair = await createPair();
  await prepareTables(pair);
});
afterAll(() => pair.drop());

describe('a healthy pair', () => {
  it('has neither errors nor warnings', async () => {
    const stop = new AbortController();
    const config = loadConfig({ path: pair.rootIni, kind: 'londiste' });
    const worker = createWorker(workerSettings(config), silentLog()).run(stop.signal);
    try {
      await eventually(async () => {
        const rows = await pair.root.sql(
          `select 1 from pg_stat_activity where datname = current_database() and application_name = 'kaja root_job'`,
        );
        return rows.length > 0;
      });
      const findings = await look();
      expect(textsOf(findings, 'error')).toEqual([]);
      expect(textsOf(findings, 'warning')).toEqual([]);
      expect(new Set(findings.map((one) => one.check))).toEqual(
        new Set([
          'config',
          'server',
          'clock',
          'pooler',
          'rights',
          'schemas',
          'node',
          'restore',
          'queue',
          'transactions',
          'tables',
          'capture',
          'foreign keys',
          'triggers',
          'collation',
          'structure',
        ]),
      );
      const printed = await runKaja('doctor', pair.rootIni, pair.leafIni);
      expect(printed.code).toBe(0);
      expect(printed.out).toContain(`${pair.leaf.name} at 127.0.0.1`);
      expect(printed.out).toContain('nothing to complain about');
      expect(printed.out).toMatch(/0 errors, 0 warnings, 0 notes, \d+ in order\n$/);
    } finally {
      stop.abort();
      await worker;
      await pair.stopWorker();
    }
  });
});

// The last one is not mended.
const PROBLEMS: readonly Problem[] = [
  problem('worker not running', {}, [
    'warning',
    'node',
    /worker of node leaf does not run/,
    /kaja \S+leaf\.ini worker -d/,
  ]),
  problem(
    'node paused',
    {
      leaf: ['update pgq_node.local_state set paused = true'],
      mendLeaf: ['update pgq_node.local_state set paused = false'],
    },
    ['warning', 'node', /node leaf is paused/, /kaja \S+leaf\.ini resume/],
  ),
  problem(
    'last batch failed',
    {
      leaf: [`update pgq_node.local_state set cur_error = 'disk full'`],
      mendLeaf: ['update pgq_node.local_state set cur_error = null'],
    },
    ['error', 'node', /leaf_job of node leaf fails: disk full/, /tries again/],
  ),
  problem('ini of another consumer', { request: set('consumer_name', 'somebody') }, [
    'error',
    'node',
    /ini is of consumer somebody, the worker of node leaf is leaf_job/,
    /consumer_name = leaf_job/,
  ]),
  problem(
    'copy failed',
    {
      leaf: [`update kaja.table_copy set last_error = 'no room' where table_name = 'public.a'`],
      mendLeaf: ['update kaja.table_copy set last_error = null'],
    },
    ['error', 'node', /copy of table public\.a fails: no room/, /tried again/],
  ),
  problem(
    'rows differed',
    {
      leaf: [
        `insert into kaja.table_stats (queue_name, table_name, update_missing) values ('pair_q', 'public.a', 3) on conflict (queue_name, table_name) do update set update_missing = 3`,
      ],
      mendLeaf: ['update kaja.table_stats set update_missing = 0'],
    },
    ['warning', 'node', /not as expected in public\.a/, /compare public\.a/],
  ),
  problem(
    'column missing',
    {
      root: ['alter table public.a add column "Extra" int'],
      mendRoot: ['alter table public.a drop column "Extra"'],
    },
    [
      'error',
      'structure',
      /public\.a lacks columns of the provider: Extra/,
      /alter table public\.a add column "Extra" integer/,
    ],
  ),
  problem(
    'column too short',
    {
      leaf: ['alter table public.a alter name type varchar(5)'],
      mendLeaf: ['alter table public.a alter name type text'],
    },
    [
      'warning',
      'structure',
      /column name of table public\.a is character varying\(5\) here and text/,
      /alter column name type text/,
    ],
  ),
  problem(
    'types that do not go together',
    {
      leaf: ['alter table public.b alter a_id type date using null'],
      mendLeaf: ['alter table public.b alter a_id type int using null'],
    },
    [
      'error',
      'structure',
      /a_id of table public\.b is date here and integer.*do not go together/,
      /alter column a_id type integer/,
    ],
  ),
  problem(
    'column that nobody fills',
    { leaf: ['alter table public.b add must int not null'], mendLeaf: ['alter table public.b drop must'] },
    [
      'error',
      'structure',
      /must of table public\.b is NOT NULL without a default/,
      /alter column must drop not null/,
    ],
  ),
  problem(
    'NOT NULL on one side only',
    {
      leaf: ['alter table public.b alter a_id set not null'],
      mendLeaf: ['alter table public.b alter a_id drop not null'],
    },
    ['warning', 'structure', /a_id of table public\.b is NOT NULL here/, /alter column a_id drop not null/],
  ),
  problem(
    'no index for the key',
    {
      leaf: ['alter table public.b drop constraint b_pkey'],
      mendLeaf: ['alter table public.b add primary key (id)'],
    },
    [
      'warning',
      'structure',
      /public\.b has no unique index on \(id\)/,
      /create unique index concurrently on public\.b \(id\)/,
    ],
  ),
  problem(
    'foreign key to an unreplicated table',
    {
      leaf: [
        'create table public.x (id int primary key); alter table public.b add constraint bx foreign key (a_id) references public.x',
      ],
      mendLeaf: ['alter table public.b drop constraint bx; drop table public.x'],
    },
    [
      'warning',
      'foreign keys',
      /bx from public\.b to public\.x, which is not replicated: rows may refer to nothing/,
      /add-table public\.x too, or alter table public\.b drop constraint bx/,
    ],
  ),
  problem(
    'foreign key from an unreplicated table',
    {
      leaf: ['create table public.x (a_id int constraint xa references public.a)'],
      mendLeaf: ['drop table public.x'],
    },
    [
      'warning',
      'foreign keys',
      /xa from public\.x to public\.a, which is replicated/,
      /add-table public\.x too/,
    ],
  ),
  problem(
    'foreign key checked while applying',
    {
      leaf: ['alter table public.b add constraint ba foreign key (a_id) references public.a'],
      mendLeaf: ['alter table public.b drop constraint ba'],
      request: set('apply_role', 'marker'),
    },
    [
      'warning',
      'foreign keys',
      /ba from public\.b to public\.a is checked while changes are applied/,
      /alter constraint ba deferrable/,
    ],
  ),
  problem(
    'trigger that fires on replicated changes',
    {
      leaf: [
        'create trigger nosy before update on public.a for each row execute function suppress_redundant_updates_trigger(); alter table public.a enable always trigger nosy',
      ],
      mendLeaf: ['drop trigger nosy on public.a'],
    },
    [
      'warning',
      'triggers',
      /trigger nosy of table public\.a is ENABLE ALWAYS/,
      /alter table public\.a enable trigger nosy/,
    ],
  ),
  problem(
    'trigger in a session without replication role',
    {
      leaf: [
        'create trigger nosy before update on public.a for each row execute function suppress_redundant_updates_trigger()',
      ],
      mendLeaf: ['drop trigger nosy on public.a'],
      request: set('apply_role', 'marker'),
    },
    [
      'warning',
      'triggers',
      /trigger nosy of table public\.a fires on replicated changes/,
      /disable trigger nosy/,
    ],
  ),
  problem(
    'table vanished from the subscriber',
    { leaf: ['alter table public.b rename to gone'], mendLeaf: ['alter table public.gone rename to b'] },
    ['error', 'tables', /public\.b is registered and does not exist/, /resync public\.b/],
  ),
  problem(
    'unlogged table',
    { leaf: ['alter table public.b set unlogged'], mendLeaf: ['alter table public.b set logged'] },
    ['warning', 'tables', /public\.b is unlogged/, /alter table public\.b set logged/],
  ),
  problem(
    'sequence behind',
    {
      leaf: [`set kaja.applying = '1'; insert into public.a values (77, 'x'); reset kaja.applying`],
      mendLeaf: [`set kaja.applying = '1'; delete from public.a; reset kaja.applying`],
    },
    [
      'info',
      'sequences',
      /public\.a_id_seq stands at 0, column id of public\.a at 77/,
      /setval\('public\.a_id_seq', 77\)/,
    ],
  ),
  problem(
    'database set to read-only',
    {
      leaf: [
        `do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`,
      ],
      mendLeaf: [
        `do $$ begin execute format('alter database %I reset default_transaction_read_only', current_database()); end $$`,
      ],
    },
    ['error', 'server', /transactions are read-only/, /default_transaction_read_only = off/],
  ),
  problem(
    'functions of an earlier kaja',
    {
      leaf: [
        `create table public.keep as select * from kaja.schema_functions; update kaja.schema_functions set checksum = 'old' where schema = 'kaja'`,
      ],
      mendLeaf: [
        'update kaja.schema_functions f set checksum = k.checksum from public.keep k where k.schema = f.schema; drop table public.keep',
      ],
    },
    ['warning', 'schemas', /behind this program \(functions of schema kaja/, /kaja install/],
  ),
  problem(
    'schemas of a later kaja',
    {
      leaf: [`insert into kaja.schema_migration (name, "timestamp") values ('9999_future', '')`],
      mendLeaf: [`delete from kaja.schema_migration where name = '9999_future'`],
    },
    ['error', 'schemas', /has migration 9999_future/, /upgrade this program/],
  ),
  problem(
    'recorded collation version differs',
    {
      leaf: [`update pg_database set datcollversion = '0.1' where datname = current_database()`],
      mendLeaf: ['update pg_database set datcollversion = null where datname = current_database()'],
    },
    [
      'warning',
      'collation',
      /made with collation version 0\.1/,
      /reindex database .* refresh collation version/,
    ],
  ),
  problem(
    'provider gone',
    {
      leaf: [
        `update pgq_node.node_location set node_location = 'host=127.0.0.1 port=1 user=u dbname=d password=s3cret' where node_name = 'root'`,
      ],
      mendLeaf: [],
    },
    ['error', 'connection', /cannot connect to d at 127\.0\.0\.1:1 as u/, /host, port/],
  ),
];

describe('problems of a subscriber', () => testProblems(PROBLEMS, () => pair));
