import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A way to a server that can be cut and mended, while the server itself stays up. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;

  /** `onSent` is shown what clients send, as it comes. */
  constructor(
    private readonly target: { host: string; port: number },
    private readonly onSent?: (chunk: Buffer) => void,
  ) {}

  /** Opens the way (again), always on the same port. Answers the port. */
  async open(): Promise<number> {
    const server = createServer((socket) => {
      const onward = connect(this.target);
      if (this.onSent) socket.on('data', this.onSent);
      for (const [one, other] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        this.sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    return this.port;
  }

  /** Ends all connections and takes no more. */
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.server?.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}
