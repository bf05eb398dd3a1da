import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request as the proxy passed it on. */
export interface Passing {
  readonly path: string;
  readonly body: string;
  /** Generations that the proxy has passed on, this one included. */
  readonly nth: number;
}

/** What a proxy does to answers; texts are latin1, one character a byte. What is absent is passed on as it is. */
export interface WireFault {
  /** Changes the head of a request before it is passed on. */
  readonly requestHeaders?: (headers: Record<string, string>) => void;
  readonly head?: (
    head: { status: number; headers: Record<string, string> },
    passing: Passing,
  ) => { status: number; headers: Record<string, string> };
  /** One event with its empty line, and what is written in its place. */
  readonly event?: (event: string, state: StreamState) => string;
  /** An answer that is no stream. */
  readonly body?: (text: string, passing: Passing) => string;
  /** Writes the head of a stream with its first event. */
  readonly holdsHead?: boolean;
  /** Passes one generation on at a time. */
  readonly isSerial?: boolean;
  /** Goes on reading where the client has hung up. */
  readonly keepsAborted?: boolean;
  /** Breaks the connection instead of ending the body. */
  readonly breaksEnd?: boolean;
}

export interface StreamState {
  /** Of the event, from 0. */
  index: number;
  readonly passing: Passing;
  /** The events before, as they came. */
  readonly before: string[];
}

export interface FaultyProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** Stands before a server and spoils its answers in one way. */
export async function startFaultyProxy(upstream: string, fault: WireFault): Promise<FaultyProxy> {
  let generations = 0;
  let turn: Promise<void> = Promise.resolve();
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (bytes: Buffer) => chunks.push(bytes));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      const path = incoming.url ?? "/";
      if (path.includes("completions")) generations += 1;
      const passing: Passing = { path, body: body.toString("latin1"), nth: generations };
      const pass = () => passOn({ upstream, fault, incoming, outgoing, body, passing });
      if (fault.isSerial === true && path.includes("completions")) turn = turn.then(pass);
      else void pass();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Passage {
  readonly upstream: string;
  readonly fault: WireFault;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly body: Buffer;
  readonly passing: Passing;
}

/** Resolves when the answer is over. */
function passOn({ upstream, fault, incoming, outgoing, body, passing }: Passage): Promise<void> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (typeof value === "string" && !["host", "connection", "content-length"].includes(name))
      headers[name] = value;
  }
  headers["content-length"] = String(body.length);
  fault.requestHeaders?.(headers);
  return new Promise((resolve) => {
    const asked = request(`${upstream}${passing.path}`, {
      method: incoming.method ?? "GET",
      headers,
      agent: false,
    });
    asked.on("error", () => {
      outgoing.destroy();
      resolve();
    });
    outgoing.on("close", () => {
      if (fault.keepsAborted !== true) asked.destroy();
      resolve();
    });
    asked.on("response", (answer) => {
      if (answer.headers["content-type"]?.startsWith("text/event-stream") === true)
        passStream(answer, { fault, outgoing, passing });
      else passWhole(answer, { fault, outgoing, passing });
    });
    asked.end(body);
  });
}

type Out = Pick<Passage, "fault" | "outgoing" | "passing">;

function headOf(answer: IncomingMessage, { fault, passing }: Out) {
  const headers: Record<string, string> = {};
  for (const name of ["content-type", "server"]) {
    const value = answer.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  const head = { status: answer.statusCode ?? 0, headers };
  return fault.head?.(head, passing) ?? head;
}

function passStream(answer: IncomingMessage, out: Out): void {
  const { fault, outgoing } = out;
  const { status, headers } = headOf(answer, out);
  const state: StreamState = { index: 0, passing: out.passing, before: [] };
  let rest = "";
  outgoing.writeHead(status, headers);
  if (fault.holdsHead !== true) outgoing.flushHeaders();
  answer.setEncoding("latin1");
  answer.on("data", (text: string) => {
    rest += text;
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const event = rest.slice(0, end + 2);
      rest = rest.slice(end + 2);
      const written = fault.event === undefined ? event : fault.event(event, state);
      state.index += 1;
      state.before.push(event);
      if (written !== "") outgoing.write(Buffer.from(written, "latin1"));
    }
  });
  answer.on("end", () => {
    if (fault.breaksEnd === true) outgoing.destroy();
    else outgoing.end();
  });
  answer.on("error", () => outgoing.destroy());
}

function passWhole(answer: IncomingMessage, out: Out): void {
  const { fault, outgoing, passing } = out;
  let text = "";
  answer.setEncoding("latin1");
  answer.on("data", (piece: string) => {
    text += piece;
  });
  answer.on("end", () => {
    const { status, headers } = headOf(answer, out);
    const bytes = Buffer.from(fault.body?.(text, passing) ?? text, "latin1");
    outgoing.writeHead(status, { ...headers, "content-length": String(bytes.length) });
    outgoing.end(bytes);
  });
  answer.on("error", () => outgoing.destroy());
}
