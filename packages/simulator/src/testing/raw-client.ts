import { connect, type Socket } from "node:net";

/** An answer taken apart by its own framing; `chunks` are the HTTP chunks as they were framed. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly chunks: readonly string[];
  readonly body: string;
}

/** A socket of a test: sends bytes as they are and keeps what comes, as latin1. */
export class RawClient {
  readonly socket: Socket;
  /** Resolves when the server has closed; the value says whether by RST. */
  readonly closed: Promise<"reset" | "end">;
  #received = "";
  #waiters: (() => void)[] = [];
  #isClosed = false;

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: "127.0.0.1" });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new RawClient(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    let wasReset = false;
    socket.on("data", (bytes) => {
      this.#received += bytes.toString("latin1");
      this.#wake();
    });
    socket.on("error", () => {
      wasReset = true;
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#isClosed = true;
        resolve(wasReset ? "reset" : "end");
        this.#wake();
      });
    });
  }

  get received(): string {
    return this.#received;
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** Posts JSON with the given extra header lines. */
  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
    const json = JSON.stringify(body);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.send(
      `POST ${path} HTTP/1.1\r\nHost: sim\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(json)}\r\n${lines.join("")}\r\n${json}`,
    );
  }

  /** Waits until `text` has come; throws when the connection closes before. */
  async until(text: string): Promise<void> {
    while (!this.#received.includes(text)) {
      if (this.#isClosed) throw new Error(`closed before ${JSON.stringify(text)}: ${this.#received}`);
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Takes one whole answer off the front of what came. */
  async answer(): Promise<RawAnswer> {
    await this.until("\r\n\r\n");
    const headEnd = this.#received.indexOf("\r\n\r\n") + 4;
    const [statusLine = "", ...lines] = this.#received.slice(0, headEnd - 4).split("\r\n");
    const headers = new Map(lines.map((line) => [line.split(": ")[0] ?? "", line.split(": ")[1] ?? ""]));
    const status = Number(statusLine.split(" ")[1]);
    const chunks: string[] = [];
    if (headers.get("transfer-encoding") !== "chunked") {
      const end = headEnd + Number(headers.get("content-length"));
      await this.#untilLength(end);
      const body = this.#received.slice(headEnd, end);
      this.#received = this.#received.slice(end);
      return { status, headers, chunks, body: Buffer.from(body, "latin1").toString("utf8") };
    }
    await this.until("\r\n0\r\n\r\n");
    let at = headEnd;
    for (;;) {
      const lineEnd = this.#received.indexOf("\r\n", at);
      const size = Number.parseInt(this.#received.slice(at, lineEnd), 16);
      at = lineEnd + 2;
      if (size === 0) break;
      const chunk = this.#received.slice(at, at + size);
      if (this.#received.slice(at + size, at + size + 2) !== "\r\n") throw new Error("chunk size is wrong");
      chunks.push(Buffer.from(chunk, "latin1").toString("utf8"));
      at += size + 2;
    }
    this.#received = this.#received.slice(at + 2);
    return { status, headers, chunks, body: chunks.join("") };
  }

  close(): void {
    this.socket.destroy();
  }

  async #untilLength(length: number): Promise<void> {
    while (this.#received.length < length && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}

/** Value of one sample of a /metrics page; `labels` must occur in its label set. */
export function metric(page: string, name: string, labels = ""): number {
  for (const line of page.split("\n")) {
    if (line.startsWith(`${name}{`) && line.includes(labels))
      return Number(line.slice(line.lastIndexOf(" ")));
  }
  throw new Error(`no sample of ${name} with ${labels}`);
}
