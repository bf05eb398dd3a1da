/** First line of a truth log: one moment on both clocks, and what was simulated. */
export interface TruthHeader {
  readonly version: 1;
  readonly monotonicUs: number;
  readonly epochUs: number;
  readonly config: Readonly<Record<string, unknown>>;
}

/** One request that was let in; stamps are the host's CLOCK_MONOTONIC in microseconds. */
export interface TruthRequest {
  readonly kind: "request";
  /** The client's X-Request-Id, else the body's `request_id`, else one the simulator made up. */
  readonly id: string;
  readonly endpoint: "chat" | "completions";
  readonly stream: boolean;
  readonly status: number;
  readonly promptTokens: number;
  /** Images in the prompt and their tokens, markers aside; absent without any. */
  readonly images?: number;
  readonly imageTokens?: number;
  readonly cachedTokens: number;
  readonly promptDigest: string;
  readonly maxTokens: number;
  /** Tokens the engine generated, whether or not they were written. */
  readonly outputTokens: number;
  readonly finishReason: "length" | "stop" | "abort" | "error";
  readonly fault?: string;
  /** Who asked for the fault: a request header, the schedule or a rate. */
  readonly faultBy?: string;
  /** The read that brought the request's last byte. */
  readonly receivedUs: number;
  /** Just before the status line was written; null when nothing was. */
  readonly headersUs: number | null;
  /** Streamed: just before the write with the first token. Else: when the first token was generated. */
  readonly firstTokenUs: number | null;
  /** Just before the last write, or when the client was seen to be gone. */
  readonly endUs: number;
  /** Just after the last write returned, or as `endUs`. */
  readonly closedUs: number;
  /** Absolute stamps just before each write that carried tokens. */
  readonly writesUs: readonly number[];
  /** Tokens in each of those writes. */
  readonly writeTokens: readonly number[];
}

/** A request to a generation endpoint that was answered with an error, or got one by a fault. */
export interface TruthRejection {
  readonly kind: "rejected";
  readonly id: string;
  readonly endpoint: "chat" | "completions";
  readonly status: number;
  readonly reason: string;
  readonly fault?: string;
  readonly faultBy?: string;
  readonly receivedUs: number;
  readonly endUs: number;
}

/** Nobody listens from here, or does so again: a scheduled refusal of connections. */
export interface TruthRefusal {
  readonly kind: "refusal";
  readonly state: "begin" | "end";
  readonly tUs: number;
}

/** Open requests at `tUs`, and their exact integral since the simulator started, in request-microseconds. */
export interface TruthOpen {
  readonly kind: "open";
  readonly tUs: number;
  readonly open: number;
  readonly integralUs: number;
}

export interface TruthLog {
  readonly header: TruthHeader;
  readonly requests: readonly TruthRequest[];
  readonly rejections: readonly TruthRejection[];
  readonly open: readonly TruthOpen[];
  readonly refusals: readonly TruthRefusal[];
}

/** Reads a truth log line by line; throws an Error that names the line that does not fit. */
export function parseTruthLog(lines: Iterable<string>): TruthLog {
  let header: TruthHeader | undefined;
  const requests: TruthRequest[] = [];
  const rejections: TruthRejection[] = [];
  const open: TruthOpen[] = [];
  const refusals: TruthRefusal[] = [];
  let number = 0;
  for (const line of lines) {
    number++;
    if (line.trim() === "") continue;
    const record = parseLine(line, number);
    if (header === undefined) header = parseHeader(record, number);
    else if (record["kind"] === "request") requests.push(parseRequest(record, number));
    else if (record["kind"] === "rejected") rejections.push(parseRejection(record, number));
    else if (record["kind"] === "open") open.push(parseOpen(record, number));
    else if (record["kind"] === "refusal") refusals.push(parseRefusal(record, number));
    // Other kinds come with later versions and carry nothing that is needed here.
  }
  if (header === undefined) throw new Error("truth log: it is empty");
  return { header, requests, rejections, open, refusals };
}

/** Integral of open requests over [fromUs, toUs), from the request lines; requests still open then are missing. */
export function openRequestIntegralUs(log: TruthLog, fromUs: number, toUs: number): number {
  let integral = 0;
  for (const line of [...log.requests, ...log.rejections]) {
    integral += Math.max(0, Math.min(line.endUs, toUs) - Math.max(line.receivedUs, fromUs));
  }
  return integral;
}

/** Output tokens whose write was stamped in [fromUs, toUs). */
export function tokensWrittenBetween(log: TruthLog, fromUs: number, toUs: number): number {
  let tokens = 0;
  for (const request of log.requests) {
    request.writesUs.forEach((stampUs, i) => {
      if (stampUs >= fromUs && stampUs < toUs) tokens += request.writeTokens[i] ?? 0;
    });
  }
  return tokens;
}

type JsonRecord = Readonly<Record<string, unknown>>;

function parseLine(line: string, number: number): JsonRecord {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new Error(`truth log line ${number}: not JSON; was the simulator killed while writing?`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw misfit(number, "an object");
  return Object.fromEntries(Object.entries(value));
}

function parseHeader(record: JsonRecord, line: number): TruthHeader {
  if (record["version"] !== 1) throw misfit(line, "version 1");
  const config = record["config"];
  const isObject = typeof config === "object" && config !== null;
  return {
    version: 1,
    monotonicUs: integer(record, "monotonicUs", line),
    epochUs: integer(record, "epochUs", line),
    config: isObject ? Object.fromEntries(Object.entries(config)) : {},
  };
}

function parseRequest(record: JsonRecord, line: number): TruthRequest {
  const writesUs = integers(record, "writesUs", line);
  for (let i = 1; i < writesUs.length; i++) writesUs[i] = (writesUs[i] ?? 0) + (writesUs[i - 1] ?? 0);
  const writeTokens =
    record["writeTokens"] === undefined ? writesUs.map(() => 1) : integers(record, "writeTokens", line);
  if (writeTokens.length !== writesUs.length) throw misfit(line, "as many writeTokens as writesUs");
  return {
    kind: "request",
    ...identity(record, line),
    stream: record["stream"] === true,
    promptTokens: integer(record, "promptTokens", line),
    ...(record["images"] === undefined
      ? {}
      : { images: integer(record, "images", line), imageTokens: integer(record, "imageTokens", line) }),
    cachedTokens: integer(record, "cachedTokens", line),
    promptDigest: text(record, "promptDigest", line),
    maxTokens: integer(record, "maxTokens", line),
    outputTokens: integer(record, "outputTokens", line),
    finishReason: oneOf(record, "finishReason", ["length", "stop", "abort", "error"], line),
    headersUs: record["headersUs"] === null ? null : integer(record, "headersUs", line),
    firstTokenUs: record["firstTokenUs"] === null ? null : integer(record, "firstTokenUs", line),
    closedUs: integer(record, "closedUs", line),
    writesUs,
    writeTokens,
  };
}

function parseRejection(record: JsonRecord, line: number): TruthRejection {
  return { kind: "rejected", ...identity(record, line), reason: text(record, "reason", line) };
}

function identity(record: JsonRecord, line: number) {
  return {
    id: text(record, "id", line),
    endpoint: oneOf(record, "endpoint", ["chat", "completions"], line),
    status: integer(record, "status", line),
    ...(record["fault"] === undefined ? {} : { fault: text(record, "fault", line) }),
    ...(record["faultBy"] === undefined ? {} : { faultBy: text(record, "faultBy", line) }),
    receivedUs: integer(record, "receivedUs", line),
    endUs: integer(record, "endUs", line),
  };
}

function parseOpen(record: JsonRecord, line: number): TruthOpen {
  return {
    kind: "open",
    tUs: integer(record, "tUs", line),
    open: integer(record, "open", line),
    integralUs: integer(record, "integralUs", line),
  };
}

function parseRefusal(record: JsonRecord, line: number): TruthRefusal {
  const state = oneOf(record, "state", ["begin", "end"], line);
  return { kind: "refusal", state, tUs: integer(record, "tUs", line) };
}

function integer(record: JsonRecord, name: string, line: number): number {
  const value = record[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw misfit(line, `an integer ${name}`);
  return value;
}

function integers(record: JsonRecord, name: string, line: number): number[] {
  const value = record[name];
  if (!Array.isArray(value)) throw misfit(line, `a list ${name}`);
  return value.map((element: unknown) => {
    if (typeof element !== "number" || !Number.isSafeInteger(element))
      throw misfit(line, `integers in ${name}`);
    return element;
  });
}

function text(record: JsonRecord, name: string, line: number): string {
  const value = record[name];
  if (typeof value !== "string") throw misfit(line, `a text ${name}`);
  return value;
}

function oneOf<T extends string>(record: JsonRecord, name: string, known: readonly T[], line: number): T {
  const value = known.find((candidate) => candidate === record[name]);
  if (value === undefined) throw misfit(line, `${name} out of ${known.join(", ")}`);
  return value;
}

function misfit(line: number, wanted: string): Error {
  return new Error(`truth log line ${line}: expected ${wanted}`);
}
