import {
  type GoldenCase,
  goldenCase,
  type Heard,
  type Piece,
  type PieceStep,
  resplit,
  unsplit,
} from "./golden-case.js";
import {
  BEGUN,
  bytes,
  CLOSING,
  chat,
  chunk,
  chunksOf,
  END_OF_BODY,
  event,
  frame,
  RED,
  RED_SKY,
  ROLE,
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

/** Frames as they are, between a head and the end of a body in one chunk each. */
const streamOf = (...chunks: readonly (Piece | readonly Piece[])[]): readonly PieceStep[] => [
  write(VLLM_HEAD),
  ...chunks.map((pieces) => write(chunk(...[pieces].flat()))),
  write(END_OF_BODY),
];
const text = (data: unknown): string => JSON.stringify(data);

/** An event in CRLF. The second CR makes its line an empty one: the LF only belongs to it. */
function crlf(data: unknown, heard: Heard): readonly Piece[] {
  return [bytes(`data: ${text(data)}\r\n\r`, heard), bytes("\n")];
}

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

/** How the same words may be written: SSE's liberties, and cuts at every place. */
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
    steps: streamOf(crlf(RED, WORD), crlf(SKY, WORD), [
      ...crlf(usageOnly(2), SILENT),
      bytes("data: [DONE]\r\n\r\n"),
    ]),
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("lines that end in CRLF, cut between CR and LF", {
    steps: streamOf(
      bytes(`data: ${text(RED)}\r`),
      bytes("\n\r", WORD),
      [bytes("\n"), ...crlf(SKY, WORD)],
      crlf(usageOnly(2), SILENT),
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
    steps: streamOf(bytes(`data:${text(RED)}\n\n`, WORD), bytes(`data:${text(SKY)}\n\n`, WORD), [
      bytes(`data:${text(usageOnly(2))}\n\n`, SILENT),
      bytes("data:[DONE]\n\n"),
    ]),
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
];
