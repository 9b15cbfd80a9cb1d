/** The exit code of the process. */
import { constants } from 'node:os';
import { exitCodeOf } from '../errors/error-line.ts';
import { isAbort } from '../errors/retry-policy.ts';

/** 128 + signal number: 130 for SIGINT, 143 for SIGTERM. */
export const signalExitCode = (signal: NodeJS.Signals): number => 128 + (constants.signals[signal] ?? 0);

/**
 * Exit code of a command that failed.
 * @param received signal that asked to stop, if any
 * @param daemon was it a command that runs until it is stopped? Then being stopped is success.
 */
export function failureExitCode(
  error: unknown,
  received: NodeJS.Signals | undefined,
  daemon: boolean,
): number {
  if (received && isAbort(error)) return daemon ? 0 : signalExitCode(received);
  return exitCodeOf(error);
}
