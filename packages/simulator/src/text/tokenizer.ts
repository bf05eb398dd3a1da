import type { EngineImage } from "../engine/encoder-cache.js";
import { mix32 } from "../random.js";
import type { PromptImage } from "../vision/image-part.js";

const SPECIAL_TOKENS = 16;
const TEXT_TOKENS = 128_000 - SPECIAL_TOKENS;
const PIECE_LENGTH = 6;

const BEGIN_OF_TEXT = 0;
const TEMPLATE_VERSION = 1;
const HEADER_START = 2;
const HEADER_END = 3;
export const END_OF_TURN = 4;
const ROLE_TOKENS: Readonly<Record<string, number>> = { system: 5, user: 6, assistant: 7, tool: 8 };
const OTHER_ROLE = 9;

const IMAGE_START = 10;
const IMAGE_END = 11;

/** A message whose content was checked. */
export interface ChatMessage {
  readonly role: string;
  readonly parts: readonly ChatPart[];
}

export type ChatPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "image"; readonly image: PromptImage };

export interface ChatTokens {
  readonly tokens: readonly number[];
  /** In the order of the prompt. */
  readonly images: readonly EngineImage[];
}

/**
 * A toy whose counts a client can predict: words are separated by ASCII white space, and a word of n
 * UTF-16 code units is ceil(n / 6) tokens. Equal pieces have equal ids. Nothing is added to the text.
 */
export function tokenize(text: string): number[] {
  const tokens: number[] = [];
  appendTokens(tokens, text);
  return tokens;
}

/**
 * The chat template: five tokens at the front, four at the end, four between two messages, as in
 * `<begin><template><head>role<endhead>text<eot><head>assistant<endhead>`. The end of one turn plus the
 * answer is the front of the next, so a conversation finds itself in the prefix cache.
 */
export function tokenizeChat(messages: readonly ChatMessage[]): ChatTokens {
  const tokens: number[] = [BEGIN_OF_TEXT, TEMPLATE_VERSION];
  const images: EngineImage[] = [];
  messages.forEach((message, index) => {
    if (index > 0) tokens.push(END_OF_TURN);
    tokens.push(HEADER_START, ROLE_TOKENS[message.role] ?? OTHER_ROLE, HEADER_END);
    for (const part of message.parts) {
      if (part.kind === "text") appendTokens(tokens, part.text);
      else images.push(appendImage(tokens, part.image));
    }
  });
  tokens.push(END_OF_TURN, HEADER_START, ROLE_TOKENS["assistant"] ?? OTHER_ROLE, HEADER_END);
  return { tokens, images };
}

/** The id of one piece of text of up to six code units. */
export function tokenOfPiece(piece: string): number {
  let h = FNV_OFFSET;
  for (let i = 0; i < piece.length; i++) h = Math.imul(h ^ piece.charCodeAt(i), FNV_PRIME);
  return toToken(h);
}

const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

function toToken(hash: number): number {
  return SPECIAL_TOKENS + (mix32(hash) % TEXT_TOKENS);
}

/** One pass without splitting the string: long prompts are the rule. */
function appendTokens(tokens: number[], text: string): void {
  let h = FNV_OFFSET;
  let inPiece = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 32 || (code >= 9 && code <= 13)) {
      if (inPiece > 0) tokens.push(toToken(h));
      h = FNV_OFFSET;
      inPiece = 0;
      continue;
    }
    if (inPiece === PIECE_LENGTH) {
      tokens.push(toToken(h));
      h = FNV_OFFSET;
      inPiece = 0;
    }
    h = Math.imul(h ^ code, FNV_PRIME);
    inPiece++;
  }
  if (inPiece > 0) tokens.push(toToken(h));
}

/** The last marker stands behind the image, the others before it. */
function appendImage(tokens: number[], { hash, tokens: count, markers }: PromptImage): EngineImage {
  for (let i = 1; i < markers; i++) tokens.push(IMAGE_START);
  const start = tokens.length;
  const base = mix32(hash);
  for (let i = 0; i < count; i++) tokens.push(toToken(base + i));
  if (markers > 0) tokens.push(IMAGE_END);
  return { hash, start, tokens: count };
}
