/** Starts the shared servers of a test run, or takes the one that KAJA_TEST_PG_URL names. */
import type { TestProject } from 'vitest/node';
import { type Cluster, type Major, startCluster } from './cluster.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Connection URI of the maintenance database per server, in the order of `majors`. */
    servers: string[];
    /** PostgreSQL majors of `servers`. */
    majors: number[];
  }
}

const MAJORS: Major[] = [14, 18];

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.KAJA_TEST_PG_URL;
  if (given) {
    project.provide('servers', [given]);
    project.provide('majors', [0]);
    return async () => {};
  }
  const clusters: Cluster[] = await Promise.all(MAJORS.map((major) => startCluster(major)));
  project.provide('servers', clusters.map((cluster) => cluster.url('postgres')));
  project.provide('majors', MAJORS);
  return async () => {
    await Promise.all(clusters.map((cluster) => cluster.destroy()));
  };
}
