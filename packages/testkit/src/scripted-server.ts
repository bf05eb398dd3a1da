import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { resetSocket } from "./reset-socket.js";
import { TEST_CERTIFICATE, TEST_KEY } from "./test-certificate.js";

/** One request as it arrived at the scripted server. */
export interface ScriptedRequest {
  /** Number of the connection, from 0, and of the request on it, from 0. */
  readonly connection: number;
  readonly nth: number;
  readonly method: string;
  readonly path: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `reset`: RST; `close`: FIN after what was written. Both end the script. */
export type ScriptedStep =
  | string
  | Uint8Array
  | { readonly kind: "reset" }
  | { readonly kind: "close" }
  /** Waits; ends with the script when the client hangs up first. */
  | { readonly kind: "wait"; readonly until: Promise<unknown> };

/** What the server does upon a request: each step is one write, handed to the kernel before the next is begun. */
export type Script = (request: ScriptedRequest) => Iterable<ScriptedStep> | AsyncIterable<ScriptedStep>;

export const RESET: ScriptedStep = { kind: "reset" };
export const CLOSE: ScriptedStep = { kind: "close" };
/** For ever, that is until the client hangs up. */
export const HANG: ScriptedStep = { kind: "wait", until: new Promise(() => undefined) };

export interface ScriptedServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** In order of arrival. */
  readonly requests: readonly ScriptedRequest[];
  /** Connections accepted so far, and open now. */
  readonly accepted: number;
  readonly open: number;
  /** Bytes that went to the kernel. */
  readonly writtenBytes: number;
  /** Resolves when no connection is open; at once if none is. */
  allClosed(): Promise<void>;
  /** Resolves when `count` requests have arrived. */
  arrived(count: number): Promise<void>;
  /** Ends every connection by FIN, as a server does that has waited long enough. */
  closeConnections(): void;
  close(): Promise<void>;
}

/**
 * A server on loopback that does to the byte what a test tells it, on `node:net`: no HTTP library stands between the
 * script and the wire, so that every kind of broken answer can be given. Requests of a connection are served in turn.
 */
export async function startScriptedServer(
  script: Script,
  options: {
    /** Speaks TLS, with `TEST_CERTIFICATE`. */
    readonly tls?: boolean;
  } = {},
): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const requests: ScriptedRequest[] = [];
  const watchers = new Set<() => void>();
  const notify = () => {
    for (const watcher of watchers) watcher();
  };
  const until = (isTrue: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = () => {
        if (!isTrue()) return;
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      look();
    });
  let accepted = 0;
  let writtenBytes = 0;

  const welcome = (socket: Socket): void => {
    const connection = accepted++;
    sockets.add(socket);
    socket.setNoDelay(true);
    // A client that hangs up in the middle is part of the play.
    socket.on("error", () => undefined);
    const hungUp = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.once("close", () => {
      writtenBytes += socket.bytesWritten;
      sockets.delete(socket);
      notify();
    });
    const onRequest = (request: ScriptedRequest): void => {
      requests.push(request);
      notify();
    };
    serve({ socket, connection, script, hungUp, onRequest });
  };
  const isTls = options.tls === true;
  const server = isTls
    ? createTlsServer({ key: TEST_KEY, cert: TEST_CERTIFICATE }, welcome)
    : createServer(welcome);
  // A handshake that the client breaks off is part of the play as well.
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1" }, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");

  return {
    host: "127.0.0.1",
    port: address.port,
    url: `${isTls ? "https" : "http"}://127.0.0.1:${address.port}`,
    requests,
    get accepted() {
      return accepted;
    },
    get open() {
      return sockets.size;
    },
    get writtenBytes() {
      return writtenBytes + Array.from(sockets, (socket) => socket.bytesWritten).reduce((a, b) => a + b, 0);
    },
    allClosed: () => until(() => sockets.size === 0),
    arrived: (count) => until(() => requests.length >= count),
    closeConnections: () => {
      for (const socket of sockets) socket.end();
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

interface Connection {
  readonly socket: Socket;
  readonly connection: number;
  readonly script: Script;
  readonly hungUp: Promise<void>;
  readonly onRequest: (request: ScriptedRequest) => void;
}

function serve({ socket, connection, script, hungUp, onRequest }: Connection): void {
  let received = Buffer.alloc(0);
  let nth = 0;
  let turn: Promise<void> = Promise.resolve();
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, bytes]);
    for (;;) {
      const taken = takeRequest(received, { connection, nth });
      if (taken === undefined) return;
      received = received.subarray(taken.bytes);
      nth++;
      onRequest(taken.request);
      turn = turn.then(() => play(socket, script(taken.request), hungUp));
    }
  });
}

function takeRequest(
  bytes: Buffer,
  place: { readonly connection: number; readonly nth: number },
): { readonly request: ScriptedRequest; readonly bytes: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [start = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const [method = "", path = ""] = start.split(" ");
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(":")).toLowerCase(),
      line.slice(line.indexOf(":") + 1).trim(),
    ]),
  );
  const end = headEnd + 4 + Number(headers["content-length"] ?? 0);
  if (bytes.length < end) return undefined;
  const body = bytes.toString("utf8", headEnd + 4, end);
  return { request: { ...place, method, path, headers, body }, bytes: end };
}

async function play(
  socket: Socket,
  steps: Iterable<ScriptedStep> | AsyncIterable<ScriptedStep>,
  hungUp: Promise<void>,
): Promise<void> {
  for await (const step of steps) {
    if (socket.destroyed) return;
    if (typeof step === "string" || step instanceof Uint8Array) {
      await Promise.race([hungUp, new Promise<void>((resolve) => socket.write(step, () => resolve()))]);
      // Lets a client in the same process read this piece before the next is written.
      await new Promise<void>((resolve) => setImmediate(resolve));
      continue;
    }
    switch (step.kind) {
      case "wait":
        await Promise.race([hungUp, step.until]);
        break;
      case "reset":
        resetSocket(socket);
        return;
      case "close":
        socket.end();
        return;
    }
  }
}

/** Head of an answer; nothing is added to what is given. */
export function httpHead(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Scripted\r\n${lines.join("")}\r\n`;
}

/** Head of an event stream as vLLM sends it. */
export const STREAM_HEAD = httpHead(200, {
  date: "Thu, 01 Jan 2026 00:00:00 GMT",
  server: "uvicorn",
  "content-type": "text/event-stream; charset=utf-8",
  "transfer-encoding": "chunked",
});

/** One chunk of a chunked body. */
export function httpChunk(data: string | Uint8Array): Buffer {
  const bytes = Buffer.from(data);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

export const LAST_CHUNK = "0\r\n\r\n";

/** A whole answer with a JSON body. */
export function jsonAnswer(status: number, body: unknown): string {
  const text = JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  return httpHead(status, { "content-type": "application/json", "content-length": length }) + text;
}

/** One event of a stream, in its own chunk. */
export function sseChunk(data: unknown): Buffer {
  return httpChunk(`data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
}
