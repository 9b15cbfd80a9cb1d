/** The SQL files this program carries. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KajaError } from '../../errors/kaja-error.ts';
import { packageRoot, packageVersion } from './package-root.ts';

/** Our schemas in the order in which they build on each other. */
export const SCHEMAS = ['pgq', 'pgq_coop', 'pgq_ext', 'pgq_node', 'londiste', 'kaja'] as const;
export type SchemaName = (typeof SCHEMAS)[number];

/** Those that nothing else of ours needs: where somebody else made one, it stays as it is. */
export const OPTIONAL_SCHEMAS: readonly SchemaName[] = ['pgq_coop', 'pgq_ext'];

/** One SQL file. */
export interface SqlFile {
  /** Relative to the package, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** One step of structure, never changed after release. */
export interface MigrationFile extends SqlFile {
  /** File name without `.sql`: `0001_pgq`. */
  readonly name: string;
  readonly schema: SchemaName;
  readonly checksum: string;
}

/** Function files of a schema, applied as a group. */
export interface FunctionSet {
  readonly schema: SchemaName;
  readonly files: readonly SqlFile[];
  /** Permissions; applied after the functions of all schemas. */
  readonly grants: SqlFile | undefined;
  readonly checksum: string;
}

/** Everything an installation consists of. */
export interface InstallSource {
  readonly version: string;
  readonly migrations: readonly MigrationFile[];
  readonly functions: readonly FunctionSet[];
}

const GRANTS = '_grants.sql';
/* A checkout on another system must not look like a changed file. */
const readText = (path: string): string => readFileSync(path, 'utf8').replaceAll('\r\n', '\n');
const sqlFilesIn = (dir: string): string[] =>
  existsSync(dir)
    ? readdirSync(dir)
        .filter((file) => file.endsWith('.sql'))
        .sort()
    : [];

function checksumOf(parts: readonly string[]): string {
  const hash = createHash('sha256');
  // The length keeps "ab" + "c" apart from "a" + "bc".
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex');
}

function schemaOf(name: string, text: string): SchemaName {
  const declared = /^--\s*schema:\s*(\w+)/m.exec(text)?.[1];
  const word =
    declared ?? SCHEMAS.toSorted((a, b) => b.length - a.length).find((one) => name.slice(5).startsWith(one));
  const schema = SCHEMAS.find((one) => one === word);
  if (!schema) throw new KajaError('internal', `migration ${name} belongs to no schema of this program`);
  return schema;
}

/**
 * Read all migrations and functions.
 * @param root folder with `migrations/` and `sql/`; default is this package
 */
export function readInstallSource(
  root: string = packageRoot(),
  version: string = packageVersion(),
): InstallSource {
  const migrations = sqlFilesIn(join(root, 'migrations')).map((file): MigrationFile => {
    const name = file.slice(0, -'.sql'.length);
    const text = readText(join(root, 'migrations', file));
    return {
      name,
      path: `migrations/${file}`,
      text,
      schema: schemaOf(name, text),
      checksum: checksumOf([text]),
    };
  });
  const functions = SCHEMAS.map((schema): FunctionSet => {
    const all = sqlFilesIn(join(root, 'sql', schema)).map(
      (file): SqlFile => ({ path: `sql/${schema}/${file}`, text: readText(join(root, 'sql', schema, file)) }),
    );
    return {
      schema,
      files: all.filter((file) => !file.path.endsWith(`/${GRANTS}`)),
      grants: all.find((file) => file.path.endsWith(`/${GRANTS}`)),
      checksum: checksumOf(all.flatMap((file) => [file.path, file.text])),
    };
  });
  return { version, migrations, functions };
}
