/** A way to a server that behaves like a pooler in transaction mode: after every transaction a client gets another backend. */
import { createServer, type Socket, connect as tcpConnect } from 'node:net';

/** See the file. */
export interface TransactionPooler {
  /** The URL it was opened with, by way of the pooler. */
  readonly url: string;
  close(): Promise<void>;
}

/** Type byte and length in front of every message of the server. */
const HEADER = 5;

/** Passes whole messages of the server on; tells when it is ready for the next query outside a transaction. */
function messages(socket: Socket, onMessage: (message: Buffer, idle: boolean) => void): void {
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= HEADER) {
      const end = 1 + pending.readInt32BE(1);
      if (pending.length < end) return;
      const message = pending.subarray(0, end);
      pending = pending.subarray(end);
      onMessage(message, message[0] === 'Z'.charCodeAt(0) && message[HEADER] === 'I'.charCodeAt(0));
    }
  });
}

/**
 * Open it. Every client has two backends that take turns; needs a server without passwords.
 * @param serverUrl URL of a database
 */
export async function openTransactionPooler(serverUrl: string): Promise<TransactionPooler> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
  };
  const listener = createServer((client) => {
    keep(client);
    const backends: Socket[] = [];
    let current = 0;
    const start = (startup: Buffer): void => {
      for (const number of [0, 1]) {
        const backend = keep(tcpConnect(Number(target.port), target.hostname));
        backends.push(backend);
        backend.write(startup);
        let started = false;
        messages(backend, (message, idle) => {
          // The client hears one greeting only.
          if (started || number === 0) client.write(message);
          if (idle && started) current = 1 - current;
          if (idle) started = true;
        });
      }
    };
    client.on('data', (chunk) => {
      if (backends.length > 0) backends[current]?.write(chunk);
      else if (chunk.length === 8)
        client.write('N'); // SSLRequest
      else start(chunk);
    });
    client.on('close', () => {
      for (const backend of backends) backend.destroy();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', () => resolve()));
  const { port } = listener.address() as { port: number };
  const url = new URL(serverUrl);
  url.port = String(port);
  return {
    url: url.href,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        listener.close(() => resolve());
      }),
  };
}
