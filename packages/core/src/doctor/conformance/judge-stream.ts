import { type StreamEvent, streamEvents } from "./stream-events.js";
import { excerpt, readShape, StreamChunk, type Usage } from "./wire-shapes.js";

/** What came of a request for a stream, and what was asked for. */
export interface StreamRecord {
  readonly api: "chat" | "completions";
  readonly status: number;
  readonly contentType: string;
  /** The body, decoded; where it is no UTF-8, with replacement characters. */
  readonly text: string;
  readonly isUtf8: boolean;
  /** Why the answer is not whole; null where it is. */
  readonly problem: string | null;
  readonly requestId: string;
  readonly includesUsage: boolean;
  /** Exactly so many tokens were asked for; null where the model may end by itself. */
  readonly exactTokens: number | null;
}

/** What is the matter (`fault`), or what was seen that is right. */
export interface ContractFinding {
  readonly check: string;
  readonly fault: string | null;
  readonly seen: string;
}

export interface JudgedStream {
  readonly findings: readonly ContractFinding[];
  readonly chunks: readonly StreamChunk[];
  readonly usage: Usage | null;
  readonly finishReason: string | null;
  /** What was generated, of all fields together. */
  readonly output: string;
}

/** Holds a stream against the contract. A fault is told once, by the check that it belongs to. */
export function judgeStream(record: StreamRecord): JudgedStream {
  const { events, fault, remark } = streamEvents(record.text);
  const isStream = record.status === 200 && /^text\/event-stream\b/i.test(record.contentType);
  const head = finding(
    "head",
    isStream
      ? null
      : `status ${record.status}, content type ${record.contentType || "none"}: ${excerpt(record.text)}`,
    `200 ${record.contentType}`,
  );
  if (!isStream) return { findings: [head], chunks: [], usage: null, finishReason: null, output: "" };
  const { chunks, findings: jsonFindings } = readChunks(events);
  const usages = chunks.flatMap(({ usage }) => usage ?? []);
  const usage = usages.at(-1) ?? null;
  const reasons = chunks.flatMap((chunk) => reasonsIn(chunk));
  return {
    findings: [
      head,
      finding("framing", fault, `${events.length} events${remark === null ? "" : `; ${remark}`}`),
      jsonFindings,
      ...(record.api === "chat" ? [judgeRole(chunks)] : []),
      judgeFinish(chunks),
      ...(record.includesUsage ? [judgeUsage(chunks), judgeSum(usage)] : []),
      ...(record.exactTokens === null || !record.includesUsage
        ? []
        : [judgeLength({ asked: record.exactTokens, usage, reason: reasons[0] ?? null })]),
      judgeDone(events),
      finding("end", record.problem, "ended by the last chunk"),
      judgeId(chunks, record),
    ],
    chunks,
    usage,
    finishReason: reasons[0] ?? null,
    output: chunks.map(outputIn).join(""),
  };
}

function finding(check: string, fault: string | null, seen: string): ContractFinding {
  return { check, fault, seen };
}

const isDone = ({ data }: StreamEvent): boolean => data.trim() === "[DONE]";

function readChunks(events: readonly StreamEvent[]): {
  readonly chunks: StreamChunk[];
  readonly findings: ContractFinding;
} {
  const chunks: StreamChunk[] = [];
  let fault: string | null = null;
  const end = events.findIndex(isDone);
  // What follows [DONE] is that check's affair.
  for (const [at, event] of (end < 0 ? events : events.slice(0, end)).entries()) {
    const read = readShape(StreamChunk, event.data);
    if ("fault" in read) {
      fault ??= event.data.includes('"error"')
        ? `event ${at + 1} is an error: ${excerpt(event.data)}`
        : `event ${at + 1}: ${read.fault}`;
    } else chunks.push(read.value);
  }
  const [first] = chunks;
  if (first === undefined) fault ??= "no event has anything";
  for (const key of ["id", "created", "model"] as const) {
    const other = chunks.find((chunk) => chunk[key] !== first?.[key]);
    if (other !== undefined)
      fault ??= `${key} changes within the stream, from ${first?.[key]} to ${other[key]}`;
  }
  return { chunks, findings: finding("json", fault, `${chunks.length} chunks of one answer`) };
}

/** What a chunk has of generated output. */
export function outputIn({ choices }: StreamChunk): string {
  return choices
    .map(({ delta, text }) => {
      // Two names of one thing where both are there: it is not counted twice.
      const reasoning = delta?.reasoning ?? delta?.reasoning_content ?? "";
      const calls = (delta?.tool_calls?.length ?? 0) > 0 ? JSON.stringify(delta?.tool_calls) : "";
      return `${reasoning}${delta?.content ?? ""}${calls}${text ?? ""}`;
    })
    .join("");
}

function reasonsIn({ choices }: StreamChunk): string[] {
  return choices.flatMap(({ finish_reason }) => finish_reason ?? []);
}

function judgeRole(chunks: readonly StreamChunk[]): ContractFinding {
  const withRole = chunks.flatMap((chunk, at) =>
    chunk.choices.some(({ delta }) => typeof delta?.role === "string" && delta.role !== "") ? [at + 1] : [],
  );
  const [first] = chunks;
  const fault =
    withRole[0] !== 1
      ? withRole.length === 0
        ? "no event has a role"
        : `the role comes with event ${withRole[0]}, not with the first`
      : withRole.length > 1
        ? `the role comes again with event ${withRole[1]}`
        : first !== undefined && outputIn(first) !== ""
          ? `the role event has output: ${excerpt(outputIn(first))}`
          : null;
  return finding("role", fault, "in the first event, alone");
}

function judgeFinish(chunks: readonly StreamChunk[]): ContractFinding {
  const at = chunks.findIndex((chunk) => reasonsIn(chunk).length > 0);
  const reasons = chunks.flatMap(reasonsIn);
  const late = at < 0 ? -1 : chunks.findIndex((chunk, i) => i > at && outputIn(chunk) !== "");
  const fault =
    at < 0
      ? "no event has a finish_reason"
      : reasons.length > 1
        ? `${reasons.length} finish_reasons: ${reasons.join(", ")}`
        : late >= 0
          ? `event ${late + 1} has output after the finish_reason of event ${at + 1}: ${excerpt(outputIn(chunks[late] ?? NO_CHUNK))}`
          : null;
  return finding("finish", fault, `one, ${reasons[0]}`);
}

const NO_CHUNK: StreamChunk = { id: "", object: "", created: 0, model: "", choices: [] };

function judgeUsage(chunks: readonly StreamChunk[]): ContractFinding {
  const own = chunks.flatMap(({ usage, choices }, at) => (usage != null && choices.length === 0 ? [at] : []));
  const mixed = chunks.findIndex(({ usage, choices }) => usage != null && choices.length > 0);
  const finishAt = chunks.findIndex((chunk) => reasonsIn(chunk).length > 0);
  const [at] = own;
  const fault =
    at === undefined
      ? mixed < 0
        ? "no event has usage, though stream_options.include_usage asked for it"
        : `usage comes with event ${mixed + 1}, which has choices, and in no event of its own`
      : own.length > 1
        ? `${own.length} events have usage and no choices`
        : at < finishAt
          ? `usage comes with event ${at + 1}, before the finish_reason of event ${finishAt + 1}`
          : at !== chunks.length - 1
            ? `events follow the usage of event ${at + 1}`
            : null;
  return finding("usage", fault, "once, in an event of its own, at the end");
}

export function judgeSum(usage: Usage | null): ContractFinding {
  const check = "usage-sum";
  if (usage === null) return finding(check, "there is no usage to add up", "");
  const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total } = usage;
  const sum = `${prompt} + ${completion ?? 0}`;
  const isRight = prompt + (completion ?? 0) === total;
  return finding(
    check,
    isRight ? null : `${sum} is ${prompt + (completion ?? 0)}, and total_tokens is ${total}`,
    `${sum} = ${total}`,
  );
}

export function judgeLength(options: {
  readonly asked: number;
  readonly usage: Usage | null;
  readonly reason: string | null;
}): ContractFinding {
  const { asked, usage, reason } = options;
  if (usage === null)
    return finding("length", "there is no usage to tell how many tokens were generated", "");
  const generated = usage.completion_tokens ?? 0;
  const fault =
    generated !== asked
      ? `completion_tokens is ${generated}, and max_tokens was ${asked} with ignore_eos`
      : reason !== "length"
        ? `the finish_reason is ${reason ?? "none"}, and not length`
        : null;
  return finding("length", fault, `${generated} of ${asked}, length`);
}

function judgeDone(events: readonly StreamEvent[]): ContractFinding {
  const found = events.flatMap((event, at) => (isDone(event) ? [at] : []));
  const [first] = found;
  const fault =
    first === undefined
      ? "the stream ends without [DONE]"
      : found.length > 1
        ? `[DONE] comes ${found.length} times`
        : first !== events.length - 1
          ? `${events.length - 1 - first} events follow [DONE]`
          : null;
  return finding("done", fault, "once, at the end");
}

const PREFIXES = { chat: "chatcmpl-", completions: "cmpl-" } as const;

function judgeId(chunks: readonly StreamChunk[], { api, requestId }: StreamRecord): ContractFinding {
  return idFinding(chunks[0]?.id ?? "", { api, requestId });
}

export function idFinding(
  id: string,
  { api, requestId }: { readonly api: StreamRecord["api"]; readonly requestId: string },
): ContractFinding {
  const expected = `${PREFIXES[api]}${requestId}`;
  const isRight = id === expected;
  return finding(
    "request-id",
    isRight ? null : `the id is ${id || "none"}, and X-Request-Id was ${requestId}`,
    id,
  );
}

/** A character that was split over two events shows as half a surrogate pair, or as bytes that are no UTF-8. */
export function judgeUtf8(
  record: Pick<StreamRecord, "isUtf8">,
  chunks: readonly StreamChunk[],
): ContractFinding {
  const split = chunks.findIndex((chunk) => hasLoneSurrogate(outputIn(chunk)));
  const fault = !record.isUtf8
    ? "the stream is no UTF-8: an event ends within a character"
    : split >= 0
      ? `event ${split + 1} has half a character: its other half is in another event`
      : null;
  const letters = [...chunks.map(outputIn).join("")].filter((letter) => (letter.codePointAt(0) ?? 0) > 0x7f);
  return finding("utf8", fault, `${letters.length} characters of several bytes, none split`);
}

function hasLoneSurrogate(text: string): boolean {
  return /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}

/** With continuous_usage_stats: usage on every event, never falling, ending at the last. */
export function judgeContinuous(chunks: readonly StreamChunk[]): ContractFinding {
  const check = "continuous-usage";
  const without = chunks.findIndex(({ usage }) => usage == null);
  if (without >= 0) return finding(check, `event ${without + 1} of ${chunks.length} has no usage`, "");
  let before = 0;
  for (const [at, { usage }] of chunks.entries()) {
    const now = usage?.completion_tokens ?? 0;
    if (now < before)
      return finding(check, `completion_tokens fall from ${before} to ${now} at event ${at + 1}`, "");
    before = now;
  }
  const running = chunks.filter(({ choices }) => choices.length > 0).at(-1)?.usage?.completion_tokens ?? 0;
  if (running !== before)
    return finding(check, `they end at ${running}, and the last usage says ${before}`, "");
  return finding(check, null, `on all of ${chunks.length} events, up to ${before}`);
}

/** With return_token_ids: as many ids as completion tokens. Undefined where the server gives none. */
export function judgeReturnedIds(
  chunks: readonly StreamChunk[],
  usage: Usage | null,
): ContractFinding | undefined {
  const ids = chunks.flatMap(({ choices }) => choices.flatMap(({ token_ids }) => token_ids ?? []));
  if (ids.length === 0 || usage === null) return undefined;
  const counted = usage.completion_tokens ?? 0;
  const fault =
    ids.length === counted ? null : `${ids.length} token ids, and completion_tokens is ${counted}`;
  return finding("returned-ids", fault, `${ids.length} ids for ${counted} tokens`);
}
