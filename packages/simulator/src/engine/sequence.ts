import { hashText, mix32 } from "../random.js";
import { blockHash, ROOT_HASH } from "./block-hash.js";
import type { EngineImage } from "./encoder-cache.js";

/** One request as the engine sees it. */
export interface EngineRequest {
  /** The caller's own number, unique among the requests in the engine. */
  readonly id: number;
  readonly promptTokens: ArrayLike<number>;
  /** Images among the prompt's tokens, in their order: their encoder outputs must be there when the tokens are computed. */
  readonly images?: readonly EngineImage[] | undefined;
  readonly maxTokens: number;
  /** The end-of-sequence token is output number `stopAfter`; absent where the request ignores it. */
  readonly stopAfter?: number | undefined;
  /** Separates the prefix cache: only requests with the same salt share blocks. */
  readonly cacheSalt?: string | undefined;
  /** Decides which words come out. */
  readonly outputSeed?: number | undefined;
}

/** State of one request inside the engine; blocks and progress belong to the scheduler. */
export class Sequence {
  readonly request: EngineRequest;
  readonly outputs: number[] = [];
  readonly blocks: number[] = [];
  /** Tokens whose KV entries are in blocks. */
  computed = 0;
  /** Tokens that must be computed before the next one comes out: the prompt, after a preemption the outputs too. */
  prefillTarget: number;
  /** Tokens given to it in the step under way. */
  scheduled = 0;
  /** Images whose encoder outputs it holds. */
  heldImages: EngineImage[] = [];
  cachedTokens = 0;
  preemptions = 0;
  wasAdmitted = false;
  isDone = false;
  /** Where the last image of the prompt ends; 0 without one. */
  readonly #imagesEnd: number;
  readonly #hashes: number[] = [];
  readonly #rootHash: number;
  readonly #tokenAt: (index: number) => number;

  constructor(request: EngineRequest) {
    this.request = request;
    const lastImage = request.images?.at(-1);
    this.#imagesEnd = lastImage === undefined ? 0 : lastImage.start + lastImage.tokens;
    this.prefillTarget = request.promptTokens.length;
    this.#rootHash = request.cacheSalt === undefined ? ROOT_HASH : hashText(request.cacheSalt, ROOT_HASH);
    this.#tokenAt = (index) =>
      request.promptTokens[index] ?? this.outputs[index - request.promptTokens.length] ?? 0;
  }

  /** Tokens known so far: the prompt and every output. */
  get length(): number {
    return this.request.promptTokens.length + this.outputs.length;
  }

  /** Whether an image lies among the tokens that are still to be computed. */
  get needsImages(): boolean {
    return this.#imagesEnd > this.computed;
  }

  /** Hash of the full block number `index`; the caller sees to it that the block is full. */
  hashOfBlock(index: number, blockSize: number): number {
    for (let i = this.#hashes.length; i <= index; i++) {
      const parent = this.#hashes[i - 1] ?? this.#rootHash;
      this.#hashes.push(blockHash(parent, this.#tokenAt, i * blockSize, (i + 1) * blockSize));
    }
    return this.#hashes[index] ?? 0;
  }

  /** Which of `vocabularySize` words comes next; a pure function of the seed and the position. */
  nextWord(vocabularySize: number): number {
    const seed = this.request.outputSeed ?? this.request.id;
    return mix32(mix32(seed) ^ Math.imul(this.outputs.length + 1, 0x9e3779b1)) % vocabularySize;
  }
}
