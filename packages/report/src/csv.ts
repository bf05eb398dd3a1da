/** A cell: null is an empty field. */
export type CsvCell = string | number | boolean | null;

/**
 * One record of a CSV file (RFC 4180), without its line end, which is CR LF. Text that a spreadsheet would take for a formula gets an
 * apostrophe before it: names and notes come from elsewhere.
 */
export function csvRow(cells: readonly CsvCell[]): string {
  return cells.map(field).join(",");
}

function field(cell: CsvCell): string {
  if (cell === null) return "";
  if (typeof cell !== "string") return typeof cell === "number" && !Number.isFinite(cell) ? "" : String(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const CSV_LINE_END = "\r\n";
