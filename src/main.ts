#!/usr/bin/env node
/** Entry of the program: words in, exit code out. The only place that ends the process. */
import { signalExitCode } from './cli/exit-code.ts';
import { runProgram } from './cli/run-program.ts';
import { commands } from './commands/registry.ts';
import { EXIT } from './errors/codes.ts';
import { errorLine, errorStack } from './errors/error-line.ts';
import { redactText } from './errors/redact.ts';

/** How long a command may take to let go after the second signal, milliseconds. */
const KILL_GRACE_MS = 1000;

// `kaja tables | head` closes the pipe early: nobody wants to read about that.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
// A terminal or pipe that takes the log may go away; the logfile and the work stay.
process.stderr.on('error', () => {});

const onSurprise = (error: unknown): void => {
  process.stderr.write(`kaja: ${errorLine(error)}\n`);
  if (process.argv.some((word) => /^(-v+|--verbose)$/.test(word)))
    process.stderr.write(`${errorStack(error)}\n`);
  process.exit(EXIT.unexpected);
};
process.on('uncaughtException', onSurprise).on('unhandledRejection', onSurprise);

const words = process.argv.slice(2);
// Everybody on the host may read the command line of a process.
const title = ['kaja', ...words.map(redactText)].join(' ');
if (title.includes('***')) process.title = title;

const code = await runProgram(words, commands, {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  onKill: (signal) => {
    setTimeout(() => process.exit(signalExitCode(signal)), KILL_GRACE_MS).unref();
  },
});
// Wait until everything printed has left, then end even if a connection is still open.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
