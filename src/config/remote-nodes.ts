/** How a node looks at the others of its set: where they are, and which of their objects it wants. */
import { extendConnectionString } from './connection-string.ts';

/** Connection string of another node: its public location with `remote_extra_connstr` added. */
export const remoteLocation = (location: string, extra: string): string =>
  extra.trim() === '' ? location : extendConnectionString(location, extra);

/** Is a table or sequence to be registered at all? The register_only_* and register_skip_* lists decide. */
export const isRegistered = (name: string, only: readonly string[], skip: readonly string[]): boolean =>
  (only.length === 0 || only.includes(name)) && !skip.includes(name);
