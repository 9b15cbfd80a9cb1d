/** What a check is. */
import type { Verdict } from './finding.ts';
import type { CheckContext, Pair, Side } from './side.ts';

/** Looks at one database. Runs in a read-only transaction of its own, unless `outside`. */
export interface SideCheck {
  readonly name: string;
  /** Brings its own transactions. */
  readonly outside?: true;
  /** Is there anything to look at? */
  readonly applies?: (side: Side) => boolean;
  run(side: Side, context: CheckContext): Promise<Verdict[]>;
}

/** Compares a provider with its subscriber. Both sessions are in read-only transactions. */
export interface PairCheck {
  readonly name: string;
  run(pair: Pair, context: CheckContext): Promise<Verdict[]>;
}
