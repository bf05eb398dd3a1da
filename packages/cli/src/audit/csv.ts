/** A delimited text as it stands: cells as they were written, quotes taken off. */
export interface DelimitedText {
  readonly delimiter: Delimiter;
  readonly records: readonly CsvRecord[];
}

export interface CsvRecord {
  /** Line of the file, from 1, on which it begins. */
  readonly line: number;
  readonly cells: readonly string[];
}

export const DELIMITERS = [",", ";", "\t"] as const;
export type Delimiter = (typeof DELIMITERS)[number];

/**
 * Comma, semicolon or tab separated values after RFC 4180: quoted cells may hold delimiters, line ends and doubled
 * quotes; lines end in LF or CRLF; a byte order mark and empty lines are passed over. The delimiter is the one that
 * stands most often outside quotes in the first line. Throws a SyntaxError that names the line.
 */
export function parseCsv(text: string): DelimitedText {
  const body = text.startsWith("\uFEFF") ? text.slice(1) : text;
  const delimiter = delimiterOf(body);
  const records = splitRecords(body, delimiter).filter(({ cells }) =>
    cells.some((cell) => cell.trim() !== ""),
  );
  return { delimiter, records };
}

function delimiterOf(text: string): Delimiter {
  const counts = new Map<string, number>();
  let isQuoted = false;
  let isBlank = true;
  for (const char of text) {
    if (char === "\n" && !isQuoted && !isBlank) break;
    if (char.trim() !== "") isBlank = false;
    if (char === '"') isQuoted = !isQuoted;
    else if (!isQuoted) counts.set(char, (counts.get(char) ?? 0) + 1);
  }
  return DELIMITERS.reduce<Delimiter>(
    (best, one) => ((counts.get(one) ?? 0) > (counts.get(best) ?? 0) ? one : best),
    ",",
  );
}

function splitRecords(text: string, delimiter: Delimiter): CsvRecord[] {
  const records: CsvRecord[] = [];
  let cells: string[] = [];
  let at = 0;
  let line = 1;
  let firstLine = 1;
  while (at <= text.length) {
    const cell = text[at] === '"' ? quotedCell(text, at, line) : plainCell(text, at, delimiter);
    cells.push(cell.value);
    line += cell.lines;
    at = cell.end;
    if (text[at] === delimiter) {
      at += 1;
      continue;
    }
    if (at < text.length && text[at] !== "\n" && text[at] !== "\r") {
      throw new SyntaxError(`line ${line}: text after the closing quote of a cell`);
    }
    records.push({ line: firstLine, cells });
    cells = [];
    at += text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1;
    line += 1;
    firstLine = line;
  }
  return records;
}

interface Cell {
  readonly value: string;
  /** Index of what follows it. */
  readonly end: number;
  /** Line ends inside it. */
  readonly lines: number;
}

function plainCell(text: string, start: number, delimiter: Delimiter): Cell {
  let end = start;
  while (end < text.length && text[end] !== delimiter && text[end] !== "\n" && text[end] !== "\r") end += 1;
  return { value: text.slice(start, end), end, lines: 0 };
}

function quotedCell(text: string, start: number, line: number): Cell {
  let value = "";
  let from = start + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) throw new SyntaxError(`line ${line}: a quoted cell that never ends`);
    value += text.slice(from, quote);
    if (text[quote + 1] !== '"') {
      return { value, end: quote + 1, lines: value.split("\n").length - 1 };
    }
    value += '"';
    from = quote + 2;
  }
}
