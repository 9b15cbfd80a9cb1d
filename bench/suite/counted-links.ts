/** Counts what the commands of a node move between itself and both servers. */
import { type CountingProxy, countingProxy } from './counting-proxy.ts';
import { query } from './query.ts';

/** Bytes between a command and both servers. */
export interface Moved {
  readonly provider: number;
  readonly subscriber: number;
}

/** A root's and a leaf's databases. */
export interface Ends {
  readonly provider: string;
  readonly subscriber: string;
  readonly queue: string;
  /** How the programs write a connection. */
  locationOf(url: string): string;
}

/** Counted connections of a site; they live as long as the site. */
export class CountedLinks {
  readonly #ends: Ends;
  #proxies: readonly CountingProxy[] = [];

  constructor(ends: Ends) {
    this.#ends = ends;
  }

  /**
   * Count while `work` runs, which gets the leaf's counted location. The root's location, as the leaf knows it, is a counted
   * one meanwhile; a worker that turns to it is counted too, but has nothing to do.
   */
  async count(work: (leafLocation: string) => Promise<unknown>): Promise<Moved> {
    const { provider, subscriber, locationOf } = this.#ends;
    if (this.#proxies.length === 0)
      this.#proxies = await Promise.all([countingProxy(provider), countingProxy(subscriber)]);
    const [near, far] = this.#proxies as [CountingProxy, CountingProxy];
    await this.#moveRoot(near.url);
    try {
      const before = [near.bytes(), far.bytes()] as const;
      await work(locationOf(far.url));
      return { provider: near.bytes() - before[0], subscriber: far.bytes() - before[1] };
    } finally {
      await this.#moveRoot(provider);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((one) => one.close()));
  }

  async #moveRoot(url: string): Promise<void> {
    const { subscriber, queue, locationOf } = this.#ends;
    await query(subscriber, `select * from pgq_node.register_location($1, 'root', $2, false)`, [
      queue,
      locationOf(url),
    ]);
  }
}
