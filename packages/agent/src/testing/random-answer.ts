import type { Random } from "@tokenstorm/testkit";

/** How a server answers one request: what it writes, piece by piece, and what it does to the connection then. */
export interface Answer {
  readonly writes: readonly Buffer[];
  readonly end: "stays" | "closes" | "resets";
  /** Length that was asked for. */
  readonly exact: number | null;
}

/** Anything from a good answer to nonsense, mostly nearly good: faults are found at the edge. */
export function randomAnswer(random: Random): Answer {
  const isGood = random.bool(0.3);
  const payload = randomPayload(random, isGood);
  const framed = frame(random, Buffer.from(payload), isGood);
  let bytes: Buffer = Buffer.concat([randomHead(random, framed.headers, isGood), ...framed.pieces]);
  const frameBytes = bytes.length;
  if (!isGood && random.bool(0.35)) bytes = mutated(random, bytes);
  if (!isGood && random.bool(0.15)) bytes = bytes.subarray(0, random.int(0, bytes.length));
  if (!isGood && random.bool(0.1)) bytes = Buffer.concat([bytes, Buffer.from(random.pick(LEFTOVERS))]);
  const end = framed.needsClose || random.bool(0.3) ? (random.bool(0.7) ? "closes" : "resets") : "stays";
  const writes = cut(random, bytes, frameBytes);
  return { writes, end, exact: random.bool(0.3) ? random.int(1, 6) : null };
}

const LEFTOVERS = ["\r\n", "x", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "\0"];

const chunk = (delta: object, finish: string | null = null, more: object = {}) => ({
  id: "chatcmpl-a",
  choices: [{ index: 0, delta, finish_reason: finish }],
  ...more,
});
const usage = (output: unknown) => ({ prompt_tokens: 9, completion_tokens: output });

function randomPayload(random: Random, isGood: boolean): string {
  const events = [chunk({ role: "assistant", content: "" })].map((event) => JSON.stringify(event));
  const tokens = random.int(isGood ? 1 : 0, 8);
  const isContinuous = random.bool(0.2);
  for (let token = 1; token <= tokens; token++) {
    const more = isContinuous ? { usage: usage(token * random.int(1, 2)) } : {};
    events.push(JSON.stringify(chunk(randomDelta(random), null, more)));
  }
  events.push(JSON.stringify(chunk({ content: random.pick(["", "é"]) }, random.pick(["stop", "length"]))));
  if (random.bool()) events.push(JSON.stringify({ choices: [], usage: usage(tokens) }));
  if (random.bool(0.8)) events.push("[DONE]");
  if (!isGood) for (let i = random.int(0, 2); i > 0; i--) spoil(random, events);
  const eol = random.pick(["\n", "\n", "\n", "\r\n", "\r"]);
  return (random.bool(0.03) ? "\ufeff" : "") + events.map((event) => asEvent(random, event, eol)).join("");
}

function randomDelta(random: Random): object {
  const text = random.pick([
    " Red",
    "grün",
    "雪🚀",
    'a "quote"\n',
    "",
    "x".repeat(random.int(1, 3000)),
    "\r\n\r\n",
  ]);
  return random.pick([
    { content: text },
    { content: text },
    { reasoning: text },
    { reasoning_content: text },
    { tool_calls: [{}] },
  ]);
}

function spoil(random: Random, events: string[]): void {
  const at = random.int(0, events.length - 1);
  const event = events[at] ?? "";
  switch (random.int(0, 5)) {
    case 0:
      events.splice(at, 1);
      break;
    case 1:
      events[at] = event.slice(0, random.int(0, event.length));
      break;
    case 2:
      events.splice(at, 0, JSON.stringify({ error: { message: "boom", code: 500 } }), "[DONE]");
      break;
    case 3:
      events.splice(
        at,
        0,
        random.pick(["null", "[]", "7", "{}", '{"choices":null}', '{"choices":[null]}', "what?"]),
      );
      break;
    case 4:
      events.splice(at, 0, event);
      break;
    default:
      events.length = at;
  }
}

function asEvent(random: Random, data: string, eol: string): string {
  const before = random.bool(0.1) ? random.pick([`: ping${eol}`, `event: x${eol}`, `id: 7${eol}`, eol]) : "";
  const name = random.bool(0.1) ? "data:" : "data: ";
  return `${before}${name}${data}${eol}${random.bool(0.02) ? "" : eol}`;
}

interface Framed {
  readonly headers: readonly string[];
  readonly pieces: readonly Buffer[];
  readonly needsClose: boolean;
}

function frame(random: Random, body: Buffer, isGood: boolean): Framed {
  switch (random.pick(["chunked", "chunked", "chunked", "length", "close"])) {
    case "length": {
      const length =
        isGood || random.bool(0.8) ? body.length : Math.max(0, body.length + random.int(-20, 20));
      return { headers: [`Content-Length: ${length}`], pieces: [body], needsClose: false };
    }
    case "close":
      return { headers: [], pieces: [body], needsClose: true };
    default:
      return { headers: ["Transfer-Encoding: chunked"], pieces: chunked(random, body), needsClose: false };
  }
}

function chunked(random: Random, body: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  const isByEvent = random.bool();
  for (let at = 0; at < body.length; ) {
    const eventEnd = body.indexOf("\n\n", at);
    const to = isByEvent && eventEnd >= 0 ? eventEnd + 2 : Math.min(body.length, at + random.int(1, 400));
    const size = (to - at).toString(16);
    const written = random.pick([size, size, size.toUpperCase(), `00${size}`]);
    const extension = random.bool(0.03)
      ? random.pick([";a", ";a=b", ';a="b;\\"c"', ";a=b;c", "; a", ";", ";a=", ";=b"])
      : "";
    pieces.push(Buffer.from(`${written}${extension}\r\n`), body.subarray(at, to), Buffer.from("\r\n"));
    at = to;
  }
  const trailers = random.bool(0.1) ? "x-trailer: 1\r\nother:\r\n" : "";
  pieces.push(Buffer.from(`0\r\n${trailers}\r\n`));
  return pieces;
}

function randomHead(random: Random, framing: readonly string[], isGood: boolean): Buffer {
  const odd = <T>(usual: T, others: readonly T[]): T =>
    isGood || random.bool(0.9) ? usual : random.pick(others);
  const status = odd("200", [
    "200",
    "201",
    "204",
    "304",
    "307",
    "400",
    "429",
    "500",
    "503",
    "99",
    "1000",
    "abc",
    "101",
  ]);
  const version = odd("HTTP/1.1", [
    "HTTP/1.0",
    "HTTP/2.0",
    "HTTP/0.9",
    "HTTP/1.2",
    "HTTP/3.0",
    "http/1.1",
    "SPDY/1.1",
  ]);
  const reason = odd(" OK", [" ", "", "  OK", " Größe", " OK\t"]);
  const type = odd("text/event-stream", [
    "text/event-stream; charset=utf-8",
    "TEXT/EVENT-STREAM",
    "text/event-streams",
    "application/json",
    "",
  ]);
  const headers = [`Content-Type: ${type}`, "date: Thu, 01 Jan 2026 00:00:00 GMT", ...framing];
  if (random.bool(0.2))
    headers.push(
      random.pick([
        "connection: keep-alive",
        "connection: close",
        "Connection: Close, x",
        "connection: upgrade",
      ]),
    );
  if (random.bool(0.1)) headers.push(`Keep-Alive: timeout=${random.int(0, 6)}, max=100`);
  if (!isGood && random.bool(0.2)) headers.splice(random.int(0, headers.length), 0, random.pick(ODD_HEADERS));
  if (random.bool(0.1)) headers.reverse();
  const informational = random.bool(0.1) ? random.pick(INFORMATIONAL) : "";
  return Buffer.from(
    `${informational}${version} ${status}${reason}\r\n${headers.join("\r\n")}\r\n\r\n`,
    "latin1",
  );
}

const INFORMATIONAL = [
  "HTTP/1.1 102 Processing\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "\r\n",
  "HTTP/1.1 102\r\n\r\nHTTP/1.1 102 x\r\n\r\n",
];

const ODD_HEADERS = [
  "Content-Length: 5",
  "Content-Length: 0",
  "content-length: 12 ",
  "Content-Length: 1x",
  "Content-Length:",
  "Content-Length: +5",
  "Content-Length: 99999999999999999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding: chunked, gzip",
  "Transfer-Encoding: Chunked",
  "Transfer-Encoding: xchunked",
  "Transfer-Encoding:",
  " folded: x",
  "x: y\r\n folded",
  "x: \r\n folded",
  "no-colon",
  ": no name",
  "spaced : x",
  "spa ced: x",
  "x:y",
  "x:\t y \t",
  "x: a\tb",
  "x: a\0b",
  "x: a\x7fb",
  "x: \xe4",
  "x: a\nb: c",
  "x: a\rb",
  "x(y): z",
  "Connection: keep-alive, close",
  "Connection: closed",
  "Connection:",
  "Content-Type: application/json",
  "Upgrade: websocket",
  `x: ${"y".repeat(15_000)}`,
  `x: ${"y".repeat(17_000)}`,
];

/** One to three bytes changed, lost or added, mostly where framing is. */
function mutated(random: Random, bytes: Buffer): Buffer {
  let changed = bytes;
  for (let i = random.int(1, 3); i > 0; i--) {
    const places = [0x0d, 0x0a, 0x3a, 0x3b, 0x7b].map((byte) =>
      changed.indexOf(byte, random.int(0, changed.length)),
    );
    const at = random.bool(0.5)
      ? Math.max(0, random.pick(places))
      : random.int(0, Math.min(changed.length, 400));
    const added = Buffer.from(
      random.pick(["", "", "x", "\r", "\n", "\r\n", " ", ":", ";", "\0", "7", "\x80", "\t"]),
      "latin1",
    );
    changed = Buffer.concat([changed.subarray(0, at), added, changed.subarray(at + random.int(0, 2))]);
  }
  return changed;
}

const TEAR = 64;

function cut(random: Random, bytes: Buffer, usualBytes: number): readonly Buffer[] {
  const style = random.pick(["whole", "events", "random", "random", "torn"]);
  const writes: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    let to = bytes.length;
    if (style === "events") {
      const eventEnd = bytes.indexOf("\n\n", at);
      to = eventEnd < 0 ? bytes.length : eventEnd + 2;
    } else if (style === "random") {
      to = at + random.int(1, Math.ceil(usualBytes / 3));
    } else if (style === "torn") {
      // Byte by byte for a while, so that a fault that needs just one place is found.
      to = writes.length < TEAR ? at + random.int(1, 3) : bytes.length;
    }
    writes.push(bytes.subarray(at, to));
    at = to;
  }
  return writes;
}
