/** Decides what an installation has to do; pure. */
import { KajaError } from '../../errors/kaja-error.ts';
import type { FunctionSet, InstallSource, MigrationFile } from './source.ts';
import type { InstallState } from './state.ts';

/** What has to be done; schemas of genuine extensions and others are left out. */
export interface InstallPlan {
  readonly createBookkeeping: boolean;
  /** In order. */
  readonly migrations: readonly MigrationFile[];
  readonly functions: readonly FunctionSet[];
}

/**
 * Compare files and database.
 * @param location description of the database for messages
 * @throws KajaError schema-too-new, schema-changed; state-refused when a schema is somebody else's
 */
export function planInstall(source: InstallSource, state: InstallState, location: string): InstallPlan {
  const known = new Map(source.migrations.map((file) => [file.name, file]));
  const applied = new Set<string>();
  for (const row of state.migrations) {
    const file = known.get(row.name);
    if (!file) {
      throw new KajaError(
        'schema-too-new',
        `${location} has migration ${row.name}, which kaja ${source.version} does not know`,
      );
    }
    if (row.checksum !== null && row.checksum !== file.checksum) {
      throw new KajaError('schema-changed', `${file.path} is not what was applied to ${location}`, {
        hint: 'install an unmodified kaja; changes of structure belong into a new migration',
      });
    }
    applied.add(row.name);
  }
  const open = source.migrations.filter((file) => !applied.has(file.name));
  const migrations = open.filter((file) => !state.leftAlone.has(file.schema));
  refuseForeignSchemas(source, migrations, state, location);
  const touched = new Set(migrations.map((file) => file.schema));
  const functions = source.functions.filter((set) => {
    if (state.leftAlone.has(set.schema) || (set.files.length === 0 && !set.grants)) return false;
    const before = state.functions.find((one) => one.schema === set.schema);
    if (before?.checksum === set.checksum) return touched.has(set.schema);
    if (before && compareVersions(before.version, source.version) > 0) {
      throw new KajaError(
        'schema-too-new',
        `functions of schema ${set.schema} in ${location} are of kaja ${before.version}, this is ${source.version}`,
      );
    }
    return true;
  });
  return {
    createBookkeeping: !state.bookkeeping && migrations.length + functions.length > 0,
    migrations,
    functions,
  };
}

/** A schema that exists although nothing of it was applied was made by somebody else. */
function refuseForeignSchemas(
  source: InstallSource,
  pending: readonly MigrationFile[],
  state: InstallState,
  location: string,
): void {
  for (const schema of state.schemas) {
    // Schema kaja holds the bookkeeping, it may exist first.
    if (schema === 'kaja' || state.leftAlone.has(schema)) continue;
    const own = source.migrations.filter((file) => file.schema === schema);
    if (own.length > 0 && own.every((file) => pending.includes(file))) {
      throw new KajaError(
        'state-refused',
        `schema ${schema} in ${location} was made by something else than kaja`,
        {
          hint: `use the extension ${schema}, or drop the schema, and install again`,
        },
      );
    }
  }
}

/** Order of two versions `1.2.3`; a pre-release suffix is ignored. */
export function compareVersions(a: string, b: string): number {
  const numbers = (text: string): number[] => (text.split('-')[0] ?? '').split('.').map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
