/** An image among the tokens of a prompt. */
export interface EngineImage {
  /** Of its content. */
  readonly hash: number;
  /** Place of its first token in the prompt. */
  readonly start: number;
  readonly tokens: number;
}

interface Entry {
  readonly tokens: number;
  /** Sequences that still have to read it. */
  readers: number;
}

/**
 * Outputs of the vision tower by image, bounded in tokens, as vLLM V1's EncoderCacheManager keeps them: who needs an image
 * holds it until its tokens are computed; an output that nobody holds stays until its room is wanted, the oldest first.
 */
export class EncoderCache {
  readonly #capacity: number;
  readonly #entries = new Map<number, Entry>();
  /** Hashes that nobody holds, in the order in which they were let go. */
  readonly #idle = new Set<number>();
  #heldTokens = 0;
  #idleTokens = 0;

  constructor(capacityTokens: number) {
    this.#capacity = capacityTokens;
  }

  has(hash: number): boolean {
    return this.#entries.has(hash);
  }

  isHeld(hash: number): boolean {
    return (this.#entries.get(hash)?.readers ?? 0) > 0;
  }

  /** Whether `tokens` more could be held, beside `reserved` that the same step has promised already. */
  hasRoom(tokens: number, reserved: number): boolean {
    return this.#heldTokens + reserved + tokens <= this.#capacity;
  }

  /** One more reader. The caller has asked for room where the image is not there. */
  hold({ hash, tokens }: EngineImage): void {
    const entry = this.#entries.get(hash) ?? this.#add(hash, tokens);
    if (entry.readers === 0 && this.#idle.delete(hash)) {
      this.#idleTokens -= entry.tokens;
      this.#heldTokens += entry.tokens;
    }
    entry.readers++;
  }

  letGo(hash: number): void {
    const entry = this.#entries.get(hash);
    if (entry === undefined) return;
    entry.readers--;
    if (entry.readers > 0) return;
    this.#idle.add(hash);
    this.#heldTokens -= entry.tokens;
    this.#idleTokens += entry.tokens;
  }

  #add(hash: number, tokens: number): Entry {
    for (const idle of this.#idle) {
      if (this.#heldTokens + this.#idleTokens + tokens <= this.#capacity) break;
      this.#idleTokens -= this.#entries.get(idle)?.tokens ?? 0;
      this.#entries.delete(idle);
      this.#idle.delete(idle);
    }
    const entry = { tokens, readers: 0 };
    this.#entries.set(hash, entry);
    this.#heldTokens += tokens;
    return entry;
  }
}
