import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Cancel, Clock, FailureReason } from "@tokenstorm/core";
import { AddressesRefused, type Endpoint, mayConnect, resolveAddresses } from "./endpoint.js";

/** As undici reads; one read takes as much as the kernel holds. */
const READ_BYTES = 64 * 1024;
/** Finds out that a silent peer has gone, on streams that wait for hours. */
const TCP_KEEP_ALIVE_MS = 60_000;

/** Why no socket came about. Has a `code`, as all errors that are not bugs here. */
export class ConnectError extends Error {
  readonly code = "TS_CONNECT";
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "ConnectError";
    this.reason = reason;
  }
}

export interface OpenSocketOptions {
  readonly endpoint: Endpoint;
  readonly clock: Pick<Clock, "nowUs" | "at">;
  /** For all addresses together, and for the handshake of TLS as well. */
  readonly limitUs: number;
  /** Holds every socket from its making to its end. */
  readonly sockets: Set<Socket>;
}

export type OpenSocketCallback = (error: ConnectError | null, socket: Socket | null) => void;

/**
 * Opens a socket to the first address of the host that takes it, each within its share of the time; that address is
 * tried first from then on. Calls back once, unless it was cancelled.
 */
export function openSocket(options: OpenSocketOptions, callback: OpenSocketCallback): Cancel {
  const opening = new Opening(options, callback);
  opening.start();
  return () => opening.cancel();
}

class Opening {
  readonly #options: OpenSocketOptions;
  readonly #callback: OpenSocketCallback;
  readonly #endsUs: number;
  #socket: Socket | null = null;
  #disarm: Cancel | null = null;
  #isOver = false;

  constructor(options: OpenSocketOptions, callback: OpenSocketCallback) {
    this.#options = options;
    this.#callback = callback;
    this.#endsUs = options.clock.nowUs() + options.limitUs;
  }

  start(): void {
    const { endpoint } = this.#options;
    if (endpoint.addresses.length > 0) {
      this.#try(0);
      return;
    }
    this.#arm(this.#endsUs, () => this.#fail("dns", `${endpoint.host}: no answer of the name service`));
    resolveAddresses(endpoint).then(
      () => this.#try(0),
      (cause: unknown) => {
        if (cause instanceof AddressesRefused) this.#fail("connect-refused", cause.message, cause);
        else this.#fail("dns", `${endpoint.host}: ${dnsProblem(cause)}`, cause);
      },
    );
  }

  cancel(): void {
    this.#isOver = true;
    this.#disarm?.();
    this.#socket?.destroy();
  }

  #try(index: number): void {
    if (this.#isOver) return;
    const { endpoint, clock, sockets } = this.#options;
    const address = endpoint.addresses[index];
    if (address === undefined) {
      this.#fail("dns", `${endpoint.host} has no address`);
      return;
    }
    // Asked of every connection, whatever the preparation has found: this is the last look before a byte can leave.
    if (!mayConnect(endpoint, address)) {
      const refused = new AddressesRefused(endpoint, [address]);
      this.#fail("connect-refused", refused.message, refused);
      return;
    }
    const socket = connect(endpoint, address);
    this.#socket = socket;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    let isTcpUp = false;
    socket.once("connect", () => {
      isTcpUp = true;
    });
    const next = (reason: FailureReason, message: string, cause?: unknown): void => {
      if (this.#isOver || this.#socket !== socket) return;
      socket.destroy();
      if (index + 1 < endpoint.addresses.length && clock.nowUs() < this.#endsUs) this.#try(index + 1);
      else this.#fail(reason, `${message} (${at(address, endpoint.port)})`, cause);
    };
    // Stays for the socket's whole life: an error nobody hears would end the process.
    socket.on("error", (cause: NodeJS.ErrnoException) =>
      next(connectReason(cause, isTcpUp), problem(cause), cause),
    );
    const left = endpoint.addresses.length - index;
    const tryEndsUs = clock.nowUs() + Math.ceil((this.#endsUs - clock.nowUs()) / left);
    this.#arm(tryEndsUs, () => next("connect-timeout", "no connection within the time limit"));
    socket.once(endpoint.tls === null ? "connect" : "secureConnect", () => this.#succeed(socket, address));
  }

  #succeed(socket: Socket, address: string): void {
    if (this.#isOver || this.#socket !== socket) return;
    this.#isOver = true;
    this.#disarm?.();
    const { endpoint } = this.#options;
    if (endpoint.addresses[0] !== address) {
      endpoint.addresses = [address, ...endpoint.addresses.filter((other) => other !== address)];
    }
    this.#callback(null, socket);
  }

  #fail(reason: FailureReason, message: string, cause?: unknown): void {
    if (this.#isOver) return;
    this.cancel();
    this.#callback(new ConnectError(reason, message, cause), null);
  }

  #arm(us: number, fn: () => void): void {
    this.#disarm?.();
    this.#disarm = this.#options.clock.at(us, fn);
  }
}

function connect(endpoint: Endpoint, address: string): Socket {
  const to = { host: address, port: endpoint.port, highWaterMark: READ_BYTES };
  if (endpoint.tls === null) return connectTcp(to);
  const { serverName, ca, rejectUnauthorized } = endpoint.tls;
  return connectTls({
    ...to,
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized,
    ALPNProtocols: ["http/1.1"],
  });
}

/** The closed list has no word for an unreachable network: what gives no connection counts as refused. */
function connectReason(error: NodeJS.ErrnoException, isTcpUp: boolean): FailureReason {
  if (isTcpUp || error.code?.startsWith("ERR_TLS") === true || error.code?.startsWith("ERR_SSL") === true)
    return "tls";
  return error.code === "ETIMEDOUT" ? "connect-timeout" : "connect-refused";
}

function problem(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return "connection refused";
    case "EADDRNOTAVAIL":
      return "no local port is free";
    case "EMFILE":
      return "no file descriptor is free";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "no route to the host";
    default:
      return error.message === "" ? (error.code ?? "unknown error") : firstLine(error.message);
  }
}

function dnsProblem(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "ENOTFOUND" ? "no such host" : `the name service failed (${String(code ?? cause)})`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}

function at(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
