/** Text of one scrape in the Prometheus format, as the Python client writes it. */
export class Exposition {
  #text = "";

  toString(): string {
    return this.#text;
  }

  family(name: string, kind: "counter" | "gauge" | "histogram", help: string): void {
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;
  }

  sample(name: string, labels: string, value: number): void {
    this.#text += `${name}{${labels}} ${formatValue(value)}\n`;
  }

  gauge(name: string, help: string, samples: readonly LabelledValue[]): void {
    this.family(name, "gauge", help);
    for (const { labels, value } of samples) this.sample(name, labels, value);
  }

  /** `name` without `_total`. */
  counter(name: string, help: string, samples: readonly LabelledValue[], createdS: number): void {
    this.family(`${name}_total`, "counter", help);
    for (const { labels, value } of samples) this.sample(`${name}_total`, labels, value);
    this.family(`${name}_created`, "gauge", help);
    for (const { labels } of samples) this.sample(`${name}_created`, labels, createdS);
  }

  histogram(
    name: string,
    help: string,
    samples: readonly { readonly labels: string; readonly histogram: BucketHistogram }[],
    createdS: number,
  ): void {
    this.family(name, "histogram", help);
    for (const { labels, histogram } of samples) this.#buckets(name, labels, histogram);
    this.family(`${name}_created`, "gauge", help);
    for (const { labels } of samples) this.sample(`${name}_created`, labels, createdS);
  }

  #buckets(name: string, labels: string, histogram: BucketHistogram): void {
    let cumulative = 0;
    histogram.bounds.forEach((bound, i) => {
      cumulative += histogram.counts[i] ?? 0;
      this.sample(`${name}_bucket`, withLabel(labels, "le", formatValue(bound)), cumulative);
    });
    this.sample(`${name}_bucket`, withLabel(labels, "le", "+Inf"), histogram.count);
    this.sample(`${name}_count`, labels, histogram.count);
    this.sample(`${name}_sum`, labels, histogram.sum);
  }
}

/** A counter or gauge may have several label sets. */
export interface LabelledValue {
  readonly labels: string;
  readonly value: number;
}

/** A histogram with fixed upper bounds, inclusive, as Prometheus has them. */
export class BucketHistogram {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  count = 0;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    this.count++;
    this.sum += value;
    for (let i = 0; i < this.bounds.length; i++) {
      if (value <= (this.bounds[i] ?? 0)) {
        this.counts[i] = (this.counts[i] ?? 0) + 1;
        return;
      }
    }
  }
}

/** Joins labels in the order of their names, as the Python client does. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels)
    .sort()
    .map((name) => `${name}="${(labels[name] ?? "").replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`)
    .join(",");
}

function withLabel(labels: string, name: string, value: string): string {
  return labels === "" ? `${name}="${value}"` : `${labels},${name}="${value}"`;
}

/** Python's `repr` of a float: whole numbers keep their point. */
function formatValue(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value);
}
