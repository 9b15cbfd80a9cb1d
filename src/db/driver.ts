/** node-postgres. Loaded here, by everybody who needs more than its types. */
import { createRequire } from 'node:module';
import type pg from 'pg';

/*
 * The driver asks whether it runs at Cloudflare, and where there is no `navigator` (Node 20) it asks by making a `Response`. That
 * loads the whole fetch implementation, which nothing here uses and which takes as long as the driver itself.
 */
function loadDriver(): typeof pg {
  const nameless = !('navigator' in globalThis);
  if (nameless) {
    const value = { userAgent: `Node.js/${process.versions.node}` };
    Object.defineProperty(globalThis, 'navigator', { value, configurable: true });
  }
  try {
    return createRequire(import.meta.url)('pg') as typeof pg;
  } finally {
    if (nameless) Reflect.deleteProperty(globalThis, 'navigator');
  }
}

/** The driver. */
export const driver = loadDriver();
