/** Murmur3's finaliser: spreads an integer over 32 bits, so that neighbours share nothing. */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** FNV-1a over UTF-16 code units, then mixed: the same text gives the same number everywhere. */
export function hashText(text: string, seed = 0): number {
  let h = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix32(h);
}

/** Hashes a list of integers in order. */
export function hashIntegers(values: ArrayLike<number>, seed = 0): number {
  let h = 0x811c9dc5 ^ seed;
  for (let i = 0; i < values.length; i++) h = Math.imul(h ^ (values[i] ?? 0), 0x01000193) ^ (h >>> 15);
  return mix32(h);
}

/** The n-th number of a seeded stream, in [0, 1): no state, so the order of questions does not matter. */
export function uniformAt(seed: number, n: number): number {
  return mix32(mix32(seed) ^ Math.imul(n + 1, 0x9e3779b1)) / 4294967296;
}

/** A standard normal draw from two uniforms in [0, 1) (Box and Muller 1958). */
export function standardNormal(draws: { u: number; v: number }): number {
  return Math.sqrt(-2 * Math.log(1 - draws.u)) * Math.cos(2 * Math.PI * draws.v);
}

/** A log-normal draw from two uniforms in [0, 1). */
export function logNormal(median: number, sigma: number, draws: { u: number; v: number }): number {
  return median * Math.exp(sigma * standardNormal(draws));
}
