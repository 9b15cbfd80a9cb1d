/** Where the doctor draws its lines. */

/** Times in seconds, sizes in bytes. */
export interface DoctorLimits {
  /** Clocks that differ by more are worth a warning. */
  readonly clockSkewSeconds: number;
  readonly longTransactionSeconds: number;
  /** A consumer that is behind by more blocks rotation. */
  readonly consumerLagSeconds: number;
  /** A consumer of a copy that nobody used for so long is an orphan. */
  readonly orphanCopySeconds: number;
  /** All event tables of a queue together. */
  readonly queueBytes: number;
  /** Longest wait for a notification. */
  readonly notifySeconds: number;
}

/** The usual limits. */
export const DOCTOR_LIMITS: DoctorLimits = {
  clockSkewSeconds: 1,
  longTransactionSeconds: 3600,
  consumerLagSeconds: 86_400,
  orphanCopySeconds: 3600,
  queueBytes: 10 * 1024 ** 3,
  notifySeconds: 3,
};
