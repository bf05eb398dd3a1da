/** One sample of a metrics page. */
export interface PrometheusSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
/** Value, then perhaps a timestamp, then perhaps an exemplar (OpenMetrics). */
const REST = /^\s+(\S+)(?:\s+-?[0-9.eE+]+)?\s*(?:#.*)?$/;
const LABEL = /^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*/;

/**
 * Samples of the wanted metrics from Prometheus's text format (version 0.0.4, and OpenMetrics where it is the same):
 * https://prometheus.io/docs/instrumenting/exposition_formats/. Lines of other metrics are passed over unread. A wanted
 * line that is broken throws: half a page must not pass for a whole one.
 */
export function parsePrometheus(text: string, wanted: ReadonlySet<string>): PrometheusSample[] {
  const samples: PrometheusSample[] = [];
  const seen = new Set<string>();
  for (const [index, line] of text.split("\n").entries()) {
    const name = NAME.exec(line)?.[0];
    if (name === undefined || !wanted.has(name)) continue;
    const sample = parseSample(name, line.slice(name.length).trimEnd());
    if (sample === undefined) throw new Error(`line ${index + 1} is no sample: ${line.slice(0, 120)}`);
    const series = `${name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
    // Adding it up twice would be worse than not having it.
    if (seen.has(series)) throw new Error(`line ${index + 1} repeats a sample: ${line.slice(0, 120)}`);
    seen.add(series);
    samples.push(sample);
  }
  return samples;
}

function parseSample(name: string, afterName: string): PrometheusSample | undefined {
  const labelled = afterName.startsWith("{")
    ? parseLabels(afterName.slice(1))
    : { labels: {}, rest: afterName };
  const rest =
    labelled === undefined
      ? null
      : REST.exec(labelled.rest.startsWith(" ") ? labelled.rest : ` ${labelled.rest}`);
  const value = rest === null ? undefined : parseValue(rest[1] ?? "");
  return labelled === undefined || value === undefined ? undefined : { name, labels: labelled.labels, value };
}

function parseLabels(text: string): { labels: Record<string, string>; rest: string } | undefined {
  const labels: Record<string, string> = {};
  let rest = text.trimStart();
  while (!rest.startsWith("}")) {
    const label = LABEL.exec(rest);
    if (label === null) return undefined;
    labels[label[1] ?? ""] = (label[2] ?? "").replace(/\\(.)/g, (_, escaped: string) =>
      escaped === "n" ? "\n" : escaped,
    );
    rest = rest.slice(label[0].length);
    if (rest.startsWith(",")) rest = rest.slice(1).trimStart();
    else if (!rest.startsWith("}")) return undefined;
  }
  return { labels, rest: rest.slice(1) };
}

function parseValue(text: string): number | undefined {
  if (/^[+-]?inf$/i.test(text))
    return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}
