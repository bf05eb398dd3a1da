import { FAMILIES, type Family, type FamilyName } from "./families.js";

export type Labels = Readonly<Record<string, string>>;

export interface SummaryValues {
  /** By quantile as it is written; not a number where nothing was measured. Empty for none. */
  readonly quantiles: Readonly<Record<string, number>>;
  readonly sum: number;
  readonly count: number;
}

/** A page in Prometheus's text format, version 0.0.4; https://prometheus.io/docs/instrumenting/exposition_formats/. */
export class MetricsPage {
  /** Lines of a family by their series: one that is written twice would spoil the whole page. */
  readonly #lines = new Map<FamilyName, Map<string, number>>();
  readonly #labelLength: number;

  constructor(options: { readonly labelLength: number }) {
    this.#labelLength = options.labelLength;
  }

  add(name: FamilyName, labels: Labels, value: number): void {
    this.#set(name, `${name}${this.#labelText(labels)}`, value);
  }

  addSummary(name: FamilyName, labels: Labels, { quantiles, sum, count }: SummaryValues): void {
    for (const [quantile, value] of Object.entries(quantiles)) this.add(name, { ...labels, quantile }, value);
    this.#set(name, `${name}_sum${this.#labelText(labels)}`, sum);
    this.#set(name, `${name}_count${this.#labelText(labels)}`, count);
  }

  text(): string {
    const parts: string[] = [];
    for (const [name, lines] of this.#inOrder()) {
      const { help, type }: Family = FAMILIES[name];
      parts.push(`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`);
      parts.push(`# TYPE ${name} ${type}`);
      for (const [series, value] of lines) parts.push(`${series} ${numberText(value)}`);
    }
    return parts.length === 0 ? "" : `${parts.join("\n")}\n`;
  }

  *#inOrder(): Generator<[FamilyName, ReadonlyMap<string, number>]> {
    const isName = (name: string): name is FamilyName => Object.hasOwn(FAMILIES, name);
    for (const name of Object.keys(FAMILIES).filter(isName)) {
      const lines = this.#lines.get(name);
      if (lines !== undefined) yield [name, lines];
    }
  }

  #set(name: FamilyName, series: string, value: number): void {
    const lines = this.#lines.get(name) ?? new Map<string, number>();
    lines.set(series, value);
    this.#lines.set(name, lines);
  }

  #labelText(labels: Labels): string {
    const pairs = Object.entries(labels).map(([key, value]) => `${key}="${this.#escaped(value)}"`);
    return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
  }

  #escaped(value: string): string {
    // By whole characters: half a pair is no UTF-8.
    const shortened = [...value].slice(0, this.#labelLength).join("");
    return shortened.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  }
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}
