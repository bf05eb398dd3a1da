import {
  FIELDS,
  type Field,
  fieldNamed,
  isPercentile,
  type Recognised,
  recogniseColumn,
  type Unit,
  unitInName,
  unitsOf,
} from "./fields.js";

/** A column of the table and what it is read as. */
export interface MappedColumn {
  readonly field: Field;
  readonly header: string;
  readonly index: number;
  readonly unit?: Unit | undefined;
  /** Said on the command line; else its name said it. */
  readonly isAsked: boolean;
}

/** `field=column` or `field=column:unit`, as a person typed it. */
export interface ColumnChoice {
  readonly field: Field;
  readonly header: string;
  readonly unit: Unit | undefined;
}

export interface Mapping {
  readonly columns: readonly MappedColumn[];
  /** Headers of columns that nothing was read from. */
  readonly unused: readonly string[];
  /** What must be said before the table can be read. */
  readonly problems: readonly string[];
}

/** Reads `latency=e2e_ms,p99=Slow:s`. Throws an Error that says what is wrong with it. */
export function parseColumnChoices(text: string): ColumnChoice[] {
  // A column's own name may hold a comma: a choice begins where a field and its sign do.
  return text.split(/,(?=\s*[\w.]+=)/).map((part) => {
    const at = part.indexOf("=");
    const word = part.slice(0, Math.max(0, at));
    const field = fieldNamed(word);
    if (at < 1 || field === undefined) {
      throw new Error(
        `write field=column; the fields are latency (the mean), p1 to p99.99, ${FIELDS.join(", ")}.`,
      );
    }
    const target = part.slice(at + 1).trim();
    const colon = target.lastIndexOf(":");
    const suffix = unitsOf(field).find((unit) => colon > 0 && unit === target.slice(colon + 1).trim());
    const header = suffix === undefined ? target : target.slice(0, colon).trim();
    if (header === "") throw new Error(`${word} names no column.`);
    return { field, header, unit: suffix };
  });
}

/**
 * Finds each field's column: by what was asked, else by its name. A name that could mean two things, a latency without
 * a unit and a field with two columns are problems to be settled with --columns, never guessed.
 */
export function mapColumns(
  headers: readonly string[],
  choices: readonly ColumnChoice[],
  ignored: readonly string[] = [],
): Mapping {
  const problems = [...doubles(headers), ...chosenTwice(choices)];
  const columns: MappedColumn[] = [];
  for (const choice of choices) {
    const column = chosenColumn(headers, choice);
    if (typeof column === "string") problems.push(column);
    else columns.push(column);
  }
  for (const name of ignored) {
    if (!headers.some((header) => isSame(header, name)))
      problems.push(`--ignore ${name}: there is no such column`);
  }
  const free = headers
    .map((header, index) => ({ header, index, read: recogniseColumn(header) }))
    .filter(({ index }) => !columns.some((column) => column.index === index))
    .filter(({ header }) => !ignored.some((name) => isSame(header, name)));
  const asked = new Set(columns.map((column) => column.field));
  for (const { header, index, read } of free) {
    if (read.kind === "ambiguous" && !read.fields.some((field) => asked.has(asField(field)))) {
      problems.push(ambiguity(header, read));
    }
    if (read.kind !== "field" || asked.has(read.field)) continue;
    const other = columns.find((column) => column.field === read.field);
    if (other === undefined) columns.push({ ...read, header, index, isAsked: false });
    else
      problems.push(
        `"${other.header}" and "${header}" both look like ${read.field}: say --columns ${read.field}=NAME`,
      );
  }
  const used = new Set(columns.map((column) => column.index));
  const unused = headers.filter((_, index) => !used.has(index));
  return { columns, unused, problems };
}

const isSame = (header: string, name: string): boolean =>
  header.trim().toLowerCase() === name.trim().toLowerCase();

const asField = (word: string): Field => fieldNamed(word) ?? "mean";

function ambiguity(header: string, read: Extract<Recognised, { kind: "ambiguous" }>): string {
  const examples = read.fields.map((field) => `${field}=${header}`).join(" or ");
  return `"${header}": ${read.because} say --columns ${examples}, or --ignore "${header}"`;
}

function chosenColumn(headers: readonly string[], choice: ColumnChoice): MappedColumn | string {
  const index = headers.findIndex((header) => isSame(header, choice.header));
  const header = headers[index];
  if (header === undefined) {
    return `--columns ${choice.field}=${choice.header}: there is no such column; there are ${headers.join(", ")}`;
  }
  const inName = unitInName(header);
  const units = unitsOf(choice.field);
  const unit = choice.unit ?? (inName !== undefined && units.includes(inName) ? inName : undefined);
  if (units.length > 0 && unit === undefined && choice.field !== "success") {
    return `--columns ${choice.field}=${choice.header}: in ${units.join(", ")}? say ${choice.field}=${choice.header}:ms`;
  }
  return { field: choice.field, header, index, unit, isAsked: true };
}

function doubles(headers: readonly string[]): string[] {
  const seen = new Set<string>();
  return headers.flatMap((header) => {
    const name = header.trim().toLowerCase();
    const isDouble = name !== "" && seen.has(name);
    seen.add(name);
    return isDouble ? [`two columns are called "${header.trim()}"`] : [];
  });
}

function chosenTwice(choices: readonly ColumnChoice[]): string[] {
  const fields = choices.map((choice) => choice.field);
  return [...new Set(fields.filter((field, at) => fields.indexOf(field) !== at))].map(
    (field) => `--columns names ${field} twice`,
  );
}

/** The mapping in words: `p99 = "p99_latency_s" (s)`. */
export function mappingText(columns: readonly MappedColumn[]): string {
  const inOrder = [...columns].sort((a, b) => orderOf(a.field) - orderOf(b.field) || a.index - b.index);
  return inOrder
    .map(
      ({ field, header, unit }) => `${field} = "${header.trim()}"${unit === undefined ? "" : ` (${unit})`}`,
    )
    .join(", ");
}

function orderOf(field: Field): number {
  return isPercentile(field) ? FIELDS.length : FIELDS.indexOf(field);
}
