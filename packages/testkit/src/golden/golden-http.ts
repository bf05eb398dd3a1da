import { type GoldenCase, goldenCase, type Piece, type PieceStep } from "./golden-case.js";
import {
  BEGUN,
  bytes,
  CLOSING,
  chat,
  chunk,
  completion,
  END_OF_BODY,
  event,
  FIN,
  frame,
  head,
  pause,
  RED,
  RED_SKY,
  ROLE,
  RST,
  SILENT,
  SKY,
  told,
  usage,
  usageOnly,
  VLLM_HEAD,
  WORD,
  whole,
  write,
} from "./golden-pieces.js";

const STREAM = { "content-type": "text/event-stream" };
const CHUNKED = { ...STREAM, "transfer-encoding": "chunked" };
const PLAIN_FRAMES = [frame(ROLE, SILENT), frame(RED, WORD), frame(SKY, WORD), frame(usageOnly(2), SILENT)];

/** HTTP's ways to begin, to frame and to end an answer, and those of servers other than vLLM. */
export const HTTP: readonly GoldenCase[] = [
  goldenCase("a body that the closed connection ends", {
    steps: [
      write(head(200, STREAM)),
      write(frame(ROLE, SILENT), frame(RED, WORD)),
      write(frame(SKY, WORD)),
      write(frame(usageOnly(2), SILENT), frame("[DONE]")),
      FIN,
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, keepsSocket: false },
  }),
  goldenCase("a body of announced length", {
    steps: sized(...PLAIN_FRAMES),
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("chunk sizes in capitals, with zeros before and extensions after", {
    steps: [
      write(VLLM_HEAD),
      write(bytes(`00${size(RED).toUpperCase()};name=value\r\n`), frame(RED, WORD), bytes("\r\n")),
      write(bytes(`${size(SKY).toUpperCase()};x="a b"\r\n`), frame(SKY, WORD), bytes("\r\n")),
      write(event(usageOnly(2), SILENT), bytes("000\r\n\r\n")),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("trailers after the last chunk", {
    steps: [
      ...BEGUN,
      write(event(SKY, WORD), event(usageOnly(2), SILENT)),
      write(bytes("0\r\nx-checksum: 1\r\nx-more: data: 2\r\n\r\n")),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("informational answers before the answer", {
    steps: [
      write(bytes("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")),
      ...BEGUN,
      write(event(SKY, WORD), CLOSING),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("a head with odd names, blanks and no reason phrase", {
    steps: [
      write(
        bytes(
          "HTTP/1.1 200 \r\nX-A:\r\nCONTENT-TYPE:\t Text/Event-Stream ; Charset=UTF-8 \r\ntransfer-ENCODING: Chunked\r\n\r\n",
          "head",
        ),
      ),
      write(event(RED, WORD)),
      write(event(SKY, WORD), CLOSING),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("headers after five seconds", {
    steps: [pause(5000), ...BEGUN, write(event(SKY, WORD), CLOSING)],
    exactOutputTokens: 2,
    limits: { ttftMs: 6000, stallMs: 100 },
    expect: RED_SKY,
  }),
  goldenCase("headers at once, and the first token after five seconds of pings", {
    steps: [
      write(VLLM_HEAD),
      ...Array.from({ length: 5 }, () => [pause(1000), write(chunk(bytes(": ping\n\n")))]).flat(),
      write(event(ROLE, SILENT), event(RED, WORD)),
      write(event(SKY, WORD), CLOSING),
    ],
    exactOutputTokens: 2,
    limits: { ttftMs: 6000, stallMs: 100 },
    expect: RED_SKY,
  }),
  goldenCase("connection: close", {
    steps: [
      write(head(200, { ...CHUNKED, connection: "close" })),
      write(event(RED, WORD)),
      write(event(SKY, WORD), CLOSING),
      FIN,
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, keepsSocket: false },
  }),
  goldenCase("a connection closed after [DONE], without the last chunk", {
    steps: [...BEGUN, write(event(SKY, WORD), event(usageOnly(2), SILENT), event("[DONE]")), FIN],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, keepsSocket: false },
  }),
  ...[
    "what is this?\r\n\r\n",
    "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 0\r\n\r\n",
  ].map((more, i) =>
    goldenCase(`${["garbage", "a farewell", "a second answer"][i]} behind the end of the answer`, {
      // Later it would answer the next request, for all that HTTP can tell.
      steps: [...BEGUN, write(event(SKY, WORD)), whole(CLOSING, bytes(more))],
      exactOutputTokens: 2,
      expect: { ...RED_SKY, keepsSocket: false },
    }),
  ),
  goldenCase("HTTP/1.0, its end told by a length", {
    steps: [...old(PLAIN_FRAMES), FIN],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, keepsSocket: false },
  }),
  goldenCase("HTTP/1.0, its end told by the closed connection", {
    steps: [...old(), FIN],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, keepsSocket: false },
  }),
  ...[FIN, RST].map((end) =>
    goldenCase(
      `a ${end === FIN ? "close" : "reset"} right after the answer, though keep-alive was promised`,
      {
        steps: [
          write(head(200, { ...CHUNKED, connection: "keep-alive", "keep-alive": "timeout=5, max=100" })),
          write(event(RED, WORD)),
          write(event(SKY, WORD), CLOSING),
          end,
        ],
        exactOutputTokens: 2,
        expect: { ...RED_SKY, keepsSocket: false },
      },
    ),
  ),
  ...(["close", "reset"] as const).map((staleDeath) =>
    goldenCase(`a used connection that the server ends by ${staleDeath} at the next request`, {
      steps: [...BEGUN, write(event(SKY, WORD), CLOSING)],
      staleDeath,
      exactOutputTokens: 2,
      expect: RED_SKY,
    }),
  ),
  goldenCase("SGLang's framing", {
    steps: [
      // The head comes with the first token.
      pause(300),
      write(head(200, CHUNKED), event(sglang({ role: "assistant", content: "" }), SILENT)),
      write(event(sglang({ reasoning_content: "Hmm" }), { tokens: 1, content: false })),
      write(event(sglang({ content: "Red" }), WORD)),
      write(event(sglang({ content: " sky" }), WORD)),
      write(event(sglang({}, "length"), SILENT)),
      write(event(usageOnly(3), SILENT), event("[DONE]"), END_OF_BODY),
    ],
    exactOutputTokens: 3,
    expect: { ...RED_SKY, usage: told(3) },
  }),
  goldenCase("llama.cpp's framing of chat, which closes although it promised not to", {
    steps: [
      pause(300),
      write(llamaHead(), event(llama({ role: "assistant", content: null }), SILENT)),
      write(event(llama({ content: "Red" }), WORD)),
      pause(900),
      write(chunk(bytes(":\n\n"))),
      write(event(llama({ content: " sky" }), WORD)),
      write(event(llama({}, "length", { timings: { predicted_n: 2 } }), SILENT)),
      write(event(usageOnly(2), SILENT), event("[DONE]"), END_OF_BODY),
      FIN,
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, keepsSocket: false },
  }),
  goldenCase("llama.cpp's framing of completions, usage on the finish event", {
    steps: [
      write(llamaHead(), event(completion("Red"), WORD)),
      write(event(completion(" sky"), WORD)),
      write(event(completion("", "length", { ...usage(2), timings: { predicted_n: 2 } }), SILENT)),
      write(event("[DONE]"), END_OF_BODY),
      FIN,
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, keepsSocket: false },
  }),
  goldenCase("OpenAI's framing: usage null on all events but one, and padding", {
    steps: [
      write(head(200, CHUNKED), event(openai({ role: "assistant", content: "", refusal: null }), SILENT)),
      write(event(openai({ content: "Red" }), WORD)),
      write(event(openai({ content: " sky" }), WORD)),
      write(event(openai({}, "stop"), SILENT)),
      write(event({ ...usageOnly(2), obfuscation: "xyz" }, SILENT), event("[DONE]"), END_OF_BODY),
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, finish: "stop" },
  }),
];

function size(data: unknown): string {
  return frame(data).bytes.length.toString(16);
}

function sized(...pieces: readonly Piece[]): readonly PieceStep[] {
  const length = pieces.reduce((sum, piece) => sum + piece.bytes.length, 0);
  return [write(head(200, { ...STREAM, "content-length": String(length) })), ...pieces.map((p) => write(p))];
}

function old(lengthOf: readonly Piece[] = []): readonly PieceStep[] {
  const length = lengthOf.reduce((sum, piece) => sum + piece.bytes.length, 0);
  const header = length === 0 ? "" : `content-length: ${length}\r\n`;
  return [
    write(bytes(`HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n${header}\r\n`, "head")),
    ...PLAIN_FRAMES.map((piece) => write(piece)),
  ];
}

function llamaHead(): Piece {
  return head(200, {
    "Keep-Alive": "timeout=5, max=100",
    "Content-Type": "text/event-stream",
    Server: "llama.cpp",
    "Transfer-Encoding": "chunked",
    "Access-Control-Allow-Origin": "",
  });
}

function llama(delta: object, finish: string | null = null, more: object = {}): object {
  const choices = [{ finish_reason: finish, index: 0, delta }];
  return { choices, created: 1, id: "chatcmpl-l", model: "m", object: "chat.completion.chunk", ...more };
}

function sglang(delta: object, finish: string | null = null): object {
  const nulls = { role: null, content: null, reasoning_content: null, tool_calls: null };
  const choice = { index: 0, delta: { ...nulls, ...delta }, logprobs: null, finish_reason: finish };
  return {
    id: "s",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ ...choice, matched_stop: null }],
    usage: null,
  };
}

function openai(delta: object, finish: string | null = null): object {
  return chat(delta, finish, { service_tier: "default", usage: null, obfuscation: "a1b2" });
}
