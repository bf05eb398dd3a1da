/** A stretch of the body as one socket read brought it. */
export interface WirePiece {
  /** Stamp of the read, monotonic, us. */
  readonly tUs: number;
  /** Bytes of the body. */
  readonly from: number;
  readonly to: number;
}

/** One exchange, to the byte, however it ended. */
export interface WireAnswer {
  /** What was sent, without the values of secret headers. */
  readonly request: Buffer;
  /** Every byte that came in answer. */
  readonly received: Buffer;
  /** 0 where no head came. */
  readonly status: number;
  /** By lower-case name; several of one name joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** Without its transfer coding. */
  readonly body: Buffer;
  readonly pieces: readonly WirePiece[];
  /** When the request was handed to the kernel, the final head was read, and it was over; monotonic, us. */
  readonly sentUs: number;
  readonly headersUs: number | null;
  readonly endUs: number;
  /** The connection had carried another exchange before. */
  readonly isReused: boolean;
  /** The server meant to keep the connection. */
  readonly keepsConnection: boolean;
  /** Why it is not a whole answer; null where it is one. */
  readonly problem: string | null;
}

/** The headers of the last head at the front of these bytes: interim answers (1xx) come before it. */
export function headersIn(received: Buffer): ReadonlyMap<string, string> {
  let from = 0;
  for (;;) {
    const end = received.indexOf("\r\n\r\n", from, "latin1");
    if (end < 0) return new Map();
    const lines = received.toString("latin1", from, end).split("\r\n");
    if (!/^HTTP\/\d\.\d 1\d\d/.test(lines[0] ?? "")) return fields(lines.slice(1));
    from = end + 4;
  }
}

function fields(lines: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = found.get(name);
    found.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return found;
}
