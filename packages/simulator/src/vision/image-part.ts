import { createHash } from "node:crypto";
import { badRequest, invalidBody } from "../http/api-error.js";
import { RecentTexts } from "../recent-texts.js";
import type { ImageRules } from "./image-rules.js";
import { imageSize } from "./image-size.js";

/** One image of a prompt. */
export interface PromptImage {
  /** 48 bits of its content's hash: equal images are one in every cache. */
  readonly hash: number;
  /** Of its content; the markers around it are text. */
  readonly tokens: number;
  readonly markers: number;
}

export interface VisionOptions {
  readonly rules: ImageRules;
  /** For an image behind http(s): it is not fetched, so nobody knows its size. */
  readonly tokensOfUnseen: number;
  readonly mostPerPrompt: number;
}

const DATA_URL = /^data:[^,;]*(?:;[^,;]+)*;base64,/i;
/** A header lies in the first pieces of a file; only a JPEG with large metadata needs more. */
const HEAD_CHARACTERS = 64 * 1024;
const HASH_DIGITS = 12;

const hashes = new RecentTexts((url) =>
  Number.parseInt(createHash("sha256").update(url).digest("hex").slice(0, HASH_DIGITS), 16),
);

/** Reads an `image_url`. Throws ApiError as vLLM answers a URL or an image that it cannot read. */
export function readImage(url: string, options: VisionOptions): PromptImage {
  const { rules } = options;
  const hash = hashes.of(url);
  if (/^https?:\/\//i.test(url)) return { hash, tokens: options.tokensOfUnseen, markers: rules.markers };
  if (!/^data:/i.test(url)) {
    throw badRequest("The URL must be either a HTTP, data or file URL.");
  }
  const head = DATA_URL.exec(url)?.[0];
  if (head === undefined) throw invalidBody("Only base64 data URLs are supported for now.");
  const size = sizeOf(url, head.length);
  if (size === undefined) throw badRequest("cannot identify image file: it is neither PNG nor JPEG");
  try {
    return { hash, tokens: rules.tokens(size), markers: rules.markers };
  } catch (error) {
    throw error instanceof RangeError ? badRequest(error.message) : error;
  }
}

function sizeOf(url: string, start: number) {
  const head = imageSize(Buffer.from(url.slice(start, start + HEAD_CHARACTERS), "base64"));
  if (head !== undefined || url.length - start <= HEAD_CHARACTERS) return head;
  return imageSize(Buffer.from(url.slice(start), "base64"));
}
