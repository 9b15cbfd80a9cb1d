/** The databases that one ini leads to, in the order in which a worker would meet them. */
import { describeLocation, extendConnectionString } from '../config/connection-string.ts';
import type { LondisteConfig, TickerConfig } from '../config/load-config.ts';
import { errorLine } from '../errors/error-line.ts';
import { KajaError } from '../errors/kaja-error.ts';
import { listDatabases } from '../queue/list-databases.ts';
import { tickerSettings } from '../queue/ticker-settings.ts';
import { error, type Finding, info, type Severity, warning } from './finding.ts';
import { completeSide, type OpenSide, openSide, probeApply, type SideRequest } from './open-side.ts';
import { checkPair, checkSide, placed } from './run-checks.ts';
import type { CheckContext, Side } from './side.ts';

/** What is asked for, besides the ini. */
export interface ExaminationRequest {
  /** Connection string of the provider, for a node that does not exist yet, or shall have another one. */
  readonly provider?: string | undefined;
  /** Patterns of tables to look at besides the registered ones. */
  readonly tables?: readonly string[] | undefined;
}

/** A failure as a finding. */
export function failed(check: string, where: string, failure: unknown): Finding {
  const known = failure instanceof KajaError;
  const verdict = error(known ? failure.message : errorLine(failure), known ? (failure.hint ?? '') : '');
  return placed(check, where, [verdict])[0] as Finding;
}

/** Examines what one ini names; findings pile up in `findings`, also when a method fails half-way. */
export class Examination {
  readonly findings: Finding[] = [];
  readonly #request: ExaminationRequest;
  readonly #context: CheckContext;

  constructor(request: ExaminationRequest, context: CheckContext) {
    this.#request = request;
    this.#context = context;
  }

  /** A ticker's ini: the databases it serves. @throws KajaError when the list cannot be read */
  async ticker(config: TickerConfig): Promise<void> {
    const settings = tickerSettings(config);
    const databases = await listDatabases(settings, this.#context.signal);
    if (databases.length === 0)
      this.#add(
        'config',
        config.configFile,
        info('the ticker has no database to serve', 'set db, or base_connstr and database_list'),
      );
    for (const { location, named } of databases) {
      const side = await this.#open({ location, role: 'ticker' }, named ? 'error' : 'warning');
      if (!side) continue;
      try {
        // Databases of the server that nobody named need not have queues.
        if (named || side.schemas.has('pgq')) await this.#examine(side, undefined, {});
      } finally {
        await side.session.close();
      }
    }
  }

  /** A node's ini: its provider, itself, both together, the root. */
  async node(config: LondisteConfig): Promise<void> {
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
    if (!there) return;
    const from = this.findings.length;
    this.findings.push(...(await checkPair({ provider: there, subscriber: side }, this.#context)));
    this.#nameIni(from, config);
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

  async #open(request: SideRequest, severity: Severity = 'error'): Promise<OpenSide | undefined> {
    const { signal } = this.#context;
    try {
      const { side, notes } = await openSide({ ...request, signal });
      this.findings.push(...placed('node', side.where, notes));
      return side;
    } catch (failure) {
      if (signal?.aborted) throw failure;
      this.findings.push({ ...failed('connection', describeLocation(request.location), failure), severity });
      return undefined;
    }
  }

  async #examine(
    opened: OpenSide,
    apply: Side['apply'],
    candidates: Parameters<typeof completeSide>[2],
  ): Promise<Side> {
    const { side, unmatched } = await completeSide(opened, apply, candidates);
    const from = this.findings.length;
    for (const name of unmatched)
      this.#add('tables', side.where, warning(`no table is called ${name}`, 'see --tables'));
    this.findings.push(...(await checkSide(side, this.#context)));
    this.#nameIni(from, side.config);
    return side;
  }

  /* Remedies are to be copied: `kaja INI …` of an ini's own database means that file. */
  #nameIni(from: number, config: LondisteConfig | undefined): void {
    if (!config) return;
    const path = config.configFile;
    const name = `kaja ${/^[\w./-]+$/.test(path) ? path : `'${path}'`} `;
    for (let at = from; at < this.findings.length; at++) {
      const one = this.findings[at];
      if (one) this.findings[at] = { ...one, remedy: one.remedy.replaceAll('kaja INI ', name) };
    }
  }

  #add(check: string, where: string, verdict: Parameters<typeof placed>[2][number]): void {
    this.findings.push(...placed(check, where, [verdict]));
  }
}
