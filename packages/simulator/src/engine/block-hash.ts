const TWO_32 = 4294967296;

/** What stands before the first block of a chain without a salt. */
export const ROOT_HASH = 0x2545f491;

/**
 * Hash of one full KV block given its predecessor's, so that equal hashes mean equal prefixes.
 * 53 bits in a plain number: with a million blocks alive a collision has odds of about 1 : 20,000.
 */
export function blockHash(parent: number, tokenAt: (index: number) => number, start: number, end: number) {
  let low = parent | 0;
  let high = Math.floor(parent / TWO_32) ^ 0x9e3779b9;
  for (let i = start; i < end; i++) {
    const token = tokenAt(i);
    low = Math.imul(low ^ token, 0x85ebca6b) ^ (low >>> 13);
    high = Math.imul(high + token, 0xc2b2ae35) ^ (high >>> 15);
  }
  low = Math.imul(low ^ (low >>> 16), 0x7feb352d);
  high = Math.imul(high ^ (high >>> 16), 0x846ca68b);
  return ((high ^ (high >>> 15)) & 0x1fffff) * TWO_32 + ((low ^ (low >>> 15)) >>> 0);
}
