/** The same bytes in memory of their own. A Buffer's `slice` would only be another view of it. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
