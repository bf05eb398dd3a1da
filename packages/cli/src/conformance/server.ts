import type { WireAnswer, WireConnection, WireOptions, WireRequest, WireTarget } from "@tokenstorm/agent";
import type { Clock, StreamRecord } from "@tokenstorm/core";

/** For one exchange: long enough for the longest answer that is asked for here. */
export const EXCHANGE_LIMIT_MS = 300_000;

export type Api = "chat" | "completions";

const PATHS = { chat: "/v1/chat/completions", completions: "/v1/completions" } as const;

/** The server under test, and how it is asked. */
export interface Server {
  readonly target: WireTarget;
  readonly clock: Clock;
  readonly model: string;
  /** Tokens; undefined where /v1/models does not tell. */
  readonly maxModelLen: number | undefined;
  /** A fresh request id. */
  nextId(): string;
  /** Text that no other request of this run begins with: no answer comes from a prefix cache. */
  prompt(text: string): string;
}

export interface Asked {
  readonly api: Api;
  readonly body: Readonly<Record<string, unknown>>;
  readonly id: string;
  readonly request: WireRequest;
}

/** A request for a generation: prompt or messages, and what the check adds. */
export function generation(
  server: Server,
  api: Api,
  options: {
    readonly prompt?: string | readonly number[];
    readonly fields: Readonly<Record<string, unknown>>;
  },
): Asked {
  const id = server.nextId();
  const prompt = options.prompt ?? server.prompt("Tell me about a storm at sea.");
  const body = {
    model: server.model,
    ...(api === "chat" ? { messages: [{ role: "user", content: prompt }] } : { prompt }),
    temperature: 0,
    ...options.fields,
  };
  const request = server.target.request("POST", PATHS[api], { json: body, headers: { "x-request-id": id } });
  return { api, body, id, request };
}

/** Fields of a stream of exactly so many tokens, with usage. */
export function exactly(tokens: number): Record<string, unknown> {
  return {
    max_tokens: tokens,
    ignore_eos: true,
    stream: true,
    stream_options: { include_usage: true },
  };
}

export function ask(server: Server, asked: Asked, options: Partial<WireOptions> = {}): Promise<WireAnswer> {
  return server.target.ask(asked.request, { limitMs: EXCHANGE_LIMIT_MS, ...options });
}

export function askOn(
  connection: WireConnection,
  asked: Asked,
  options: Partial<WireOptions> = {},
): Promise<WireAnswer> {
  return connection.ask(asked.request, { limitMs: EXCHANGE_LIMIT_MS, ...options });
}

const STRICT = new TextDecoder("utf-8", { fatal: true });

export function isUtf8(bytes: Buffer): boolean {
  try {
    STRICT.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

export const contentTypeOf = (answer: WireAnswer): string => answer.headers.get("content-type") ?? "";

export function streamRecord(
  { api, id }: Asked,
  answer: WireAnswer,
  wanted: Pick<StreamRecord, "includesUsage" | "exactTokens">,
): StreamRecord {
  return {
    api,
    status: answer.status,
    contentType: contentTypeOf(answer),
    text: answer.body.toString("utf8"),
    isUtf8: isUtf8(answer.body),
    problem: answer.problem,
    requestId: id,
    ...wanted,
  };
}

export function answerRecord({ api, id }: Asked, answer: WireAnswer, exactTokens: number | null) {
  return {
    api,
    status: answer.status,
    contentType: contentTypeOf(answer),
    text: answer.body.toString("utf8"),
    problem: answer.problem,
    requestId: id,
    exactTokens,
  };
}

/** As many tokens as asked for, or half of the context where that is less. */
export function roomFor({ maxModelLen }: Server, tokens: number): number {
  return maxModelLen === undefined ? tokens : Math.max(1, Math.min(tokens, Math.floor(maxModelLen / 2)));
}
