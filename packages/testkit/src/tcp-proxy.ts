import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Random, seededRandom } from "./random.js";
import { resetSocket } from "./reset-socket.js";

/** Of the bytes that a proxy passes on: to the server behind it, or back to the client. */
export type Direction = "toServer" | "toClient";

/** What one direction of all connections is like; what is absent is as on a good link. */
export interface LinkConditions {
  /** Each piece is passed on so much later. */
  readonly delayMs?: number;
  /** And up to so much more, drawn from the seed; pieces keep their order, as bytes of TCP do. */
  readonly jitterMs?: number;
  readonly bytesPerS?: number;
  /** Nothing is passed on, and nobody is told; what waits goes on its way once this is over, as TCP would send it again. */
  readonly isHeld?: boolean;
}

export interface TcpProxyOptions {
  readonly host?: string;
  readonly port: number;
  /** 0: chosen by the system. */
  readonly listenPort?: number;
  readonly seed: number;
}

/** Stands between clients and a server of this machine, and makes a bad network of the way between them. */
export interface TcpProxy {
  readonly port: number;
  /** Bytes that were passed on. */
  readonly passed: Readonly<Record<Direction, number>>;
  readonly open: number;
  /** Connections that were reset because of `resetAfter`. */
  readonly resets: number;
  /** Takes the place of what was said before, of the directions that are named. */
  set(conditions: Partial<Readonly<Record<Direction, LinkConditions>>>): void;
  /** Both directions at once; a good link by default. */
  setBoth(conditions?: LinkConditions): void;
  /** Resets every connection (RST, to both ends); new ones are let in. */
  reset(): void;
  /** Resets every connection, and refuses new ones until `restore`. */
  disconnect(): Promise<void>;
  restore(): Promise<void>;
  /** Each further connection is reset after so many bytes to the client, drawn from the seed; null: none is. */
  resetAfter(bytes: { readonly min: number; readonly max: number } | null): void;
  close(): Promise<void>;
}

const GOOD: LinkConditions = {};
/** Bytes that wait in one direction of a connection; its source is not read further beyond them. */
const MOST_WAITING_BYTES = 1024 * 1024;
/** A limited link passes on so much at once. */
const SLICE_MS = 10;

export async function startTcpProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  const { host = "127.0.0.1", port } = options;
  const random = seededRandom(options.seed);
  const conditions: Record<Direction, LinkConditions> = { toServer: GOOD, toClient: GOOD };
  const passed: Record<Direction, number> = { toServer: 0, toClient: 0 };
  const open = new Set<Passage>();
  let resets = 0;
  let resetRange: { readonly min: number; readonly max: number } | null = null;
  const pair = (client: Socket) => {
    const server = connect({ host, port, allowHalfOpen: true });
    const leftBytes = resetRange === null ? undefined : random.int(resetRange.min, resetRange.max);
    const passage = join({
      client,
      server,
      random,
      conditions,
      passed,
      leftBytes,
      onSpent: () => {
        resets += 1;
      },
      onEnd: () => open.delete(passage),
    });
    open.add(passage);
  };
  const listener = await listen(pair, options.listenPort ?? 0);
  let server: Server | undefined = listener.server;
  const set: TcpProxy["set"] = (changed) => {
    Object.assign(conditions, changed);
    for (const passage of open) passage.look();
  };
  const reset = () => {
    for (const passage of [...open]) passage.reset();
  };
  const stopListening = () =>
    new Promise<void>((resolve) => {
      if (server === undefined) return resolve();
      server.close(() => resolve());
      server = undefined;
      reset();
    });
  return {
    port: listener.port,
    passed,
    get open() {
      return open.size;
    },
    get resets() {
      return resets;
    },
    set,
    setBoth: (both = GOOD) => set({ toServer: both, toClient: both }),
    reset,
    disconnect: stopListening,
    restore: async () => {
      server ??= (await listen(pair, listener.port)).server;
    },
    resetAfter: (bytes) => {
      resetRange = bytes;
    },
    close: stopListening,
  };
}

async function listen(
  onConnection: (client: Socket) => void,
  port: number,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

interface Passage {
  /** Conditions have changed. */
  look(): void;
  reset(): void;
}

interface PassageOptions {
  readonly client: Socket;
  readonly server: Socket;
  readonly random: Random;
  readonly conditions: Readonly<Record<Direction, LinkConditions>>;
  readonly passed: Record<Direction, number>;
  /** To the client, until it is reset. */
  readonly leftBytes: number | undefined;
  /** That many have passed. */
  readonly onSpent: () => void;
  readonly onEnd: () => void;
}

/** One connection, as long as both ends have it. */
function join(options: PassageOptions): Passage {
  const { client, server, onEnd } = options;
  let leftBytes = options.leftBytes;
  let isOver = false;
  const end = (how: "reset" | "close") => {
    if (isOver) return;
    isOver = true;
    for (const lane of lanes) lane.close();
    for (const socket of [client, server]) {
      if (how === "reset") resetSocket(socket);
      else socket.destroy();
    }
    onEnd();
  };
  const reset = () => end("reset");
  const lane = (direction: Direction, from: Socket, to: Socket) =>
    startLane({
      ...options,
      from,
      to,
      direction,
      onPassed: (bytes) => {
        options.passed[direction] += bytes;
        if (direction !== "toClient" || leftBytes === undefined) return;
        leftBytes -= bytes;
        if (leftBytes > 0) return;
        options.onSpent();
        reset();
      },
    });
  const lanes = [lane("toServer", client, server), lane("toClient", server, client)];
  for (const socket of [client, server]) {
    socket.setNoDelay(true);
    // A dead server resets its clients; whoever was cut off on purpose has been told already.
    socket.on("error", reset);
    socket.on("close", () => {
      if (client.destroyed && server.destroyed) end("close");
    });
  }
  return {
    look: () => {
      for (const one of lanes) one.look();
    },
    reset,
  };
}

interface LaneOptions extends Pick<PassageOptions, "random" | "conditions"> {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: Direction;
  readonly onPassed: (bytes: number) => void;
}

interface Waiting {
  bytes: Buffer;
  readonly dueMs: number;
}

/** One direction of one connection: pieces in order, each when it is due, the link is not held and has room. */
function startLane({ from, to, direction, random, conditions, onPassed }: LaneOptions): {
  look(): void;
  close(): void;
} {
  const queue: Waiting[] = [];
  let waitingBytes = 0;
  let hasEnded = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let freeAtMs = 0;

  const look = () => {
    clearTimeout(timer);
    if (isClosed || conditions[direction].isHeld === true) return;
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      // Whoever reads nothing fills the lane, and then stops the sender.
      if (to.writableNeedDrain) return;
      const waitMs = Math.max(first.dueMs, freeAtMs) - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(look, Math.ceil(waitMs));
        return;
      }
      pass(first);
      if (isClosed) return;
    }
    if (hasEnded) to.end();
  };

  /** As much of it as the link takes at once. */
  const pass = (first: Waiting) => {
    const { bytesPerS } = conditions[direction];
    const most = bytesPerS === undefined ? first.bytes.length : Math.ceil((bytesPerS * SLICE_MS) / 1000);
    const slice = first.bytes.subarray(0, most);
    first.bytes = first.bytes.subarray(slice.length);
    if (first.bytes.length === 0) queue.shift();
    waitingBytes -= slice.length;
    if (bytesPerS !== undefined) freeAtMs = performance.now() + (slice.length / bytesPerS) * 1000;
    if (waitingBytes < MOST_WAITING_BYTES) from.resume();
    to.write(slice);
    onPassed(slice.length);
  };

  from.on("data", (bytes: Buffer) => {
    const { delayMs = 0, jitterMs = 0 } = conditions[direction];
    queue.push({ bytes, dueMs: performance.now() + delayMs + random.next() * jitterMs });
    waitingBytes += bytes.length;
    if (waitingBytes >= MOST_WAITING_BYTES) from.pause();
    look();
  });
  to.on("drain", look);
  from.on("end", () => {
    hasEnded = true;
    look();
  });
  return {
    look,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
