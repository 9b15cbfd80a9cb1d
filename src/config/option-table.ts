/** The form of option tables: one row per ini key, from which values, types, help and samples are made. */

interface Common {
  /** One sentence for the sample ini. */
  readonly help: string;
  /** Other spellings, accepted silently. */
  readonly aliases?: readonly string[];
  /** Heading in the sample ini. */
  readonly group: string;
}

/** A row. Times are written in seconds and read as milliseconds; sizes are bytes and may carry kB, MB, GB. */
export type OptionSpec = Common &
  (
    | { readonly type: 'text'; readonly default: string; readonly required?: true }
    | { readonly type: 'file'; readonly default: string }
    | { readonly type: 'location'; readonly default: string; readonly required?: true }
    | { readonly type: 'list'; readonly default: string }
    | { readonly type: 'bool'; readonly default: boolean }
    | { readonly type: 'int'; readonly default: number; readonly min?: number; readonly max?: number }
    | { readonly type: 'bytes'; readonly default: number }
    | { readonly type: 'seconds'; readonly default: number; readonly min?: number; readonly negative?: true }
    | { readonly type: 'cron'; readonly default: string }
    | { readonly type: 'timezone'; readonly default: string }
    | { readonly type: 'choice'; readonly default: string; readonly choices: readonly string[] }
    /** Known to Londiste or pgqd, without meaning here: accepted silently. */
    | { readonly type: 'ignored' }
  );

/** Key → row. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;

type ValueOf<O> = O extends { type: 'list' }
  ? readonly string[]
  : O extends { type: 'bool' }
    ? boolean
    : O extends { type: 'int' | 'bytes' | 'seconds' }
      ? number
      : O extends { type: 'choice'; choices: readonly (infer C)[] }
        ? C
        : string;

type FieldName<K extends string, O> = O extends { type: 'seconds' } ? `${Camel<K>}Ms` : Camel<K>;

/** The typed values of a table: `loop_delay` (seconds) becomes `loopDelayMs`, `queue_name` becomes `queueName`. */
export type ConfigValues<T extends OptionTable> = {
  readonly [K in keyof T & string as T[K] extends { type: 'ignored' } ? never : FieldName<K, T[K]>]: ValueOf<
    T[K]
  >;
};

/** The field of `ConfigValues` that holds a key. */
export function fieldName(key: string, spec: OptionSpec): string {
  const camel = key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return spec.type === 'seconds' ? `${camel}Ms` : camel;
}
