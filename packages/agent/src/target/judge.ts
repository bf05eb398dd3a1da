import type { FailureReason, FinishReason, Outcome } from "@tokenstorm/core";
import type { OpenAiStream } from "../stream/openai-events.js";

const FINISHED = new Set(["stop", "length", "tool_calls"]);

/** A finish reason as it is counted; null where the answer told none. */
export function finishOf(told: string | null): FinishReason | null {
  if (told === null || told === "stop" || told === "length" || told === "tool_calls") return told;
  return "other";
}

export type EndOutcome = Extract<Outcome, { kind: "completed" | "failed" | "cancelled" }>;

const COMPLETED: EndOutcome = { kind: "completed" };

export const failed = (reason: FailureReason): EndOutcome => ({ kind: "failed", reason });

/**
 * What status and content type alone decide: null where an event stream follows. A redirect is no stream: what it
 * points to was not asked to carry the load.
 */
export function judgeHead(status: number, contentType: string): FailureReason | null {
  if (status === 200) return /^\s*text\/event-stream\s*(;|$)/i.test(contentType) ? null : "not-a-stream";
  if (status === 429) return "rate-limited";
  if (status >= 400 && status < 500) return "http-4xx";
  return status >= 500 ? "http-5xx" : "not-a-stream";
}

/** How a stream is judged that the server ended without an error event. `[DONE]` proves nothing. */
export function judgeStream(
  stream: OpenAiStream,
  asked: { readonly exactOutputTokens: number | null; readonly endedInsideEvent: boolean },
): EndOutcome {
  const isFinished = stream.finishReason !== null && FINISHED.has(stream.finishReason);
  if (asked.endedInsideEvent && !isFinished) return failed("bad-frame");
  if (stream.counted === 0) return failed("empty");
  if (!isFinished) return failed("no-finish");
  if (asked.exactOutputTokens !== null && !hasLength(stream, asked.exactOutputTokens))
    return failed("wrong-length");
  return COMPLETED;
}

/** Where the server counted nothing, an event may be several tokens: then only its finish reason can contradict. */
function hasLength(stream: OpenAiStream, tokens: number): boolean {
  const { usage } = stream;
  if (usage !== null) return usage.output === tokens;
  if (stream.tokenSource === "continuous") return stream.counted === tokens;
  return stream.finishReason === "length" && stream.counted <= tokens;
}
