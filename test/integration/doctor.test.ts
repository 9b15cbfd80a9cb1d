/** The doctor on a pair of nodes: nothing to say when all is well, and every provoked problem found with its remedy. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { type DoctorRequest, runDoctor } from '../../src/doctor/run-doctor.ts';
import { silentLog } from '../../src/log/logger.ts';
import { createWorker } from '../../src/worker/run-worker.ts';
import { workerSettings } from '../../src/worker/worker-settings.ts';
import { eventually } from '../support/eventually.ts';
import { expectFinding, textsOf, type WantedFinding } from '../support/expect-finding.ts';
import { createPair, type NodePair, runKaja } from '../support/node-pair.ts';

let pair: NodePair;
const look = (request: Partial<DoctorRequest> = {}) =>
  runDoctor({ paths: [pair.rootIni, pair.leafIni], ...request });

beforeAll(async () => {
  pair = await createPair();
  for (const db of [pair.root, pair.leaf]) {
    await db.sql('create table public.a (id serial primary key, name text)');
    await db.sql('create table public.b (id int primary key, a_id int)');
  }
  await pair.root.sql(
    'create table public.c (id int primary key); create table public.d (id int primary key)',
  );
  expect((await pair.onRoot('add-table', 'a', 'b', 'c', 'd')).code).toBe(0);
  expect((await pair.onLeaf('add-table', 'a', 'b')).code).toBe(0);
  pair.startWorker();
  await pair.sync();
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

interface Problem {
  readonly name: string;
  readonly root?: readonly string[];
  readonly leaf?: readonly string[];
  readonly mendRoot?: readonly string[];
  readonly mendLeaf?: readonly string[];
  readonly request?: Partial<DoctorRequest>;
  readonly wanted: readonly WantedFinding[];
}

const problem = (
  name: string,
  changes: Omit<Problem, 'name' | 'wanted'>,
  ...wanted: [WantedFinding['severity'], string, RegExp, RegExp][]
): Problem => ({
  name,
  ...changes,
  wanted: wanted.map(([severity, check, what, remedy]) => ({ severity, check, what, remedy })),
});
const set = (key: string, value: string): Partial<DoctorRequest> => ({ overrides: new Map([[key, value]]) });

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
    'transaction ids went back',
    {
      root: [
        `insert into pgq.tick (tick_queue, tick_id, tick_snapshot, tick_event_seq) select queue_id, 900000, '9000000000:9000000001:', 1 from pgq.queue`,
      ],
      mendRoot: ['delete from pgq.tick where tick_id = 900000'],
    },
    ['error', 'restore', /1 tick of queue pair_q come after transaction 9000000001/, /pg_resetwal/],
  ),
  problem(
    'capture triggers disabled',
    {
      root: ['alter table public.a disable trigger user'],
      mendRoot: ['alter table public.a enable trigger user'],
    },
    [
      'error',
      'capture',
      /trigger _londiste_pair_q of table public\.a is disabled/,
      /alter table public\.a enable trigger _londiste_pair_q/,
    ],
  ),
  problem('capture trigger dropped', { root: ['drop trigger _londiste_pair_q_update on public.c'] }, [
    'error',
    'capture',
    /public\.c has no capture trigger for UPDATE/,
    /remove-table public\.c/,
  ]),
  problem(
    'captured table dropped',
    { root: ['drop table public.d'] },
    ['error', 'capture', /captured table public\.d was dropped/, /remove-table public\.d/],
    ['error', 'tables', /public\.d is registered and does not exist/, /remove-table public\.d/],
  ),
  problem(
    'capture points to another relation',
    {
      root: [`update kaja.capture set relid = 1 where table_name = 'public.a'`],
      mendRoot: [`select kaja.refresh_captures('pair_q')`],
    },
    [
      'warning',
      'capture',
      /public\.a points to a relation of another database/,
      /kaja\.refresh_captures\('pair_q'\)/,
    ],
  ),
  problem(
    'table registered without triggers',
    {
      root: [
        'create table public.e (id int primary key)',
        `select * from londiste.local_add_table('pair_q', 'public.e', array['no_triggers'])`,
      ],
      mendRoot: [`select londiste.local_remove_table('pair_q', 'public.e')`],
    },
    ['warning', 'capture', /public\.e is registered without capture triggers/, /--no-triggers/],
  ),
  problem(
    'consumer far behind',
    {
      root: [`select pgq.register_consumer('pair_q', 'lazy')`],
      mendRoot: [`select pgq.unregister_consumer('pair_q', 'lazy')`],
      request: { limits: { consumerLagSeconds: 0 } },
    },
    [
      'warning',
      'queue',
      /consumer lazy is .* behind and keeps queue pair_q/,
      /pgq\.unregister_consumer\('pair_q', 'lazy'\)/,
    ],
    ['warning', 'queue', /consumer \.global_watermark is/, /worker of that node/],
  ),
  problem(
    'consumer left by a copy',
    {
      root: [`select pgq.register_consumer('pair_q', 'leaf_job.copy.public.a')`],
      mendRoot: [`select pgq.unregister_consumer('pair_q', 'leaf_job.copy.public.a')`],
      request: { limits: { orphanCopySeconds: 0 } },
    },
    ['warning', 'queue', /leaf_job\.copy\.public\.a is left from a copy of public\.a/, /unregister_consumer/],
    ['warning', 'queue', /leaf_job\.copy\.public\.a of a copy was not used/, /unregister_consumer/],
  ),
  problem(
    'nobody ticks',
    {
      root: [`update pgq.tick set tick_time = tick_time - interval '1 hour'`],
      mendRoot: [`update pgq.tick set tick_time = tick_time + interval '1 hour'`],
    },
    ['warning', 'queue', /pair_q was not ticked for 60 min/, /start the ticker/],
  ),
  problem(
    'ticker paused',
    {
      root: ['update pgq.queue set queue_ticker_paused = true'],
      mendRoot: ['update pgq.queue set queue_ticker_paused = false'],
    },
    ['warning', 'queue', /ticker of queue pair_q is paused/, /'ticker_paused', 'false'/],
  ),
  problem(
    'inserts disabled',
    {
      root: ['update pgq.queue set queue_disable_insert = true'],
      mendRoot: ['update pgq.queue set queue_disable_insert = false'],
    },
    ['warning', 'queue', /takes no events/, /'disable_insert', 'false'/],
  ),
  problem(
    'no rotation',
    {
      root: [`update pgq.queue set queue_switch_time = now() - interval '1 day'`],
      mendRoot: ['update pgq.queue set queue_switch_time = now()'],
    },
    ['warning', 'queue', /has not rotated for 24 h \(period 2 h\); slowest is/, /ticker runs/],
  ),
  problem(
    'half a rotation',
    {
      root: [`update pgq.queue set queue_switch_time = now() - interval '1 hour', queue_switch_step2 = null`],
      mendRoot: ['update pgq.queue set queue_switch_time = now(), queue_switch_step2 = txid_current()'],
    },
    ['warning', 'queue', /stopped half-way 60 min ago/, /start the ticker/],
  ),
  problem('big queue', { request: { limits: { queueBytes: 1 } } }, [
    'warning',
    'queue',
    /event tables of queue pair_q hold \d+ kB/,
    /lags/,
  ]),
  problem(
    'table without a key',
    {
      root: ['create table public.nokey (x int)'],
      mendRoot: ['drop table public.nokey'],
      request: { tables: ['nok*'] },
    },
    ['warning', 'tables', /public\.nokey has no key/, /--key .*--whole-row or --insert-only/],
    ['info', 'structure', /1 table of the provider not here yet: public\.nokey/, /--create/],
  ),
  problem(
    'things that are no tables',
    {
      root: ['create view public.looks as select 1 as x'],
      mendRoot: ['drop view public.looks'],
      request: { tables: ['looks', 'nonsense'] },
    },
    ['info', 'tables', /public\.looks is a view/, /underneath/],
    ['warning', 'tables', /no table is called public\.nonsense/, /--tables/],
  ),
  problem('clock wrong', { request: { now: () => Date.now() - 5000 } }, [
    'warning',
    'clock',
    /clock is 5 s ahead of this host/,
    /chrony/,
  ]),
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

describe('provoked problems', () => {
  for (const one of PROBLEMS) {
    it(one.name, async () => {
      for (const statement of one.root ?? []) await pair.root.sql(statement);
      for (const statement of one.leaf ?? []) await pair.leaf.sql(statement);
      try {
        const findings = await look(one.request);
        for (const wanted of one.wanted) expectFinding(findings, wanted);
        expect(JSON.stringify(findings)).not.toContain('s3cret');
      } finally {
        await pair.leaf.sql('set default_transaction_read_only = off');
        for (const statement of one.mendRoot ?? []) await pair.root.sql(statement);
        for (const statement of one.mendLeaf ?? []) await pair.leaf.sql(statement);
      }
    });
  }

  it('an old transaction', async () => {
    const client = await pair.root.connect();
    await client.query('begin');
    const { rows } = await client.query('select txid_current(), pg_backend_pid() as pid');
    const findings = await look({ limits: { longTransactionSeconds: 0 } });
    await client.query('rollback');
    expectFinding(findings, {
      severity: 'warning',
      check: 'transactions',
      what: new RegExp(`transaction of pid ${rows[0].pid} .*is open for 0 s`),
      remedy: new RegExp(`pg_terminate_backend\\(${rows[0].pid}\\)`),
    });
  });
});
