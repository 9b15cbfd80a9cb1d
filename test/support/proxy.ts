/** A way to a server that can be blocked, for tests of dead and silent servers. */
import { createServer, type Server, type Socket, connect as tcpConnect } from 'node:net';

/** Passes bytes on, unless told otherwise. */
export interface Proxy {
  /** URL of the server by way of the proxy, without a database. */
  readonly url: string;
  /** Connections are refused from now on. */
  refuse(): void;
  accept(): Promise<void>;
  /** Nothing is passed on any more, and nothing is closed. */
  freeze(): void;
  /** Bytes that a frozen proxy kept to itself. */
  swallowed(): number;
  /** Connections so far. */
  accepted(): number;
  close(): Promise<void>;
}

/** Open a proxy to a server. @param serverUrl URL of any of its databases */
export async function openProxy(serverUrl: string): Promise<Proxy> {
  const server = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let frozen = false;
  let swallowed = 0;
  let accepted = 0;
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
  };
  const listener: Server = createServer((client) => {
    keep(client);
    accepted++;
    if (frozen) return;
    const upstream = keep(tcpConnect(Number(server.port), server.hostname));
    const pass = (from: Socket, to: Socket): void => {
      from.on('data', (chunk) => {
        if (frozen) swallowed += chunk.length;
        else to.write(chunk);
      });
      from.on('end', () => frozen || to.end());
    };
    pass(client, upstream);
    pass(upstream, client);
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => listener.listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const { port } = listener.address() as { port: number };
  const url = new URL(serverUrl);
  url.port = String(port);
  url.pathname = '';
  return {
    url: url.href,
    refuse: () => void listener.close(),
    accept: () => listen(port),
    freeze: () => {
      frozen = true;
    },
    swallowed: () => swallowed,
    accepted: () => accepted,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        listener.close(() => resolve());
      }),
  };
}
