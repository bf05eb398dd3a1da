import { type GoldenCase, goldenCase, type Piece, type PieceStep, resplit, unsplit } from "./golden-case.js";
import {
  BEGUN,
  bytes,
  CLOSING,
  chat,
  chunk,
  chunksOf,
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
  words,
  write,
} from "./golden-pieces.js";

const STREAM = { "content-type": "text/event-stream" };
const CHUNKED = { ...STREAM, "transfer-encoding": "chunked" };
/** A red heart, a family of three joined by an invisible letter, and three of four bytes: cut anywhere, it is one text. */
const MULTI_BYTE = "grün 日本 ❤️ 👨‍👩‍👧 𝒳";

const PLAIN = goldenCase("vLLM's chat stream", {
  steps: [...BEGUN, write(event(SKY, WORD)), write(CLOSING)],
  exactOutputTokens: 2,
  expect: RED_SKY,
});
const COLOURFUL = goldenCase("text of many bytes a letter", {
  steps: [
    write(VLLM_HEAD, event(ROLE, SILENT)),
    write(event(chat({ content: MULTI_BYTE }, null, usage(9)), words(9))),
    write(event(chat({ content: "!" }, "length", usage(10)), WORD)),
    write(event(usageOnly(10), SILENT), event("[DONE]"), END_OF_BODY),
  ],
  exactOutputTokens: 10,
  expect: { ...RED_SKY, usage: told(10), source: "continuous", text: `${MULTI_BYTE}!` },
});

const PLAIN_FRAMES = [frame(ROLE, SILENT), frame(RED, WORD), frame(SKY, WORD), frame(usageOnly(2), SILENT)];

/** Frames as they are, between a head and the end of a body in one chunk each. */
const streamOf = (...frames: readonly Piece[]): readonly PieceStep[] => [
  write(VLLM_HEAD),
  ...frames.map((piece) => write(chunk(piece))),
  write(END_OF_BODY),
];
const text = (data: unknown): string => JSON.stringify(data);

/** CRLF, so that a cut between the two letters meets a line that is followed by another. */
const SEVERAL_LINES = goldenCase("JSON over several data lines", {
  steps: streamOf(
    bytes(`${JSON.stringify(RED, null, 1).replace(/^/gm, "data: ").replaceAll("\n", "\r\n")}\r\n\r`, WORD),
    bytes(`\ndata: ${text(SKY)}\r\n\r`, WORD),
    bytes(`\ndata: ${text(usageOnly(2))}\r\n\r`, SILENT),
    bytes("\n"),
  ),
  exactOutputTokens: 2,
  expect: RED_SKY,
});

/** How the same words may be written: SSE's liberties, cuts at every place, HTTP's ways to begin and end, other servers. */
export const FRAMING: readonly GoldenCase[] = [
  PLAIN,
  resplit(PLAIN, "byte by byte", () => 1),
  resplit(PLAIN, "seven bytes at a time", () => 7),
  unsplit(PLAIN, "in one write"),
  COLOURFUL,
  resplit(COLOURFUL, "byte by byte", () => 1),
  unsplit(COLOURFUL, "in one write"),
  goldenCase("text of many bytes a letter, a chunk for each byte", {
    steps: [
      write(VLLM_HEAD),
      write(chunksOf(1, frame(ROLE, SILENT), frame(chat({ content: MULTI_BYTE }), WORD))),
      write(chunksOf(1, frame(SKY, WORD), frame(usageOnly(2), SILENT)), END_OF_BODY),
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, text: `${MULTI_BYTE} sky` },
  }),
  goldenCase("several events in one chunk", {
    steps: [
      write(VLLM_HEAD),
      write(chunk(frame(ROLE, SILENT), frame(RED, WORD), frame(SKY, WORD))),
      write(chunk(frame(usageOnly(2), SILENT), frame("[DONE]")), END_OF_BODY),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("lines that end in CRLF", {
    steps: streamOf(
      bytes(`data: ${text(RED)}\r\n\r\n`, WORD),
      bytes(`data: ${text(SKY)}\r\n\r\n`, WORD),
      bytes(`data: ${text(usageOnly(2))}\r\n\r\ndata: [DONE]\r\n\r\n`, SILENT),
    ),
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("lines that end in CRLF, cut between CR and LF", {
    steps: streamOf(
      bytes(`data: ${text(RED)}\r`),
      // The second CR makes the line empty: what follows it only belongs to it.
      bytes("\n\r", WORD),
      bytes(`\ndata: ${text(SKY)}\r\n\r\n`, WORD),
      bytes(`data: ${text(usageOnly(2))}\r\n\r\n`, SILENT),
    ),
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("lines that end in CR", {
    steps: streamOf(
      bytes(`data: ${text(RED)}\r\r`, WORD),
      bytes(`data: ${text(SKY)}\r\r`, WORD),
      bytes(`data: ${text(usageOnly(2))}\r\r`, SILENT),
    ),
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("comments between and within events", {
    steps: streamOf(
      bytes(": hello\n\n"),
      bytes(`:\n\n: OPENROUTER PROCESSING\n\n\n\ndata: ${text(RED)}\n: within\n\n`, WORD),
      bytes(`: before\ndata: ${text(SKY)}\n\n`, WORD),
      bytes(`data: ${text(usageOnly(2))}\n\n`, SILENT),
      bytes(": data: [DONE]\n\n"),
    ),
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("data without a space", {
    steps: streamOf(
      bytes(`data:${text(RED)}\n\n`, WORD),
      bytes(`data:${text(SKY)}\n\n`, WORD),
      bytes(`data:${text(usageOnly(2))}\n\ndata:[DONE]\n\n`, SILENT),
    ),
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("fields of names beside data", {
    steps: streamOf(
      bytes(`event: message\nid: 7\nretry: 10\ndata: ${text(RED)}\n\n`, WORD),
      bytes(`data: ${text(SKY)}\nevent: x\ndatabase: no\n\n`, WORD),
      bytes(`data: ${text(usageOnly(2))}\n\n`, SILENT),
    ),
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  SEVERAL_LINES,
  resplit(SEVERAL_LINES, "byte by byte", () => 1),
  goldenCase("a byte order mark", {
    steps: streamOf(
      bytes(`\ufeffdata: ${text(RED)}\n\n`, WORD),
      bytes(`data: ${text(SKY)}\n\n`, WORD),
      bytes(`data: ${text(usageOnly(2))}\n\n`, SILENT),
    ),
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("no [DONE]", {
    steps: [...BEGUN, write(event(SKY, WORD)), write(event(usageOnly(2), SILENT), END_OF_BODY)],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("[DONE] with blanks around it", {
    steps: [
      ...BEGUN,
      write(event(SKY, WORD)),
      write(event(usageOnly(2), SILENT), event(" [DONE] "), END_OF_BODY),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
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
      steps: [...BEGUN, write(event(SKY, WORD)), write(CLOSING, bytes(more))],
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
