/** Starts the shared servers of a test run, or takes the one that KAJA_TEST_PG_URL names. */
import type { TestProject } from 'vitest/node';
import { type Cluster, type Major, startCluster } from './cluster.ts';
import { createTemplate, dropTemplate, majorOf } from './template.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Connection URI of the maintenance database per server, in the order of `majors`. */
    servers: string[];
    /** PostgreSQL majors of `servers`. */
    majors: number[];
    /** Server → database with everything installed, to be cloned; absent when the SQL does not install. */
    templates: Record<string, string>;
  }
}

const MAJORS: Major[] = [14, 18];

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.KAJA_TEST_PG_URL;
  if (given) {
    const templates = await provide(project, [given], [await majorOf(given)]);
    return () => dropTemplate(given, templates[given]);
  }
  const clusters: Cluster[] = await Promise.all(MAJORS.map((major) => startCluster(major)));
  const urls = clusters.map((cluster) => cluster.url('postgres'));
  await provide(project, urls, MAJORS);
  return async () => {
    await Promise.all(clusters.map((cluster) => cluster.destroy()));
  };
}

async function provide(
  project: TestProject,
  servers: string[],
  majors: number[],
): Promise<Record<string, string>> {
  const made = await Promise.all(
    servers.map(async (server) => [server, await createTemplate(server)] as const),
  );
  const templates = Object.fromEntries(made.flatMap(([server, name]) => (name ? [[server, name]] : [])));
  project.provide('servers', servers);
  project.provide('majors', majors);
  project.provide('templates', templates);
  return templates;
}
