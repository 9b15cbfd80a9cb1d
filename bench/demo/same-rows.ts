/** The demo's own check, which trusts nothing of kaja: every row of both sides as text, sorted and hashed by the servers. */
import { connect } from './connect.ts';

/** A table on one side. */
export interface Side {
  readonly url: string;
  /** Quoted name. */
  readonly table: string;
  readonly where?: string;
}

/** Number of rows and hash over all of them. */
export interface Digest {
  readonly rows: number;
  readonly hash: string;
}

/** Read a side's digest; equal digests mean equal rows. */
export async function digestOf({ url, table, where = 'true' }: Side): Promise<Digest> {
  const client = await connect(url);
  try {
    await client.query("set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'");
    const { rows } = await client.query(
      `select count(*)::int as rows, md5(coalesce(string_agg(md5(t::text), '' order by t::text collate "C"), '')) as hash
         from ${table} t where ${where}`,
    );
    return rows[0] as Digest;
  } finally {
    await client.end();
  }
}
