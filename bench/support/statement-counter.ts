import { connect, createServer, type AddressInfo, type Server } from 'node:net';

/** Message types of Postgres's protocol by which a statement is run: Query, and Execute of a prepared one. */
const QUERY = 0x51;
const EXECUTE = 0x45;

/** Stands before Postgres and counts the statements that go through: BEGIN, COMMIT and ROLLBACK left out. */
export class StatementCounter {
  count = 0;
  private server: Server | undefined;

  /** Answers the URL by which Postgres is reached through this. */
  async before(databaseUrl: string): Promise<string> {
    const url = new URL(databaseUrl);
    const target = { host: url.hostname, port: Number(url.port) };
    const server = createServer((socket) => {
      const onward = connect(target);
      // A statement in two pieces would wait 40 ms for the acknowledgement of the first one.
      socket.setNoDelay(true);
      onward.setNoDelay(true);
      socket.on('error', () => onward.destroy()).on('close', () => onward.destroy());
      onward.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      onward.pipe(socket);
      let rest: Buffer = Buffer.alloc(0);
      let started = false;
      socket.on('data', (chunk: Buffer) => {
        onward.write(chunk);
        rest = Buffer.concat([rest, chunk]);
        // The first message of a connection has no type.
        if (!started && rest.length >= 4 && rest.length >= rest.readInt32BE(0)) {
          rest = rest.subarray(rest.readInt32BE(0));
          started = true;
        }
        if (started) rest = this.read(rest);
      });
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url.port = String((server.address() as AddressInfo).port);
    return url.toString();
  }

  stop(): void {
    this.server?.close();
  }

  /** Counts whole messages, and answers what is left of the last one. */
  private read(buffer: Buffer): Buffer {
    let at = 0;
    while (buffer.length >= at + 5) {
      const end = at + 1 + buffer.readInt32BE(at + 1);
      if (buffer.length < end) break;
      const type = buffer[at];
      const text = type === QUERY ? buffer.toString('latin1', at + 5, end - 1) : '';
      if (type === EXECUTE || (type === QUERY && !/^(begin|commit|rollback)/i.test(text))) this.count += 1;
      at = end;
    }
    return buffer.subarray(at);
  }
}
