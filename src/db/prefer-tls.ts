/** sslmode=prefer on one connection: a server that has no TLS says so, and the conversation goes on in plain text, as with libpq. */
import type pg from 'pg';
import { driver } from './driver.ts';

/** What node-postgres' connection offers; its published types leave most of it out. */
type Wire = Omit<pg.Connection, 'stream'> & {
  readonly stream: NodeJS.ReadableStream;
  connect(port: number, host: string): void;
  attachListeners(stream: NodeJS.ReadableStream): void;
};

/** A connection to hand to the driver's client. */
export interface PreferTls {
  readonly connection: pg.Connection;
  /** Did the server refuse to encrypt? Known once the client is connected. */
  readonly plain: () => boolean;
}

/** The server's whole answer to a request for TLS when it has none. */
const NO_TLS = 'N'.charCodeAt(0);

/**
 * Make the connection for a client whose configuration asks for TLS that may be missing. The driver by itself would give up, and a
 * second connection costs the server another process.
 * @param config with `ssl` set
 */
export function preferTls(config: pg.ClientConfig): PreferTls {
  let plain = false;
  const connection = new driver.Connection({
    ssl: config.ssl,
    keepAlive: config.keepAlive,
    keepAliveInitialDelayMillis: config.keepAliveInitialDelayMillis,
  } as pg.ConnectionConfig);
  const wire = connection as unknown as Wire;
  const connectWithTls = wire.connect.bind(connection);
  wire.connect = (port, host) => {
    connectWithTls(port, host);
    // The only listener so far is the driver's, which waits for the answer.
    const [answered] = wire.stream.listeners('data') as ((data: Buffer) => void)[];
    if (!answered) return;
    wire.stream.removeListener('data', answered);
    wire.stream.once('data', (data: Buffer) => {
      plain = data.length === 1 && data[0] === NO_TLS;
      if (!plain) return answered(data);
      wire.attachListeners(wire.stream);
      // The client's sign to introduce itself.
      connection.emit('sslconnect');
    });
  };
  return { connection, plain: () => plain };
}
