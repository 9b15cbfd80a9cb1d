/** What the program sees of the process it runs in. */

/** A place to print to. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Given by main.ts; tests give their own. */
export interface ProgramIo {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A second stopping signal came: the process has to end soon, whatever the command does. */
  onKill(signal: NodeJS.Signals): void;
}
