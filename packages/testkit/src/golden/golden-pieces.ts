import { httpHead, LAST_CHUNK, STREAM_HEAD } from "../scripted-server.js";
import type { Heard, Piece, PieceStep } from "./golden-case.js";

/** Role, usage and empty events. */
export const SILENT: Heard = { tokens: 0, content: false };
export const WORD: Heard = { tokens: 1, content: true };
/** Reasoning, or a piece of a tool call. */
export const THOUGHT: Heard = { tokens: 1, content: false };
export const words = (tokens: number): Heard => ({ tokens, content: true });

export const write = (...pieces: readonly (Piece | readonly Piece[])[]): PieceStep => ({
  pieces: pieces.flat(),
});
/** A write that must not be cut into several. */
export const whole = (...pieces: readonly (Piece | readonly Piece[])[]): PieceStep => ({
  pieces: pieces.flat(),
  isWhole: true,
});
export const pause = (ms: number): PieceStep => ({ kind: "pause", ms });
export const RST: PieceStep = { kind: "reset" };
export const FIN: PieceStep = { kind: "close" };

export const bytes = (text: string | Uint8Array, ends?: Heard | "head"): Piece =>
  ends === undefined ? { bytes: Buffer.from(text) } : { bytes: Buffer.from(text), ends };

export const head = (status: number, headers: Readonly<Record<string, string>>): Piece =>
  bytes(httpHead(status, headers), "head");
export const VLLM_HEAD = bytes(STREAM_HEAD, "head");
export const END_OF_BODY = bytes(LAST_CHUNK);

const textOf = (data: unknown): string => (typeof data === "string" ? data : JSON.stringify(data));

/** The bytes of one event, with what it is; without `heard` no reader makes an event of it. */
export const frame = (data: unknown, heard?: Heard): Piece => bytes(`data: ${textOf(data)}\n\n`, heard);

/** One HTTP chunk with these pieces in it. */
export function chunk(...pieces: readonly Piece[]): readonly Piece[] {
  const length = pieces.reduce((sum, piece) => sum + piece.bytes.length, 0);
  return [bytes(`${length.toString(16)}\r\n`), ...pieces, bytes("\r\n")];
}

/** One event in a chunk of its own, as vLLM writes it. */
export const event = (data: unknown, heard?: Heard): readonly Piece[] => chunk(frame(data, heard));

/** The pieces' bytes in chunks of `size` bytes, whatever they cut. */
export function chunksOf(size: number, ...pieces: readonly Piece[]): readonly Piece[] {
  return pieces.flatMap((piece) => {
    const parts: Piece[] = [];
    for (let at = 0; at < piece.bytes.length; at += size) {
      const part = piece.bytes.subarray(at, at + size);
      const isLast = at + size >= piece.bytes.length;
      parts.push(...chunk(bytes(part, isLast ? piece.ends : undefined)));
    }
    return parts;
  });
}

/** A whole answer with a JSON body. */
export function json(status: number, body: unknown): readonly Piece[] {
  const text = textOf(body);
  const length = String(Buffer.byteLength(text));
  return [head(status, { "content-type": "application/json", "content-length": length }), bytes(text)];
}

/** An event of a chat answer as vLLM sends it. */
export const chat = (delta: object, finish: string | null = null, more: object = {}): object => ({
  id: "chatcmpl-a",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish, token_ids: null }],
  ...more,
});
/** An event of a completions answer as vLLM sends it. */
export const completion = (text: string, finish: string | null = null, more: object = {}): object => ({
  id: "cmpl-a",
  object: "text_completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, text, logprobs: null, finish_reason: finish, stop_reason: null }],
  ...more,
});
export const usage = (output: number, cached?: number): object => ({
  usage: {
    prompt_tokens: 9,
    total_tokens: 9 + output,
    completion_tokens: output,
    ...(cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: cached } }),
  },
});
export const usageOnly = (output: number): object => ({
  id: "chatcmpl-a",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [],
  ...usage(output),
});

export const ROLE = chat({ role: "assistant", content: "" });
export const RED = chat({ content: "Red" });
export const SKY = chat({ content: " sky" }, "length");

/** Head, role event, "Red" and " sky" with the finish, each a write; usage, [DONE] and the end of the body in the last. */
export const BEGUN: readonly PieceStep[] = [write(VLLM_HEAD), write(event(ROLE, SILENT), event(RED, WORD))];
export const CLOSING: readonly Piece[] = [...event(usageOnly(2), SILENT), ...event("[DONE]"), END_OF_BODY];
/** A good end that no reader may hear of, because the answer went wrong before it. */
export const UNHEARD: readonly Piece[] = [...event(SKY), ...CLOSING].map((piece) => ({ bytes: piece.bytes }));
export const told = (output: number): { prompt: number; cachedPrompt: number; output: number } => ({
  prompt: 9,
  cachedPrompt: 0,
  output,
});
/** What `BEGUN`, the finish and `CLOSING` amount to. */
export const RED_SKY = {
  outcome: "completed",
  usage: told(2),
  source: "usage",
  text: "Red sky",
  finish: "length",
} as const;
