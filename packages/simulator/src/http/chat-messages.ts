import type { Emulation } from "../emulation.js";
import type { ChatMessage, ChatPart } from "../text/tokenizer.js";
import { readImage, type VisionOptions } from "../vision/image-part.js";
import { badRequest, invalidBody } from "./api-error.js";
import { isObject, type JsonObject } from "./json-fields.js";

export interface MessageLimits {
  readonly model: string;
  /** Absent where the model does not see images. */
  readonly vision: VisionOptions | undefined;
  readonly emulation: Emulation;
}

/** Checks the messages of a chat. Throws ApiError. */
export function parseMessages(raw: readonly unknown[], limits: MessageLimits): ChatMessage[] {
  let images = 0;
  const countImage = (): void => {
    images++;
    const most = limits.vision?.mostPerPrompt ?? 0;
    if (images <= most) return;
    // vLLM points to its option only where the model itself has a limit, and these have none.
    const suffix = limits.emulation.errorsTellParameter ? " (parameter=image)" : "";
    throw badRequest(`At most ${most} image(s) may be provided in one prompt.${suffix}`, "image");
  };
  return raw.map((message) => parseMessage(message, limits, countImage));
}

function parseMessage(message: unknown, limits: MessageLimits, countImage: () => void): ChatMessage {
  if (!isObject(message) || typeof message["role"] !== "string") {
    throw invalidBody("messages: each needs a role", "messages");
  }
  const content = message["content"] ?? "";
  if (typeof content === "string") return { role: message["role"], parts: [{ kind: "text", text: content }] };
  if (!Array.isArray(content)) throw invalidBody("messages: content is neither text nor parts", "messages");
  return { role: message["role"], parts: content.map((part) => parsePart(part, limits, countImage)) };
}

function parsePart(part: unknown, limits: MessageLimits, countImage: () => void): ChatPart {
  if (isObject(part) && part["type"] === "text" && typeof part["text"] === "string") {
    return { kind: "text", text: part["text"] };
  }
  if (!isObject(part) || part["type"] !== "image_url") {
    throw invalidBody("messages: only text and image_url parts are understood", "messages");
  }
  if (limits.vision === undefined) throw badRequest(`${limits.model} is not a multimodal model`);
  countImage();
  return { kind: "image", image: readImage(imageUrl(part), limits.vision) };
}

/** `image_url` is an object with a url, or the url itself. */
function imageUrl(part: JsonObject): string {
  const field = part["image_url"];
  const url = isObject(field) ? field["url"] : field;
  if (typeof url !== "string") throw invalidBody("image_url: url is required", "messages");
  return url;
}
