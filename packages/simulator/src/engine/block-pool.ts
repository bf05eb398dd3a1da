import { assert } from "@tokenstorm/core";

const NO_HASH = -1;

/**
 * The KV blocks of one engine: reference counts, the free list in order of last use, and the prefix
 * cache. A free block keeps its content until it is handed out again, as in vLLM's BlockPool.
 */
export class BlockPool {
  readonly size: number;
  #free: number;
  /** Doubly linked free list; the entry `size` is head and tail. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #references: Int32Array;
  readonly #hashes: Float64Array;
  readonly #blockByHash = new BlockIndex();

  constructor(size: number) {
    this.size = size;
    this.#free = size;
    this.#next = new Int32Array(size + 1);
    this.#previous = new Int32Array(size + 1);
    for (let i = 0; i <= size; i++) {
      this.#next[i] = i === size ? 0 : i + 1;
      this.#previous[i] = i === 0 ? size : i - 1;
    }
    this.#references = new Int32Array(size);
    this.#hashes = new Float64Array(size).fill(NO_HASH);
  }

  get freeBlocks(): number {
    return this.#free;
  }

  get cachedBlocks(): number {
    return this.#blockByHash.size;
  }

  /** The block that holds this content, whether in use or free; undefined when nobody computed it. */
  lookup(hash: number): number | undefined {
    return this.#blockByHash.get(hash);
  }

  isFree(block: number): boolean {
    return this.#references[block] === 0;
  }

  /** Takes one more reference to a cached block, out of the free list if it lay there. */
  share(block: number): void {
    if (this.isFree(block)) this.#unlink(block);
    this.#references[block] = (this.#references[block] ?? 0) + 1;
  }

  /** Hands out the free block that was used longest ago; its old content is forgotten. */
  take(): number {
    assert(this.#free > 0, "a KV block was taken from an empty pool");
    const block = this.#next[this.size] ?? 0;
    this.#unlink(block);
    const hash = this.#hashes[block] ?? NO_HASH;
    if (hash !== NO_HASH) {
      if (this.#blockByHash.get(hash) === block) this.#blockByHash.delete(hash);
      this.#hashes[block] = NO_HASH;
    }
    this.#references[block] = 1;
    return block;
  }

  /** Names a full block's content. Of two blocks with one content the first is the one that is found. */
  register(block: number, hash: number): void {
    if (this.#hashes[block] !== NO_HASH) return;
    this.#hashes[block] = hash;
    if (!this.#blockByHash.has(hash)) this.#blockByHash.set(hash, block);
  }

  /** Gives a request's blocks back, the last first, so that the end of a prefix is evicted before its start. */
  release(blocks: readonly number[]): void {
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i] ?? 0;
      const left = (this.#references[block] ?? 0) - 1;
      assert(left >= 0, `KV block ${block} was released twice`);
      this.#references[block] = left;
      if (left === 0) this.#append(block);
    }
  }

  #unlink(block: number): void {
    const before = this.#previous[block] ?? 0;
    const after = this.#next[block] ?? 0;
    this.#next[before] = after;
    this.#previous[after] = before;
    this.#free--;
  }

  #append(block: number): void {
    const last = this.#previous[this.size] ?? 0;
    this.#next[last] = block;
    this.#previous[block] = last;
    this.#next[block] = this.size;
    this.#previous[this.size] = block;
    this.#free++;
  }
}

/** A power of two. */
const PARTS = 256;

/**
 * Block by content, in many maps: a single one stops for a tenth of a second to rehash itself when some hundred thousand
 * blocks are cached, and a GPU's scheduler would not.
 */
class BlockIndex {
  readonly #parts = Array.from({ length: PARTS }, () => new Map<number, number>());
  size = 0;

  get(hash: number): number | undefined {
    return this.#part(hash).get(hash);
  }

  has(hash: number): boolean {
    return this.#part(hash).has(hash);
  }

  set(hash: number, block: number): void {
    const part = this.#part(hash);
    this.size += part.has(hash) ? 0 : 1;
    part.set(hash, block);
  }

  delete(hash: number): void {
    if (this.#part(hash).delete(hash)) this.size -= 1;
  }

  #part(hash: number): Map<number, number> {
    const part = this.#parts[(hash | 0) & (PARTS - 1)];
    assert(part !== undefined, `no part for the hash ${hash}`);
    return part;
  }
}
