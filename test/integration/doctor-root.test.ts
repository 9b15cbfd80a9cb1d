/** The doctor on a root whose queue, captures and sessions are in trouble. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { runDoctor } from '../../src/doctor/run-doctor.ts';
import { type Problem, prepareTables, problem, testProblems } from '../support/doctor-problems.ts';
import { expectFinding } from '../support/expect-finding.ts';
import { createPair, type NodePair } from '../support/node-pair.ts';

let pair: NodePair;
beforeAll(async () => {
  pair = await createPair();
  await prepareTables(pair);
  await pair.stopWorker();
});
afterAll(() => pair.drop());

const PROBLEMS: readonly Problem[] = [
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
];

describe('problems of a root', () => {
  testProblems(PROBLEMS, () => pair);

  it('an old transaction', async () => {
    const client = await pair.root.connect();
    await client.query('begin');
    const { rows } = await client.query('select txid_current(), pg_backend_pid() as pid');
    const findings = await runDoctor({ paths: [pair.rootIni], limits: { longTransactionSeconds: 0 } });
    await client.query('rollback');
    expectFinding(findings, {
      severity: 'warning',
      check: 'transactions',
      what: new RegExp(`transaction of pid ${rows[0].pid} .*is open for 0 s`),
      remedy: new RegExp(`pg_terminate_backend\\(${rows[0].pid}\\)`),
    });
  });
});
