import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * Where a message is when something happens to the process that sends it: `before` it reaches the server; `sent` to it,
 * not answered yet; `answered`, while the answer is held back; `delivered`, right after the answer has been passed on.
 */
export type Moment = 'before' | 'sent' | 'answered' | 'delivered';

/** What to wait for on the way. `hit` runs once, while the message is held, and says what becomes of what is held. */
export interface Trap {
  /** Matched against what the process sends, byte for byte (latin1). */
  message: RegExp;
  /** Counts as well, where it comes on the same connection right after such a message: a commit, for example. */
  followedBy?: RegExp;
  /** Which of those that match it is; the first by default. */
  nth?: number;
  moment: Moment;
  hit: () => Promise<'pass' | 'drop'> | 'pass' | 'drop';
}

/** The way from one process to one server, on which a message can be held. */
export class HoldingProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private trap: Trap | null = null;
  /** How many messages have matched since the trap was set. */
  seen = 0;
  port = 0;

  constructor(private target: { host: string; port: number }) {}

  async open(): Promise<this> {
    const server = createServer((socket) => this.join(socket));
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server?.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** Sets the trap, in place of one that has not been hit. Null takes it away. */
  set(trap: Trap | null): void {
    this.trap = trap;
    this.seen = 0;
  }

  /** The trap, when this message is the one that it is for: then it is taken away. `followed`: what came before matched. */
  private sprung(text: string, followed: Trap | null): { trap: Trap | null; matched: Trap | null } {
    const { trap } = this;
    if (!trap) return { trap: null, matched: null };
    const matches = trap.message.test(text) || (followed === trap && trap.followedBy?.test(text) === true);
    if (!matches) return { trap: null, matched: null };
    this.seen += 1;
    if (this.seen < (trap.nth ?? 1)) return { trap: null, matched: trap };
    this.trap = null;
    return { trap, matched: trap };
  }

  private join(process: Socket): void {
    const server = connect(this.target);
    let held: Promise<void> = Promise.resolve();
    let awaited: Trap | null = null;
    let last: Trap | null = null;
    for (const [one, other] of [
      [process, server],
      [server, process],
    ] as const) {
      this.sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
    // Everything of one connection goes through one queue, so that nothing overtakes what is held.
    const pass = (to: Socket, chunk: Buffer, before?: Trap | null, after?: Trap | null): void => {
      held = held.then(async () => {
        if (before && (await before.hit()) === 'drop') return void to.destroy();
        if (!to.destroyed) to.write(chunk);
        if (after) await after.hit();
      });
    };
    process.on('data', (chunk: Buffer) => {
      const { trap, matched } = this.sprung(chunk.toString('latin1'), last);
      last = matched;
      if (trap?.moment === 'answered' || trap?.moment === 'delivered') awaited = trap;
      pass(server, chunk, trap?.moment === 'before' ? trap : null, trap?.moment === 'sent' ? trap : null);
    });
    server.on('data', (chunk: Buffer) => {
      const trap = awaited;
      awaited = null;
      pass(
        process,
        chunk,
        trap?.moment === 'answered' ? trap : null,
        trap?.moment === 'delivered' ? trap : null,
      );
    });
  }
}
