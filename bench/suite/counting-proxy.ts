/** Counts what travels between a program and a server: a TCP proxy on real sockets. */
import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';

/** A proxy in front of one server. */
export interface CountingProxy {
  /** The database's URI, through the proxy. */
  readonly url: string;
  /** Bytes so far, both ways together. */
  bytes(): number;
  close(): Promise<void>;
}

/** Listen in front of the server that `url` names. */
export async function countingProxy(url: string): Promise<CountingProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let bytes = 0;
  const server = createServer((near) => {
    const far = dial(Number(target.port), target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (chunk) => {
        bytes += chunk.length;
      });
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
      from.pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const through = new URL(url);
  through.port = String(address.port);
  return {
    url: through.href,
    bytes: () => bytes,
    close: async () => {
      server.close();
      for (const one of sockets) one.destroy();
      await once(server, 'close');
    },
  };
}
