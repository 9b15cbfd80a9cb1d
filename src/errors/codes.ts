/** Registry of kaja's own error codes: what each means, whether waiting helps, what an operator does, how the process exits. */

/** `timed`: try again after a pause. `manual`: somebody has to act first. `never`: trying again is pointless, the service ends. */
export type RetryPolicy = 'timed' | 'manual' | 'never';

/** One entry of the registry. */
export interface CodeEntry {
  readonly title: string;
  readonly retry: RetryPolicy;
  /** What the operator does; used when the error carries no hint of its own. Empty = the message says it. */
  readonly advice: string;
  readonly exitCode: number;
}

/** Exit codes of the program. `compare` has its own meaning for 1 and 2. */
export const EXIT = {
  done: 0,
  unexpected: 1,
  usage: 2,
  config: 3,
  connect: 4,
  refused: 5,
  different: 6,
  busy: 7,
} as const;

const entry = (title: string, retry: RetryPolicy, exitCode: number, advice = ''): CodeEntry => ({
  title,
  retry,
  advice,
  exitCode,
});

/** All codes. Keep the list sorted by room. */
export const CODES = {
  internal: entry(
    'unexpected failure',
    'manual',
    EXIT.unexpected,
    'run again with -v to see where it happened',
  ),
  aborted: entry('stopped on request', 'never', EXIT.unexpected),
  timeout: entry('took longer than allowed', 'timed', EXIT.unexpected),

  usage: entry('wrong command line', 'never', EXIT.usage, 'see kaja --help'),
  'config-missing': entry('configuration file not readable', 'never', EXIT.config),
  'config-invalid': entry('configuration not understood', 'never', EXIT.config),
  'location-invalid': entry('connection string not understood', 'never', EXIT.config),

  'pidfile-taken': entry('another process runs on this pidfile', 'never', EXIT.refused),
  'pidfile-corrupt': entry(
    'pidfile holds no process number',
    'never',
    EXIT.refused,
    'remove it if no such process runs',
  ),
  'pidfile-unusable': entry('pidfile cannot be written', 'never', EXIT.config),
  'daemon-failed': entry('background process did not come up', 'never', EXIT.unexpected, 'see the logfile'),

  'connect-failed': entry(
    'server not reachable',
    'timed',
    EXIT.connect,
    'check host, port and that the server runs',
  ),
  'connection-lost': entry('connection was lost', 'timed', EXIT.connect),
  'auth-failed': entry(
    'server refused the login',
    'manual',
    EXIT.connect,
    'check user, password and pg_hba.conf',
  ),
  'database-missing': entry('no such database', 'manual', EXIT.connect),
  'ssl-failed': entry(
    'encrypted connection not possible',
    'manual',
    EXIT.connect,
    'check sslmode and the certificates',
  ),
  'sql-failed': entry('statement failed', 'manual', EXIT.unexpected),
  'sql-retryable': entry('statement failed for a passing reason', 'timed', EXIT.unexpected),
  'lock-timeout': entry('a lock was not granted in time', 'timed', EXIT.refused),
  'permission-denied': entry('not permitted', 'manual', EXIT.refused),

  'not-installed': entry(
    "kaja's schemas are missing in this database",
    'manual',
    EXIT.refused,
    'run kaja install',
  ),
  'schema-too-new': entry(
    'database was installed by a newer kaja',
    'never',
    EXIT.refused,
    'upgrade this program',
  ),
  'schema-changed': entry('an applied migration differs from its file', 'never', EXIT.refused),
  'state-refused': entry('refused in the present state', 'manual', EXIT.refused),
  'ret-code': entry('function answered with an error code', 'manual', EXIT.refused),
  'not-a-node': entry('database is not a node of this queue', 'manual', EXIT.refused),
  'table-missing': entry('no such table', 'manual', EXIT.refused),
  'table-unfit': entry('table cannot be replicated as it is', 'manual', EXIT.refused),
  'copy-waits': entry('copy waits for the provider', 'timed', EXIT.refused),
  'lost-position': entry('positions of provider and node do not meet', 'manual', EXIT.refused),
  'column-missing': entry('a column of the provider is missing on this node', 'manual', EXIT.refused),
  'apply.unhandled-event': entry('event of an unknown type', 'manual', EXIT.refused),
  'apply.foreign-event': entry('event of another queue', 'manual', EXIT.refused),
  'apply.unknown-shape': entry('event with an unknown row shape', 'manual', EXIT.refused),
  'option-invalid': entry('option of the library not understood', 'never', EXIT.usage),
  'payload-invalid': entry('event cannot be stored or read as asked', 'never', EXIT.usage),
  'transaction-invalid': entry(
    'not a connection or transaction that events can be produced in',
    'never',
    EXIT.usage,
  ),
  'queue-missing': entry('no such queue', 'manual', EXIT.refused, 'create it first'),
  'consumer-missing': entry('no such consumer', 'manual', EXIT.refused, 'register it first'),
  busy: entry('another run of the same kind is under way', 'timed', EXIT.busy),
  'difference-found': entry('contents differ', 'manual', EXIT.different),
} as const satisfies Record<string, CodeEntry>;

/** A code of the registry. */
export type ErrorCode = keyof typeof CODES;

/**
 * Look a code up.
 * @returns its entry; for codes outside the registry (an SQLSTATE of ours, for example) an entry that asks for a human
 */
export function describeCode(code: string): CodeEntry {
  return Object.hasOwn(CODES, code) ? CODES[code as ErrorCode] : entry(code, 'manual', EXIT.unexpected);
}
