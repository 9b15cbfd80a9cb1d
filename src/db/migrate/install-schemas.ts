/** Brings the schemas of a database to what this program carries. */
import { setTimeout as sleep } from 'node:timers/promises';
import { KajaError } from '../../errors/kaja-error.ts';
import type { Session } from '../session.ts';
import { sqlstateOf } from '../sql-error.ts';
import { CREATE_BOOKKEEPING, INSTALL_LOCK } from './bookkeeping.ts';
import { type InstallPlan, planInstall } from './plan.ts';
import { runSqlFile } from './run-sql-file.ts';
import { type InstallSource, readInstallSource } from './source.ts';
import { type InstallState, readInstallState } from './state.ts';

/** One thing done, or to be done with `dryRun`. */
export interface InstallStep {
  readonly kind: 'migration' | 'functions' | 'grants';
  readonly schema: string;
  /** For people: `migration 0001_pgq`, `functions of schema pgq`. */
  readonly text: string;
}

/** Options of `installSchemas`. */
export interface InstallOptions {
  /** Say what would be done, change nothing. */
  readonly dryRun?: boolean | undefined;
  /** Told before each step. */
  readonly onStep?: ((step: InstallStep) => void) | undefined;
  /** Other files than the package's; for tests. */
  readonly source?: InstallSource | undefined;
}

/* Roles belong to the whole server: two databases installed at once may both create or grant them. */
const ROLE_RACE = new Set(['23505', '42710', 'XX000']);
const ATTEMPTS = 4;

/**
 * Install or upgrade the schemas pgq, pgq_coop, pgq_ext, pgq_node, londiste and kaja, all or nothing, in one transaction.
 * A schema that belongs to a genuine extension is left alone, and so is a pgq_coop or pgq_ext that somebody else made. Needs the right to create schemas in the database, not superuser.
 * Safe to call twice at once: the second caller waits and finds nothing to do.
 * @returns steps done; empty when everything was up to date
 * @throws KajaError schema-too-new, schema-changed, state-refused, permission-denied; sql-failed with file and line
 */
export async function installSchemas(session: Session, options: InstallOptions = {}): Promise<InstallStep[]> {
  const source = options.source ?? readInstallSource();
  if (options.dryRun) {
    const state = await readInstallState(session);
    const steps = describePlan(planInstall(source, state, session.location));
    for (const step of steps) options.onStep?.(step);
    return steps;
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await session.transaction(() => install(session, source, options.onStep ?? (() => {})));
    } catch (error) {
      if (attempt >= ATTEMPTS || !isRoleRace(error)) throw error;
      await sleep(50 * attempt);
    }
  }
}

function isRoleRace(error: unknown): boolean {
  const state = sqlstateOf(error);
  if (state === undefined || !ROLE_RACE.has(state) || !(error instanceof KajaError)) return false;
  // XX000 is how the server says "tuple concurrently updated", in whatever language.
  return (
    state === 'XX000' ||
    /pg_authid|pg_auth_members|role/.test(`${error.message} ${String(error.context.constraint)}`)
  );
}

async function install(
  session: Session,
  source: InstallSource,
  onStep: (step: InstallStep) => void,
): Promise<InstallStep[]> {
  await session.query(INSTALL_LOCK);
  const state = await readInstallState(session);
  const plan = planInstall(source, state, session.location);
  const steps: InstallStep[] = [];
  const tell = (step: InstallStep): void => {
    steps.push(step);
    onStep(step);
  };
  if (plan.createBookkeeping) await session.query(CREATE_BOOKKEEPING);
  // Bodies name tables and functions of files that come later.
  await session.query('set local check_function_bodies = off');
  if (plan.migrations.length > 0) {
    // Kysely's hundreds of files are loaded by those who have something to migrate.
    const { runMigrations } = await import('./run-migrations.ts');
    const applied = state.migrations.map((row) => row.name);
    await runMigrations(session, plan.migrations, applied, source.version, (file) => {
      tell({ kind: 'migration', schema: file.schema, text: `migration ${file.name}` });
    });
  }
  await applyFunctions(session, source, plan, tell);
  return steps;
}

async function applyFunctions(
  session: Session,
  source: InstallSource,
  plan: InstallPlan,
  tell: (step: InstallStep) => void,
): Promise<void> {
  for (const set of plan.functions) {
    tell({ kind: 'functions', schema: set.schema, text: `functions of schema ${set.schema}` });
    for (const file of set.files) await runSqlFile(session, file);
  }
  for (const set of plan.functions) {
    if (set.grants) {
      tell({ kind: 'grants', schema: set.schema, text: `permissions of schema ${set.schema}` });
      await runSqlFile(session, set.grants);
    }
    await session.query(
      `insert into kaja.schema_functions (schema, checksum, kaja_version) values ($1, $2, $3)
       on conflict (schema) do update
          set checksum = excluded.checksum, applied_at = pg_catalog.now(), kaja_version = excluded.kaja_version`,
      [set.schema, set.checksum, source.version],
    );
  }
}

function describePlan(plan: InstallPlan): InstallStep[] {
  return [
    ...plan.migrations.map(
      (file) => ({ kind: 'migration', schema: file.schema, text: `migration ${file.name}` }) as const,
    ),
    ...plan.functions.map(
      (set) =>
        ({ kind: 'functions', schema: set.schema, text: `functions of schema ${set.schema}` }) as const,
    ),
    ...plan.functions
      .filter((set) => set.grants)
      .map(
        (set) =>
          ({ kind: 'grants', schema: set.schema, text: `permissions of schema ${set.schema}` }) as const,
      ),
  ];
}

/** How far a database is behind this program. */
export interface InstallStatus {
  readonly state: InstallState;
  /** Steps `installSchemas` would do; empty when up to date. */
  readonly open: readonly InstallStep[];
}

/**
 * Compare a database with this program; writes nothing.
 * @throws KajaError as `installSchemas`
 */
export async function readInstallStatus(
  session: Session,
  source = readInstallSource(),
): Promise<InstallStatus> {
  const state = await readInstallState(session);
  return { state, open: describePlan(planInstall(source, state, session.location)) };
}
