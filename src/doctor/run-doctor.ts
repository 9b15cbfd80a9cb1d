/** From ini files to findings. */
import { describeLocation, extendConnectionString } from '../config/connection-string.ts';
import {
  detectKind,
  type LondisteConfig,
  loadConfig,
  OPTION_TABLES,
  type SectionKind,
  type TickerConfig,
} from '../config/load-config.ts';
import { errorLine } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { listDatabases } from '../queue/list-databases.ts';
import { tickerSettings } from '../queue/ticker-settings.ts';
import { error, type Finding, info, ok, warning, worstFirst } from './finding.ts';
import { DOCTOR_LIMITS, type DoctorLimits } from './limits.ts';
import { completeSide, type OpenSide, openSide, probeApply, type SideRequest } from './open-side.ts';
import { checkPair, checkSide, placed } from './run-checks.ts';
import type { CheckContext, Side } from './side.ts';

/** What to examine. */
export interface DoctorRequest {
  /** Paths of ini files, of nodes and tickers. */
  readonly paths: readonly string[];
  /** `--set` pairs; each goes to the files that know its key. */
  readonly overrides?: ReadonlyMap<string, string> | undefined;
  /** Connection string of the provider, for nodes that do not exist yet, or shall have another one. */
  readonly provider?: string | undefined;
  /** Patterns of tables to look at besides the registered ones. */
  readonly tables?: readonly string[] | undefined;
  readonly limits?: Partial<DoctorLimits> | undefined;
  /** Clock of this host, milliseconds. */
  readonly now?: (() => number) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Examine everything the ini files name. Changes nothing; failures become findings.
 * @returns findings in the order of the databases, the worst of each first, none twice
 * @throws KajaError aborted
 */
export async function runDoctor(request: DoctorRequest): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const path of request.paths) {
    try {
      const kind = detectKind(path);
      const overrides = new Map(
        [...(request.overrides ?? [])].filter(([key]) => Object.hasOwn(OPTION_TABLES[kind], key)),
      );
      const load = <K extends SectionKind>(one: K) => loadConfig({ path, kind: one, overrides });
      const found =
        kind === 'londiste'
          ? await new Examination(request).node(load('londiste'))
          : await new Examination(request).ticker(load('ticker'));
      findings.push(...placed('config', path, [ok('configuration is understood')]), ...found);
    } catch (failure) {
      if (request.signal?.aborted) throw failure;
      findings.push(failed('config', path, failure));
    }
  }
  return arrange(findings);
}

/** By place in order of appearance, the worst first, without repetitions. */
export function arrange(findings: readonly Finding[]): Finding[] {
  const unique = new Map(findings.map((one) => [JSON.stringify(one), one]));
  const places = [...new Set(findings.map((one) => one.where))];
  return places.flatMap((where) => worstFirst([...unique.values()].filter((one) => one.where === where)));
}

function failed(check: string, where: string, failure: unknown): Finding {
  const hint = failure instanceof KajaError ? (failure.hint ?? '') : '';
  const what = failure instanceof KajaError ? failure.message : errorLine(failure);
  return placed(check, where, [error(what, hint)])[0] as Finding;
}

/** One ini. */
class Examination {
  readonly #request: DoctorRequest;
  readonly #context: CheckContext;
  readonly #findings: Finding[] = [];

  constructor(request: DoctorRequest) {
    this.#request = request;
    this.#context = {
      limits: { ...DOCTOR_LIMITS, ...request.limits },
      now: request.now ?? Date.now,
      signal: request.signal,
    };
  }

  async ticker(config: TickerConfig): Promise<Finding[]> {
    const settings = tickerSettings(config);
    const databases = await listDatabases(settings, this.#context.signal);
    if (databases.length === 0)
      this.#add(
        'config',
        config.configFile,
        info('the ticker has no database to serve', 'set db, or base_connstr and database_list'),
      );
    for (const { location, named } of databases) {
      const side = await this.#open({ location, role: 'ticker' });
      if (!side) continue;
      try {
        // Databases of the server that nobody named need not have queues.
        if (named || side.schemas.has('pgq')) await this.#examine(side, undefined, {});
      } finally {
        await side.session.close();
      }
    }
    return this.#findings;
  }

  async node(config: LondisteConfig): Promise<Finding[]> {
    const queue = config.queueName;
    const opened: OpenSide[] = [];
    const open = async (request: SideRequest): Promise<OpenSide | undefined> => {
      const side = await this.#open(request);
      if (side) opened.push(side);
      return side;
    };
    try {
      const here = await open({ location: config.db, role: 'node', queue, config });
      const location = this.#providerOf(here, config);
      const provider = location === undefined ? undefined : await open({ location, role: 'provider', queue });
      if (provider && !provider.node && provider.schemas.has('pgq_node'))
        this.#add(
          'node',
          provider.where,
          warning(
            `this provider is no node of queue ${queue}`,
            `kaja ROOT.ini create-root NAME CONNSTR, with queue_name = ${queue}`,
          ),
        );
      const there = provider && (await this.#examine(provider, undefined, this.#wanted(here)));
      if (here) await this.#examineHere(here, there, config, location !== undefined);
      await this.#root(provider, config, open);
      return this.#findings;
    } finally {
      await Promise.all(opened.map((side) => side.session.close()));
    }
  }

  /* The first look at what could be replicated is worth all tables. */
  #wanted(here: OpenSide | undefined): { patterns: readonly string[]; all: boolean } {
    return { patterns: this.#request.tables ?? [], all: here !== undefined && !here.node };
  }

  async #examineHere(
    here: OpenSide,
    there: Side | undefined,
    config: LondisteConfig,
    subscribes: boolean,
  ): Promise<void> {
    if (!subscribes && here.node?.type !== 'leaf') {
      await this.#examine(here, undefined, this.#wanted(here));
      return;
    }
    const apply = await probeApply(here.session, config.applyRole);
    const names = there?.tables.flatMap((one) => (one.registered && here.node ? [] : one.name));
    const side = await this.#examine(
      here,
      apply,
      names ? { names } : { patterns: this.#request.tables ?? [] },
    );
    if (there)
      this.#findings.push(...(await checkPair({ provider: there, subscriber: side }, this.#context)));
  }

  #providerOf(here: OpenSide | undefined, config: LondisteConfig): string | undefined {
    if (this.#request.provider) return this.#request.provider;
    if (here?.node?.type === 'root') return undefined;
    if (!here?.node) return config.initialProviderLocation || undefined;
    return this.#remote(here.node.providerLocation, config);
  }

  #remote(location: string, config: LondisteConfig): string {
    return config.remoteExtraConnstr ? extendConnectionString(location, config.remoteExtraConnstr) : location;
  }

  /** Up from a provider that is not the root itself. */
  async #root(
    provider: OpenSide | undefined,
    config: LondisteConfig,
    open: (request: SideRequest) => Promise<OpenSide | undefined>,
  ): Promise<void> {
    const seen = new Set<string>();
    for (let at = provider; at?.node && at.node.type !== 'root'; ) {
      const { name, providerLocation } = at.node;
      if (seen.has(name)) {
        this.#add(
          'node',
          at.where,
          error(
            `providers of queue ${config.queueName} run in a circle: ${[...seen, name].join(' -> ')}`,
            'kaja INI change-provider on one of them',
          ),
        );
        return;
      }
      seen.add(name);
      at = await open({
        location: this.#remote(providerLocation, config),
        role: 'root',
        queue: config.queueName,
      });
      if (at?.node?.type === 'root') await this.#examine(at, undefined, {});
    }
  }

  async #open(request: SideRequest): Promise<OpenSide | undefined> {
    const { signal } = this.#context;
    try {
      const { side, notes } = await openSide({ ...request, signal });
      this.#findings.push(...placed('node', side.where, notes));
      return side;
    } catch (failure) {
      if (signal?.aborted) throw failure;
      this.#findings.push(failed('connection', describeLocation(request.location), failure));
      return undefined;
    }
  }

  async #examine(
    opened: OpenSide,
    apply: Side['apply'],
    candidates: Parameters<typeof completeSide>[2],
  ): Promise<Side> {
    const { side, unmatched } = await completeSide(opened, apply, candidates);
    for (const name of unmatched)
      this.#add('tables', side.where, warning(`no table is called ${name}`, 'see --tables'));
    this.#findings.push(...(await checkSide(side, this.#context)));
    return side;
  }

  #add(check: string, where: string, verdict: Parameters<typeof placed>[2][number]): void {
    this.#findings.push(...placed(check, where, [verdict]));
  }
}
