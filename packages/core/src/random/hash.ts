/**
 * MurmurHash3 x86 128, fed with 32-bit integers (each as its four bytes, lowest first), so that it needs no bytes
 * and no encoder. Not cryptographic: it keeps prompts apart and fingerprints a plan; nobody attacks it.
 * Algorithm: Austin Appleby, MurmurHash3 (public domain), https://github.com/aappleby/smhasher.
 */
export class Hash128 {
  #h1: number;
  #h2: number;
  #h3: number;
  #h4: number;
  // The block being filled: four words.
  #k1 = 0;
  #k2 = 0;
  #k3 = 0;
  #words = 0;

  constructor(seed = 0) {
    this.#h1 = this.#h2 = this.#h3 = this.#h4 = seed | 0;
  }

  /** Adds one 32-bit integer; of anything larger the low 32 bits. */
  addInt(word: number): this {
    const at = this.#words & 3;
    this.#words += 1;
    if (at === 0) this.#k1 = word | 0;
    else if (at === 1) this.#k2 = word | 0;
    else if (at === 2) this.#k3 = word | 0;
    else this.#addBlock(word | 0);
    return this;
  }

  /** Adds a non-negative safe integer, as two words. */
  addSafeInt(value: number): this {
    return this.addInt(value % TWO_32).addInt(Math.floor(value / TWO_32));
  }

  /** Adds a text with its length, so that neighbouring texts do not run together. One UTF-16 code unit a word. */
  addText(text: string): this {
    this.addInt(text.length);
    for (let i = 0; i < text.length; i += 1) this.addInt(text.charCodeAt(i));
    return this;
  }

  /** The four words of the hash of all that was added; more may be added afterwards. */
  words(): readonly [number, number, number, number] {
    const tail = this.#words & 3;
    let h1 = this.#h1;
    let h2 = this.#h2;
    let h3 = this.#h3;
    let h4 = this.#h4;
    if (tail > 2) h3 ^= mixedWord(this.#k3, C3, 17, C4);
    if (tail > 1) h2 ^= mixedWord(this.#k2, C2, 16, C3);
    if (tail > 0) h1 ^= mixedWord(this.#k1, C1, 15, C2);
    const bytes = this.#words * 4;
    h1 ^= bytes;
    h2 ^= bytes;
    h3 ^= bytes;
    h4 ^= bytes;
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = (h2 + h1) | 0;
    h3 = (h3 + h1) | 0;
    h4 = (h4 + h1) | 0;
    h1 = finalMix(h1);
    h2 = finalMix(h2);
    h3 = finalMix(h3);
    h4 = finalMix(h4);
    h1 = (h1 + h2 + h3 + h4) | 0;
    return [h1, (h2 + h1) | 0, (h3 + h1) | 0, (h4 + h1) | 0];
  }

  /** 32 hex digits. */
  hex(): string {
    return this.words()
      .map((word) => (word >>> 0).toString(16).padStart(8, "0"))
      .join("");
  }

  #addBlock(k4: number): void {
    let h1 = this.#h1;
    let h2 = this.#h2;
    let h3 = this.#h3;
    let h4 = this.#h4;
    h1 ^= mixedWord(this.#k1, C1, 15, C2);
    h1 = (Math.imul(rotated(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= mixedWord(this.#k2, C2, 16, C3);
    h2 = (Math.imul(rotated(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= mixedWord(this.#k3, C3, 17, C4);
    h3 = (Math.imul(rotated(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= mixedWord(k4, C4, 18, C1);
    h4 = (Math.imul(rotated(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
    this.#h1 = h1;
    this.#h2 = h2;
    this.#h3 = h3;
    this.#h4 = h4;
  }
}

const TWO_32 = 0x1_0000_0000;
const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

function rotated(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function mixedWord(word: number, before: number, by: number, after: number): number {
  return Math.imul(rotated(Math.imul(word, before), by), after);
}

function finalMix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
