/** Keys that both sections know: what every Skytools script has. */
import type { OptionTable } from './option-table.ts';

const group = 'process';
const logging = 'logging';
const former = 'accepted for old files, without effect here';

/** Process and logging. */
export const COMMON_OPTIONS = {
  pidfile: {
    type: 'file',
    default: '',
    group,
    help: 'holds the process number while running; needed by -d, -s, -k, -r; administrative commands use PIDFILE.admin',
  },
  logfile: {
    type: 'file',
    default: '',
    group: logging,
    help: 'log here too; needed by -d; opened again on SIGHUP',
  },
  log_size: { type: 'bytes', default: 10485760, group: logging, help: 'move the logfile aside at this size' },
  log_count: { type: 'int', default: 3, min: 0, group: logging, help: 'how many old logfiles to keep' },
  log_format: {
    type: 'choice',
    default: 'text',
    choices: ['text', 'json'],
    group: logging,
    help: 'json writes one object per line',
  },
  logfmt_console: {
    type: 'text',
    default: '%(asctime)s %(process)s %(levelname)s %(message)s',
    group: logging,
    help: 'shape of a line on the terminal',
  },
  logfmt_file: {
    type: 'text',
    default: '%(asctime)s %(process)s %(levelname)s %(message)s',
    group: logging,
    help: 'shape of a line in the logfile',
  },
  logdatefmt_console: { type: 'text', default: '', group: logging, help: 'strftime pattern of its time' },
  logdatefmt_file: { type: 'text', default: '', group: logging, help: 'strftime pattern of its time' },
  logfmt_console_verbose: {
    type: 'text',
    default: '',
    group: logging,
    help: 'the same with -v; empty = as without',
  },
  logfmt_file_verbose: {
    type: 'text',
    default: '',
    group: logging,
    help: 'the same with -v; empty = as without',
  },
  logdatefmt_console_verbose: {
    type: 'text',
    default: '',
    group: logging,
    help: 'the same with -v; empty = as without',
  },
  logdatefmt_file_verbose: {
    type: 'text',
    default: '',
    group: logging,
    help: 'the same with -v; empty = as without',
  },
  metrics_port: {
    type: 'int',
    default: 0,
    min: 0,
    max: 65535,
    group: 'monitoring',
    help: 'serve /metrics and /healthz on this port; 0 = off',
  },
  metrics_host: {
    type: 'text',
    default: '127.0.0.1',
    group: 'monitoring',
    help: 'address that port listens on',
  },
  exception_sleep: {
    type: 'seconds',
    default: 20,
    min: 0,
    group,
    help: 'longest pause after a failure; pauses start at 1 s and double',
  },
  config_format: {
    type: 'choice',
    default: '1',
    choices: ['1', '2'],
    group,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the ini's own notation
    help: '1: %(key)s refers to another key; 2: ${key} and ${section:key} do',
  },
  exception_quiet: { type: 'ignored', group: 'former', help: former },
  exception_grace: { type: 'ignored', group: 'former', help: former },
  exception_reset: { type: 'ignored', group: 'former', help: former },
  use_skylog: { type: 'ignored', group: 'former', help: former },
  skylog_locations: { type: 'ignored', group: 'former', help: former },
} as const satisfies OptionTable;
