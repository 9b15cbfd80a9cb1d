/** The one error type of kaja; subclasses exist only where somebody catches them. */
import { describeCode, type ErrorCode, type RetryPolicy } from './codes.ts';

/** What an error may carry beside code and message. */
export interface KajaErrorOptions {
  /** What to do about it, as a clause; overrides the advice of the registry. */
  readonly hint?: string | undefined;
  /** Names and numbers for logs: table, tick, queue, sqlstate. Never row values, never passwords. */
  readonly context?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
  readonly retry?: RetryPolicy | undefined;
  readonly exitCode?: number | undefined;
}

/** A failure with a code of the registry (or an SQLSTATE of ours), a retry policy and an exit code. */
export class KajaError extends Error {
  override readonly name: string = 'KajaError';
  readonly code: string;
  readonly retry: RetryPolicy;
  readonly exitCode: number;
  readonly hint: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  /**
   * @param code entry of the registry in codes.ts, or an SQLSTATE
   * @param message what is wrong and where, in one line without a full stop
   */
  constructor(code: ErrorCode | (string & {}), message: string, options: KajaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const entry = describeCode(code);
    this.code = code;
    this.retry = options.retry ?? entry.retry;
    this.exitCode = options.exitCode ?? entry.exitCode;
    this.hint = options.hint ?? (entry.advice || undefined);
    this.context = options.context ?? {};
  }
}

/** The command line is wrong: exit code 2. */
export class UsageError extends KajaError {
  override readonly name: string = 'UsageError';
  constructor(message: string, options: KajaErrorOptions = {}) {
    super('usage', message, options);
  }
}

/** An ini file, a key or a connection string is wrong: exit code 3. */
export class ConfigError extends KajaError {
  override readonly name: string = 'ConfigError';
  constructor(
    message: string,
    options: KajaErrorOptions & { code?: 'config-missing' | 'config-invalid' | 'location-invalid' } = {},
  ) {
    super(options.code ?? 'config-invalid', message, options);
  }
}
