/** What a parsed location consists of. */

/** Environment variables by name; pass `process.env` or a substitute in tests. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Values of sslmode. */
export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
/** Values of target_session_attrs. */
export const SESSION_ATTRS = [
  'any',
  'read-write',
  'read-only',
  'primary',
  'standby',
  'prefer-standby',
] as const;

export type SslMode = (typeof SSL_MODES)[number];
export type TargetSessionAttrs = (typeof SESSION_ATTRS)[number];

/** One server to try. */
export interface HostSpec {
  /** Host name, address, or directory of a Unix socket (starts with `/`). */
  readonly host: string;
  /** Address to connect to instead of looking `host` up. */
  readonly address?: string | undefined;
  readonly port: number;
}

/** A parsed location. Secrets are in `password` and `params` only; print it with `describeLocation`. */
export interface ConnectionSpec {
  /** Servers in the order to try. */
  readonly hosts: readonly HostSpec[];
  readonly user: string;
  readonly database: string;
  readonly password?: string | undefined;
  readonly sslMode: SslMode;
  /** Which servers will do; the caller checks after connecting. */
  readonly targetSessionAttrs: TargetSessionAttrs;
  /** Try the hosts in random order. */
  readonly shuffleHosts: boolean;
  /** Seconds for one attempt; 0 = for ever. */
  readonly connectTimeoutSeconds: number;
  readonly applicationName?: string | undefined;
  readonly options?: string | undefined;
  readonly service?: string | undefined;
  /** All keywords after merging string, service and environment. */
  readonly params: ReadonlyMap<string, string>;
  /** Home directory, where .pgpass and certificates lie. */
  readonly home: string;
}
