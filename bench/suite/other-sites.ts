/** The contenders that are not kaja: nobody, built-in logical replication, PgQ's C triggers. */
import { query, waitFor } from './query.ts';
import { createDatabase, createPlaces, dropPlaces, type Servers, type Site } from './site.ts';

const nothing = async (): Promise<void> => {};

/** A database that nobody replicates. */
export async function plainSite(servers: Servers, prefix: string, schema: string): Promise<Site> {
  const provider = await createDatabase(servers.provider, `${prefix}_src`);
  await query(provider, schema);
  return {
    name: 'none',
    provider,
    subscribers: [],
    publish: nothing,
    subscribe: nothing,
    pause: nothing,
    resume: nothing,
    freeze: nothing,
    thaw: nothing,
    processes: () => ({}),
    close: () => dropPlaces(servers, prefix, 0),
  };
}

/** PgQ's C trigger on every table, no consumer. */
export async function pgqSite(servers: Servers, prefix: string, schema: string): Promise<Site> {
  const site = await plainSite(servers, prefix, schema);
  await query(site.provider, `create extension pgq; select pgq.create_queue('bench')`);
  return {
    ...site,
    name: 'pgq-c',
    publish: async (tables) => {
      for (const table of tables)
        await query(
          site.provider,
          `create trigger bench_log after insert or update or delete on ${table}
             for each row execute function pgq.logutriga('bench')`,
        );
    },
  };
}

/** Publication and subscription. */
export async function builtInSite(
  servers: Servers,
  prefix: string,
  schema: string,
  leaves = 1,
): Promise<Site> {
  const { provider, subscribers } = await createPlaces(servers, prefix, schema, leaves);
  // Names of subscriptions are those of slots, so they differ.
  const each = async (text: (name: string) => string): Promise<void> => {
    for (const [at, url] of subscribers.entries()) await query(url, text(`${prefix}_${at + 1}`));
  };
  const disable = (): Promise<void> => each((name) => `alter subscription ${name} disable`);
  const enable = (): Promise<void> => each((name) => `alter subscription ${name} enable`);
  return {
    name: 'built-in',
    provider,
    ...(subscribers[0] === undefined ? {} : { subscriber: subscribers[0] }),
    subscribers,
    publish: async (tables) =>
      void (await query(provider, `create publication bench for table ${tables.join(', ')}`)),
    subscribe: async (tables, rowsAreThere = false) => {
      await each(
        (name) =>
          `create subscription ${name} connection '${provider}' publication bench with (copy_data = ${!rowsAreThere})`,
      );
      const synced = `select count(*) = ${tables.length} and bool_and(srsubstate = 'r') from pg_subscription_rel`;
      for (const url of subscribers) await waitFor(url, synced);
    },
    pause: disable,
    resume: enable,
    freeze: disable,
    thaw: enable,
    processes: () => ({}),
    close: async () => {
      await each((name) => `drop subscription if exists ${name}`);
      await dropPlaces(servers, prefix, leaves);
    },
  };
}
