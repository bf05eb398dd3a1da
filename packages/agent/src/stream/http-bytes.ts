/** What RFC 9110 and 9112 allow at each place of a message's head, as tables over bytes. */

const TOKEN = 1;
const TEXT = 2;
const QUOTED = 4;

const CLASSES = createClasses();

/** Part of a name: of a header, or of a chunk's extension. */
export function isToken(byte: number): boolean {
  return ((CLASSES[byte] ?? 0) & TOKEN) !== 0;
}

/** Part of a header's value: anything but control characters, and the tab. */
export function isText(byte: number): boolean {
  return ((CLASSES[byte] ?? 0) & TEXT) !== 0;
}

/** Stands for itself between quotes. */
export function isQuotedText(byte: number): boolean {
  return ((CLASSES[byte] ?? 0) & QUOTED) !== 0;
}

/** Value of a hexadecimal digit; -1 for any other byte. */
export function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function createClasses(): Uint8Array {
  const classes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const isControl = (byte < 0x20 && byte !== 0x09) || byte === 0x7f;
    const isName = /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte));
    const isQuoted = !isControl && byte !== 0x22 && byte !== 0x5c;
    classes[byte] = (isName ? TOKEN : 0) | (isControl ? 0 : TEXT) | (isQuoted ? QUOTED : 0);
  }
  return classes;
}

/** Whether bytes `from` to `to` are nothing but CR and LF, which some servers put behind a body. */
export function isLineEnds(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 13 && bytes[at] !== 10) return false;
  return true;
}
