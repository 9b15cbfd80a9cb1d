/** Several prepared statements in one round trip. */
import type pg from 'pg';
import type { Session } from './session.ts';

/** A statement with its values; Buffers travel in the binary form of the parameter's type, all else as text. */
export interface Prepared {
  readonly text: string;
  readonly values: readonly (Buffer | string | null)[];
}

/** Rows of one statement; fields are the server's text. */
export type TextRows = readonly (readonly (string | null)[])[];

/** A server keeps a plan of some 0.15 MB with each: its memory must not grow with every table that is seen. */
const MAX_PREPARED = 2_000;

/** What node-postgres' connection offers; its published types leave most of it out. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string; types?: number[] }): void;
  bind(message: { portal: string; statement: string; values: readonly unknown[]; binary: boolean }): void;
  execute(message: { portal: string; rows: number }): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
}

/** Runs lists of statements on one session and remembers which the server has prepared. */
export class Pipeline {
  readonly #session: Session;
  readonly #names = new Map<string, string>();
  #next = 1;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Send all statements at once. They share a transaction if one is open, else form one.
   * @returns the rows of each statement
   * @throws KajaError of the first statement that failed; those behind it were not run
   */
  run(statements: readonly Prepared[]): Promise<TextRows[]> {
    return this.#session.guard(
      () =>
        new Promise<TextRows[]>((resolve, reject) => {
          const fresh = new Set<string>();
          const results: string[][][] = [];
          let rows: (string | null)[][] = [];
          this.#session.client.query({
            submit: (connection: pg.Connection) =>
              this.#send(connection as unknown as Wire, statements, fresh),
            handleDataRow: (message: { fields: (string | null)[] }) => void rows.push(message.fields),
            handleCommandComplete: () => {
              results.push(rows as string[][]);
              rows = [];
            },
            handleEmptyQuery: () => {},
            handlePortalSuspended: () => {},
            handleReadyForQuery: () => resolve(results),
            handleError: (error: unknown) => {
              // Which of the new ones the server has is not known: they get other names next time.
              for (const text of fresh) this.#names.delete(text);
              reject(error);
            },
          } as pg.Submittable);
        }),
    );
  }

  #send(wire: Wire, statements: readonly Prepared[], fresh: Set<string>): void {
    wire.stream.cork();
    try {
      for (const { text, values } of statements) {
        const known = this.#names.get(text);
        const name = known ?? `kaja_${this.#next++}`;
        if (known === undefined) {
          fresh.add(text);
          wire.parse({ name, text });
        }
        // Used last, forgotten last.
        this.#names.delete(text);
        this.#names.set(text, name);
        wire.bind({ portal: '', statement: name, values, binary: false });
        wire.execute({ portal: '', rows: 0 });
      }
      for (const [text, name] of this.#names) {
        if (this.#names.size <= MAX_PREPARED) break;
        wire.close({ type: 'S', name });
        this.#names.delete(text);
      }
      wire.sync();
    } finally {
      wire.stream.uncork();
    }
  }
}
