/** Opens what the table and sequence commands work with: a session here, the provider when it is needed. */
import type { LondisteConfig } from '../config/load-config.ts';
import { isRegistered, remoteLocation } from '../config/remote-nodes.ts';
import { copyConsumer } from '../copy/copy-context.ts';
import { openSession, type Session } from '../db/session.ts';
import { KajaError, UsageError } from '../errors/kaja-error.ts';
import { readNodeFacts, type TableNode } from '../tables/node-tables.ts';
import { type CommandContext, type CommandOptions, flag, text } from './command.ts';

/**
 * Run `work` with the node of the command's ini; all sessions are closed afterwards.
 * @throws KajaError not-a-node, connect-failed and what `work` throws
 */
export async function withTableNode<T>(
  ctx: CommandContext<'londiste'>,
  work: (node: TableNode) => Promise<T>,
): Promise<T> {
  const config: LondisteConfig = ctx.config;
  const sessions: Session[] = [];
  const open = async (location: string): Promise<Session> => {
    const session = await openSession(location, {
      purpose: 'admin',
      applicationName: `kaja ${config.jobName}`,
      signal: ctx.signal,
    });
    sessions.push(session);
    return session;
  };
  try {
    const here = await open(config.db);
    const facts = await readNodeFacts(here, config.queueName);
    let provider: Promise<Session> | undefined;
    return await work({
      queue: config.queueName,
      nodeType: facts.nodeType,
      nodeName: facts.nodeName,
      here,
      log: ctx.log,
      lockTimeoutMs: config.lockTimeoutMs,
      signal: ctx.signal,
      provider: () => {
        if (facts.providerLocation === null) {
          throw new KajaError(
            'state-refused',
            `node ${facts.nodeName} does not know where its provider ${facts.providerNode ?? ''} is`,
          );
        }
        provider ??= open(remoteLocation(facts.providerLocation, config.remoteExtraConnstr));
        return provider;
      },
      wantsTable: (name) => isRegistered(name, config.registerOnlyTables, config.registerSkipTables),
      wantsSeq: (name) => isRegistered(name, config.registerOnlySeqs, config.registerSkipSeqs),
      copyConsumer: (table) => copyConsumer(config.consumerName, table),
    });
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}

/**
 * Options of Londiste that this version has no answer to.
 * @throws KajaError state-refused when one was given
 */
export function refuseUnsupported(options: CommandOptions, names: readonly string[]): void {
  for (const name of names) {
    const camel = name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const value = options[camel];
    if (value !== undefined && value !== false) {
      throw new KajaError('state-refused', `--${name} is not in this version`, { hint: 'leave it out' });
    }
  }
}

/**
 * Read a number option.
 * @throws UsageError when it is not a whole number of at least `min`
 */
export function wholeNumber(
  options: CommandOptions,
  name: string,
  flagName: string,
  min: number,
): number | undefined {
  const value = text(options, name);
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value) || Number(value) < min || !Number.isSafeInteger(Number(value))) {
    throw new UsageError(`--${flagName} needs a whole number of at least ${min}, not '${value}'`);
  }
  return Number(value);
}

/** `--create` and `--create-full`; both together mean the latter. */
export const createChoice = (options: CommandOptions): 'no' | 'plain' | 'full' =>
  flag(options, 'createFull') ? 'full' : flag(options, 'create') ? 'plain' : 'no';
