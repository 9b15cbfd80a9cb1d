/** Keys of a ticker's ini: [pgqd], as pgqd has it, and ours. */
import { COMMON_OPTIONS } from './common-options.ts';
import type { OptionTable } from './option-table.ts';

const former = 'accepted for old files, without effect here';
const ignored = { type: 'ignored', group: 'former', help: former } as const;

/** Everything a ticker's ini may say. */
export const TICKER_OPTIONS = {
  db: {
    type: 'location',
    default: '',
    group: 'databases',
    help: 'connection string of a single database, instead of base_connstr and a list',
  },
  base_connstr: {
    type: 'location',
    default: '',
    group: 'databases',
    help: 'connection string without dbname; the name of each database is added',
  },
  database_list: {
    type: 'list',
    default: '',
    group: 'databases',
    help: 'databases to serve; empty = all that permit connections, looked for every check_period',
  },
  initial_database: {
    type: 'text',
    default: 'template1',
    group: 'databases',
    help: 'where the list of databases is read',
  },
  job_name: {
    type: 'text',
    default: '%(job_name)s',
    group: 'databases',
    help: 'name in logs; default is the name of this file',
  },
  ...COMMON_OPTIONS,
  check_period: {
    type: 'seconds',
    default: 60,
    min: 0.001,
    group: 'periods',
    help: 'look for new databases, and for PgQ in those without',
  },
  ticker_period: {
    type: 'seconds',
    default: 1,
    min: 0.001,
    group: 'periods',
    help: "call pgq.ticker() this often in databases that have only PgQ's own extension",
  },
  ticker_min_period: {
    type: 'seconds',
    default: 0.01,
    min: 0.001,
    group: 'periods',
    help: 'look for new events this often while there are some',
  },
  ticker_max_period: {
    type: 'seconds',
    default: 0.1,
    min: 0.001,
    group: 'periods',
    help: 'and at least this often when it is quiet; a new event is ticked within this time',
  },
  ticker_schedule: {
    type: 'cron',
    default: '',
    group: 'periods',
    help: 'tick only at these times instead: cron fields, seconds may come first, for example */5 * * * * *',
  },
  retry_period: {
    type: 'seconds',
    default: 30,
    min: 0.001,
    group: 'periods',
    help: 're-insert events of the retry queue',
  },
  maint_period: {
    type: 'seconds',
    default: 120,
    min: 0.001,
    group: 'periods',
    help: 'rotate tables and other maintenance',
  },
  stats_period: {
    type: 'seconds',
    default: 30,
    min: 0.001,
    group: 'periods',
    help: 'log how many ticks, maintenance rounds and retried events',
  },
  connection_lifetime: {
    type: 'seconds',
    default: 3600,
    min: 0,
    group: 'periods',
    help: 'connections are renewed at this age; 0 = never',
  },
  job_timezone: {
    type: 'timezone',
    default: '',
    group: 'periods',
    help: "time zone of ticker_schedule; empty = the host's",
  },
  job_on_failure: {
    type: 'choice',
    default: 'log',
    choices: ['log', 'stop'],
    group: 'periods',
    help: 'what a failed scheduled job does: only log, or stop the process',
  },
  loop_delay: ignored,
  syslog: ignored,
  syslog_ident: ignored,
  syslog_facility: ignored,
} as const satisfies OptionTable;
