/** The shape of everything long-lived. */

/** Something that runs until it is told to stop. */
export interface Service {
  readonly name: string;
  /**
   * Run until the signal aborts or the work is done.
   * @throws only what makes going on pointless
   */
  run(signal: AbortSignal): Promise<void>;
}
