/** Problems that tests provoke on a pair of nodes, and what the doctor has to say about each. */
import { expect, it } from 'vitest';
import { type DoctorRequest, runDoctor } from '../../src/doctor/run-doctor.ts';
import { expectFinding, type WantedFinding } from './expect-finding.ts';
import type { NodePair } from './node-pair.ts';

/** Statements that break something, the finding they lead to, statements that mend it. */
export interface Problem {
  readonly name: string;
  readonly root?: readonly string[];
  readonly leaf?: readonly string[];
  readonly mendRoot?: readonly string[];
  readonly mendLeaf?: readonly string[];
  readonly request?: Partial<DoctorRequest>;
  readonly wanted: readonly WantedFinding[];
}

/** A problem in short form; findings as severity, check, what, remedy. */
export const problem = (
  name: string,
  changes: Omit<Problem, 'name' | 'wanted'>,
  ...wanted: [WantedFinding['severity'], string, RegExp, RegExp][]
): Problem => ({
  name,
  ...changes,
  wanted: wanted.map(([severity, check, what, remedy]) => ({ severity, check, what, remedy })),
});
/** As `--set key=value`. */
export const set = (key: string, value: string): Partial<DoctorRequest> => ({
  overrides: new Map([[key, value]]),
});

/** Make the tables `a` and `b` on both sides, `c` and `d` on the root, and replicate them. */
export async function prepareTables(pair: NodePair): Promise<void> {
  for (const db of [pair.root, pair.leaf]) {
    await db.sql('create table public.a (id serial primary key, name text)');
    await db.sql('create table public.b (id int primary key, a_id int)');
  }
  await pair.root.sql(
    'create table public.c (id int primary key); create table public.d (id int primary key)',
  );
  expect((await pair.onRoot('add-table', 'a', 'b', 'c', 'd')).code).toBe(0);
  expect((await pair.onLeaf('add-table', 'a', 'b')).code).toBe(0);
  pair.startWorker();
  await pair.sync();
}

/** Define a test for each: break, look, mend. */
export function testProblems(problems: readonly Problem[], pairOf: () => NodePair): void {
  for (const one of problems) {
    it(one.name, async () => {
      const pair = pairOf();
      for (const statement of one.root ?? []) await pair.root.sql(statement);
      for (const statement of one.leaf ?? []) await pair.leaf.sql(statement);
      try {
        const findings = await runDoctor({ paths: [pair.rootIni, pair.leafIni], ...one.request });
        for (const wanted of one.wanted) expectFinding(findings, wanted);
        expect(JSON.stringify(findings)).not.toContain('s3cret');
      } finally {
        for (const statement of one.mendRoot ?? []) await pair.root.sql(statement);
        for (const statement of one.mendLeaf ?? []) await pair.leaf.sql(statement);
      }
    });
  }
}
