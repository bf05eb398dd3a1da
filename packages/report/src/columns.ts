const ESCAPE = String.fromCharCode(27);
const STYLE = new RegExp(`${ESCAPE}\\[[0-9;]*m`, "g");
const STYLE_AT_START = new RegExp(`^${ESCAPE}\\[[0-9;]*m`);
const ZERO_WIDTH = /\p{Mn}|\p{Me}|\p{Cf}/u;
const CONTROL = /\p{Cc}/gu;

/** Ranges of characters that take two columns: Unicode's East Asian Wide and Fullwidth, and emoji. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
];

function charWidth(char: string): number {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (ZERO_WIDTH.test(char)) return 0;
  return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
}

/** Columns that a text takes on a terminal; colour takes none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text.replace(STYLE, "")) width += charWidth(char);
  return width;
}

/**
 * Text that came from elsewhere (names, hosts, messages), safe to print: a control character in it could move the
 * cursor or recolour the terminal.
 */
export function printable(text: string): string {
  return text.replace(/\s+/g, " ").replace(CONTROL, "?");
}

/** Cuts a text, coloured or not, to so many columns; `…` shows that something is missing. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 0) return "";
  let kept = "";
  let used = 0;
  let styled = false;
  for (let rest = text; rest.length > 0; ) {
    const style = STYLE_AT_START.exec(rest)?.[0];
    const char = style ?? String.fromCodePoint(rest.codePointAt(0) ?? 0);
    rest = rest.slice(char.length);
    if (style !== undefined) {
      styled = true;
      kept += style;
      continue;
    }
    if (used + charWidth(char) > width - 1) break;
    kept += char;
    used += charWidth(char);
  }
  return `${kept}…${styled ? `${ESCAPE}[0m` : ""}`;
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - displayWidth(text))) + text;
}

/**
 * Breaks a text without colour at its spaces into lines of at most `width` columns; the second and later ones are
 * indented. A word that is longer than a line is broken hard.
 */
export function wrap(text: string, options: { readonly width: number; readonly indent?: number }): string[] {
  const indent = Math.min(options.indent ?? 0, Math.max(0, options.width - 10));
  const lines: string[] = [];
  let line = "";
  for (let word of text.split(" ")) {
    const joined = line === "" ? word : `${line} ${word}`;
    if (displayWidth(joined) <= options.width) {
      line = joined;
      continue;
    }
    if (line.trim() !== "") lines.push(line);
    for (line = lines.length === 0 ? "" : " ".repeat(indent); ; ) {
      const [head, tail] = splitAt(word, options.width - displayWidth(line));
      line += head;
      if (tail === "") break;
      lines.push(line);
      line = " ".repeat(indent);
      word = tail;
    }
  }
  if (line.trim() !== "" || lines.length === 0) lines.push(line);
  return lines;
}

function splitAt(word: string, width: number): [string, string] {
  let used = 0;
  let at = 0;
  for (const char of word) {
    used += charWidth(char);
    if (used > width && at > 0) return [word.slice(0, at), word.slice(at)];
    at += char.length;
  }
  return [word, ""];
}
