import type { Socket } from "node:net";

/** Ours are about 3 kB. */
const MOST_HEAD_BYTES = 16 * 1024;

/** What the null server is asked for. */
export type NullRequest =
  | { readonly kind: "generation"; readonly user: number; readonly j: number }
  | { readonly kind: "level"; readonly eventsPerS: number; readonly streams: number }
  | { readonly kind: "writes" };

/** Hears a request once its body is there. Whoever sends anything else is hung up on. */
export function readNullRequests(socket: Socket, onRequest: (request: NullRequest) => void): void {
  let head: Buffer = Buffer.alloc(0);
  let request: NullRequest | null = null;
  let bodyBytes = 0;
  socket.on("data", (bytes: Buffer) => {
    let rest = bytes;
    if (request === null) {
      head = head.length === 0 ? bytes : Buffer.concat([head, bytes]);
      const end = head.indexOf("\r\n\r\n");
      const text = end < 0 ? "" : head.toString("latin1", 0, end);
      request = end < 0 ? null : requestOf(text);
      if (end > MOST_HEAD_BYTES || (end < 0 ? head.length > MOST_HEAD_BYTES : request === null)) {
        socket.destroy();
        return;
      }
      if (request === null) return;
      rest = head.subarray(end + 4);
      head = Buffer.alloc(0);
      bodyBytes = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    }
    bodyBytes -= rest.length;
    if (bodyBytes > 0) return;
    const whole = request;
    request = null;
    onRequest(whole);
  });
}

function requestOf(head: string): NullRequest | null {
  const level = /^GET \/level\?events=(\d+)&streams=(\d+) /.exec(head);
  if (level !== null) {
    const [eventsPerS, streams] = [Number(level[1]), Number(level[2])];
    return eventsPerS > 0 && streams > 0 ? { kind: "level", eventsPerS, streams } : null;
  }
  if (head.startsWith("GET /writes ")) return { kind: "writes" };
  const id = /\r\nx-request-id: *\S+-u(\d+)-j(\d+)(?:\r|$)/i.exec(head);
  return id === null ? null : { kind: "generation", user: Number(id[1]), j: Number(id[2]) };
}
