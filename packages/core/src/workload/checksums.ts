/** CRC-32 (ISO 3309, as PNG and gzip use it) of bytes `from` to `to`. */
export function crc32(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = -1;
  for (let i = from; i < to; i += 1) crc = (TABLE[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** Largest prime below 2^16. */
const ADLER_MODULUS = 65_521;
/** So many bytes can be added before a sum of 32 bits could run over (RFC 1950, section 9). */
const ADLER_RUN = 5552;

/** Adler-32 (RFC 1950). */
export function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let from = 0; from < bytes.length; from += ADLER_RUN) {
    const to = Math.min(bytes.length, from + ADLER_RUN);
    for (let i = from; i < to; i += 1) {
      low += bytes[i] ?? 0;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return high * 65_536 + low;
}

/**
 * Adler-32 of two parts, one behind the other, from those of the parts: the second's sums began at 1 instead of at the
 * first's low sum, which its high sum counted once for each of its bytes.
 */
export function combinedAdler32(first: number, second: number, secondBytes: number): number {
  const more = (first % 65_536) - 1;
  const low = (second % 65_536) + more;
  const high =
    Math.floor(first / 65_536) + Math.floor(second / 65_536) + (secondBytes % ADLER_MODULUS) * more;
  // The first's low sum is 0 where it stands for the modulus.
  return modulo(high) * 65_536 + modulo(low);
}

function modulo(value: number): number {
  return ((value % ADLER_MODULUS) + ADLER_MODULUS) % ADLER_MODULUS;
}
