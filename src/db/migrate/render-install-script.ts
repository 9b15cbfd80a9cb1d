/** The whole installation as one psql script. */
import { quoteLiteral } from '../names.ts';
import { CREATE_BOOKKEEPING, INSTALL_LOCK } from './bookkeeping.ts';
import {
  type FunctionSet,
  type InstallSource,
  type MigrationFile,
  OPTIONAL_SCHEMAS,
  readInstallSource,
  SCHEMAS,
  type SchemaName,
  type SqlFile,
} from './source.ts';

/**
 * A self-contained script for `psql -X -1 -f`: same steps, guards and records as `installSchemas`, so that a later
 * `kaja install` finds everything in place, and a second run changes nothing.
 */
export function renderInstallScript(source: InstallSource = readInstallSource()): string {
  return [
    `-- Schemas of kaja ${source.version}. Run in one transaction:  psql -X -1 -f THIS_FILE DATABASE`,
    '-- Needs the right to create schemas in the database; may be run again at any time.',
    '\\set ON_ERROR_STOP on',
    'set client_min_messages = warning;',
    'set search_path = pg_catalog;',
    'set check_function_bodies = off;',
    block(`perform ${INSTALL_LOCK.replace('select ', '')};`),
    CREATE_BOOKKEEPING.trim(),
    guards(source),
    ...source.migrations.map((file) => migration(file, source.version)),
    ...source.functions.map(functions),
    ...source.functions.map((set) => grants(set, source.version)),
    'reset check_function_bodies;',
    'reset search_path;',
    'reset client_min_messages;',
    '',
  ].join('\n\n');
}

function block(...body: string[]): string {
  const text = `begin\n${body.join('\n')}\nend;`;
  const tag = freeTag(text);
  return `do ${tag}\n${text}\n${tag};`;
}

/** A dollar quote that does not occur in the text. */
function freeTag(text: string): string {
  for (let index = 0; ; index++) {
    const tag = index === 0 ? '$kaja$' : `$kaja${index}$`;
    if (!text.includes(tag)) return tag;
  }
}

function execute(file: SqlFile): string {
  const tag = freeTag(file.text);
  return `-- ${file.path}\nexecute ${tag}${file.text}\n${tag};`;
}

const isOurs = (schema: string): string =>
  `exists (select from kaja.schema_migration m where m.schema_name = ${quoteLiteral(schema)})`;

/** As `leftAlone` of `readInstallState`. */
const isLeftAlone = (schema: SchemaName): string => {
  const extension = `exists (select from pg_catalog.pg_extension e where e.extname = ${quoteLiteral(schema)})`;
  if (!OPTIONAL_SCHEMAS.includes(schema)) return extension;
  return `(${extension} or pg_catalog.to_regnamespace(${quoteLiteral(schema)}) is not null and not ${isOurs(schema)})`;
};

function guards(source: InstallSource): string {
  const rows = source.migrations
    .map((file) => `(${[file.name, file.schema, file.checksum].map(quoteLiteral).join(', ')})`)
    .join(',\n        ');
  const known = `(values\n        ${rows}) as f (name, schema_name, checksum)`;
  return block(
    `if exists (select from kaja.schema_migration m where m.name not in (select f.name from ${known})) then`,
    `  raise exception 'this database was installed by a newer kaja than ${source.version}';`,
    'end if;',
    `if exists (select from kaja.schema_migration m join ${known} using (name) where m.checksum <> f.checksum) then`,
    `  raise exception 'an applied migration differs from the one in this script';`,
    'end if;',
    ...SCHEMAS.filter(
      (schema) => schema !== 'kaja' && source.migrations.some((file) => file.schema === schema),
    ).flatMap((schema) => [
      `if pg_catalog.to_regnamespace(${quoteLiteral(schema)}) is not null and not ${isLeftAlone(schema)}`,
      `   and not exists (select from kaja.schema_migration m join ${known} using (name) where f.schema_name = ${quoteLiteral(schema)}) then`,
      `  raise exception 'schema ${schema} was made by something else than kaja';`,
      'end if;',
    ]),
  );
}

function migration(file: MigrationFile, version: string): string {
  const name = quoteLiteral(file.name);
  return block(
    `if not ${isLeftAlone(file.schema)} and not exists (select from kaja.schema_migration m where m.name = ${name}) then`,
    execute(file),
    'insert into kaja.schema_migration (name, "timestamp", schema_name, checksum, kaja_version)',
    `values (${name}, pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),`,
    `  ${quoteLiteral(file.schema)}, ${quoteLiteral(file.checksum)}, ${quoteLiteral(version)});`,
    // New tables need the schema's permissions, so its functions count as changed.
    `delete from kaja.schema_functions where schema = ${quoteLiteral(file.schema)};`,
    'end if;',
  );
}

const isOpen = (set: FunctionSet): string =>
  `not ${isLeftAlone(set.schema)} and not exists (select from kaja.schema_functions s where s.schema = ${quoteLiteral(set.schema)} and s.checksum = ${quoteLiteral(set.checksum)})`;

function functions(set: FunctionSet): string {
  if (set.files.length === 0) return `-- no functions in schema ${set.schema}`;
  return block(`if ${isOpen(set)} then`, ...set.files.map(execute), 'end if;');
}

function grants(set: FunctionSet, version: string): string {
  if (set.files.length === 0 && !set.grants) return `-- no permissions in schema ${set.schema}`;
  return block(
    `if ${isOpen(set)} then`,
    ...(set.grants ? [execute(set.grants)] : []),
    'insert into kaja.schema_functions (schema, checksum, kaja_version)',
    `values (${[set.schema, set.checksum, version].map(quoteLiteral).join(', ')})`,
    'on conflict (schema) do update',
    '  set checksum = excluded.checksum, applied_at = pg_catalog.now(), kaja_version = excluded.kaja_version;',
    'end if;',
  );
}
