/** All checks, and what happens when one cannot look. */

import { errorLine } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { redactText } from '../errors/redact.ts';
import type { PairCheck, SideCheck } from './check.ts';
import { checkCapture } from './check-capture.ts';
import { checkClock, checkClocks } from './check-clock.ts';
import { checkCollation, checkCollations } from './check-collation.ts';
import { checkCopies } from './check-copies.ts';
import { checkForeignKeys } from './check-foreign-keys.ts';
import { checkInstall } from './check-install.ts';
import { checkNode } from './check-node.ts';
import { checkPooler } from './check-pooler.ts';
import { checkQueue } from './check-queue.ts';
import { checkRestore } from './check-restore.ts';
import { checkRights } from './check-rights.ts';
import { checkSequences } from './check-sequences.ts';
import { checkServer, checkSides } from './check-server.ts';
import { checkStructure } from './check-structure.ts';
import { checkTables } from './check-tables.ts';
import { checkTransactions } from './check-transactions.ts';
import { checkTriggers } from './check-triggers.ts';
import { error, type Finding, info, type Verdict, warning } from './finding.ts';
import type { CheckContext, Pair, Side } from './side.ts';

/** Checks of one database, in the order of the report. */
export const SIDE_CHECKS: readonly SideCheck[] = [
  checkServer,
  checkClock,
  checkPooler,
  checkRights,
  checkInstall,
  checkNode,
  checkRestore,
  checkQueue,
  checkTransactions,
  checkTables,
  checkCapture,
  checkForeignKeys,
  checkTriggers,
  checkSequences,
  checkCollation,
];

/** Checks of a provider with its subscriber. */
export const PAIR_CHECKS: readonly PairCheck[] = [
  checkSides,
  checkClocks,
  checkStructure,
  checkCopies,
  checkCollations,
];

/** Place verdicts; passwords that a message of the server quotes are masked. */
export const placed = (check: string, where: string, verdicts: readonly Verdict[]): Finding[] =>
  verdicts.map((one) => ({
    severity: one.severity,
    check,
    where,
    what: redactText(one.what),
    remedy: redactText(one.remedy),
  }));

/** A check that cannot look: a missing right is news, everything else a reason to worry. */
function unable(failure: unknown): Verdict {
  if (failure instanceof KajaError) {
    if (failure.code === 'permission-denied')
      return info(`not checked: ${failure.message}`, 'run the doctor as the role that owns the schemas');
    if (failure.code === 'connection-lost') return error(failure.message, 'see the log of the server');
    // Ours, with an advice of its own: schemas too new, changed, made by somebody else.
    if (['schema-too-new', 'schema-changed', 'state-refused'].includes(failure.code))
      return error(failure.message, failure.hint ?? '');
  }
  return warning(`not checked: ${errorLine(failure)}`, 'try again; with -v for details');
}

/** Run all checks of one database. */
export async function checkSide(side: Side, context: CheckContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of SIDE_CHECKS) {
    if (side.session.closed) break;
    if (check.applies && !check.applies(side)) continue;
    const verdicts = await settle(context, () =>
      check.outside
        ? check.run(side, context)
        : side.session.transaction(() => check.run(side, context), { readOnly: true }),
    );
    findings.push(...placed(check.name, side.where, verdicts));
  }
  return findings;
}

/** Compare a provider with its subscriber; findings are placed at the subscriber. */
export async function checkPair(pair: Pair, context: CheckContext): Promise<Finding[]> {
  const { provider, subscriber } = pair;
  const findings: Finding[] = [];
  for (const check of PAIR_CHECKS) {
    if (provider.session.closed || subscriber.session.closed) break;
    const verdicts = await settle(context, () =>
      provider.session.transaction(
        () => subscriber.session.transaction(() => check.run(pair, context), { readOnly: true }),
        { readOnly: true },
      ),
    );
    findings.push(...placed(check.name, subscriber.where, verdicts));
  }
  return findings;
}

async function settle(context: CheckContext, work: () => Promise<Verdict[]>): Promise<Verdict[]> {
  try {
    return await work();
  } catch (failure) {
    if (context.signal?.aborted) throw failure;
    return [unable(failure)];
  }
}
