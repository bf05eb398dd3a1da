/** Random numbers in [0, 1) from a seed (mulberry32), for property tests. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** An integer from 0 to `highest`, every order of magnitude as likely as the next. */
export function logUniform(random: () => number, highest: number): number {
  return Math.floor(Math.exp(random() * Math.log(highest + 1))) - 1;
}
