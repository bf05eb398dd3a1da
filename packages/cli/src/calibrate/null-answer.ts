/** Tokens of every answer: the default of a plan. */
export const TOKENS_PER_ANSWER = 128;

const PROMPT_TOKENS = 512;

/** An answer in vLLM's chat shape, put together once for all requests: what is written at each of its steps. */
export interface NullAnswer {
  /** Goes out when the request has come. */
  readonly head: Buffer;
  /** One for each token: the first brings the role event along, the last usage and the end. */
  readonly steps: readonly Buffer[];
}

/** With the running usage on every event, as agents ask for it. */
export function buildNullAnswer(): NullAnswer {
  const head =
    "HTTP/1.1 200 OK\r\nserver: tokenstorm\r\ncontent-type: text/event-stream; charset=utf-8\r\n" +
    "transfer-encoding: chunked\r\n\r\n";
  const steps = Array.from({ length: TOKENS_PER_ANSWER }, (_, i) => {
    const isLast = i === TOKENS_PER_ANSWER - 1;
    const before = i === 0 ? event({ role: "assistant", content: "" }, { usage: 0 }) : "";
    const token = event({ content: " token" }, { usage: i + 1, finish: isLast ? "length" : null });
    return Buffer.from(before + token + (isLast ? ending() : ""));
  });
  return { head: Buffer.from(head), steps };
}

function event(delta: object, { usage, finish = null }: { usage: number; finish?: "length" | null }): string {
  return chunk(
    `data: ${JSON.stringify({
      ...ENVELOPE,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish, token_ids: null }],
      usage: usageOf(usage),
    })}\n\n`,
  );
}

function ending(): string {
  const usage = JSON.stringify({ ...ENVELOPE, choices: [], usage: usageOf(TOKENS_PER_ANSWER) });
  return `${chunk(`data: ${usage}\n\n`)}${chunk("data: [DONE]\n\n")}0\r\n\r\n`;
}

const ENVELOPE = {
  id: "chatcmpl-0123456789abcdef0123456789abcdef",
  object: "chat.completion.chunk",
  created: 1_700_000_000,
  model: "null",
};

const usageOf = (output: number) => ({
  prompt_tokens: PROMPT_TOKENS,
  total_tokens: PROMPT_TOKENS + output,
  completion_tokens: output,
});

const chunk = (data: string): string => `${Buffer.byteLength(data).toString(16)}\r\n${data}\r\n`;
