/** The contenders that are not kaja: nobody, built-in logical replication, PgQ's C triggers. */
import { query, waitFor } from './query.ts';
import { createDatabase, dropDatabase, type Servers, type Site } from './site.ts';

const nothing = async (): Promise<void> => {};

/** A database that nobody replicates. */
export async function plainSite(servers: Servers, prefix: string, schema: string): Promise<Site> {
  const provider = await createDatabase(servers.provider, `${prefix}_src`);
  await query(provider, schema);
  return {
    name: 'none',
    provider,
    publish: nothing,
    subscribe: nothing,
    pause: nothing,
    resume: nothing,
    processes: () => ({}),
    close: async () => void (await dropDatabase(servers.provider, `${prefix}_src`)),
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
export async function builtInSite(servers: Servers, prefix: string, schema: string): Promise<Site> {
  const provider = await createDatabase(servers.provider, `${prefix}_src`);
  const subscriber = await createDatabase(servers.subscriber, `${prefix}_dst`);
  for (const url of [provider, subscriber]) await query(url, schema);
  return {
    name: 'built-in',
    provider,
    subscriber,
    publish: async (tables) =>
      void (await query(provider, `create publication bench for table ${tables.join(', ')}`)),
    subscribe: async (tables) => {
      await query(subscriber, `create subscription ${prefix} connection '${provider}' publication bench`);
      await waitFor(
        subscriber,
        `select count(*) = ${tables.length} and bool_and(srsubstate = 'r') from pg_subscription_rel`,
      );
    },
    pause: async () => void (await query(subscriber, `alter subscription ${prefix} disable`)),
    resume: async () => void (await query(subscriber, `alter subscription ${prefix} enable`)),
    processes: () => ({}),
    close: async () => {
      await query(subscriber, `drop subscription if exists ${prefix}`);
      await dropDatabase(servers.subscriber, `${prefix}_dst`);
      await dropDatabase(servers.provider, `${prefix}_src`);
    },
  };
}
