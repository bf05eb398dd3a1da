import type { JsonObject } from "./json-fields.js";

/** A shorter body is read again sooner than it is looked up; longer ones would take too much memory. */
const [LEAST_BYTES, MOST_BYTES] = [16 * 1024, 4 * 1024 * 1024];
const MOST_KEPT = 8;

interface Kept {
  readonly body: Buffer;
  readonly value: JsonObject;
}

/**
 * The last long bodies, with what was read out of them. Requests with identical prompts and images come hundreds at once, and
 * to read each anew would hold up the steps of all others for longer than a server with processes of its own for that.
 */
export class RecentBodies {
  #kept: readonly Kept[] = [];

  /** The same object for an equal body: nobody may change it. */
  read(body: Buffer, parse: (body: Buffer) => JsonObject): JsonObject {
    if (body.length < LEAST_BYTES || body.length > MOST_BYTES) return parse(body);
    const known = this.#kept.find((one) => one.body.equals(body));
    const kept = known ?? { body, value: parse(body) };
    this.#kept = [kept, ...this.#kept.filter((one) => one !== kept)].slice(0, MOST_KEPT);
    return kept.value;
  }
}
