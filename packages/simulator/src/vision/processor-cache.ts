import type { EngineImage } from "../engine/encoder-cache.js";

/** vLLM's --mm-processor-cache-gb, 4 GiB by default. */
const CAPACITY_BYTES = 4 * 2 ** 30;
/** Of a prepared image: four patches of 3 x 2 x 16 x 16 values to a token, in BF16. An estimate for Kimi. */
const BYTES_PER_TOKEN = 4 * 1536 * 2;

/** Which images the front end has prepared already, least recently used first; vLLM counts its queries and hits. */
export class ProcessorCache {
  readonly #tokens = new Map<number, number>();
  #bytes = 0;

  /** Looks each image up and keeps it. Returns how many were there. */
  take(images: readonly EngineImage[]): number {
    let hits = 0;
    for (const { hash, tokens } of images) {
      if (this.#tokens.delete(hash)) hits++;
      else this.#bytes += tokens * BYTES_PER_TOKEN;
      this.#tokens.set(hash, tokens);
      this.#evict();
    }
    return hits;
  }

  #evict(): void {
    for (const [hash, tokens] of this.#tokens) {
      if (this.#bytes <= CAPACITY_BYTES) return;
      this.#tokens.delete(hash);
      this.#bytes -= tokens * BYTES_PER_TOKEN;
    }
  }
}
