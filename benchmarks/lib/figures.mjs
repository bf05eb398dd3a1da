// Medians, percentiles, the machine they were taken on, and the file of accepted figures.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";

const acceptedFile = new URL("../accepted.json", import.meta.url);

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Of a sorted array. */
export function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Median over rounds of one figure. */
export function medianOf(rows, figure) {
  return median(rows.map(figure));
}

export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release().split(".", 2).join("."),
    node: process.version,
    ...speed(),
  };
}

/**
 * What the machine was worth while it was measured, ns, the best of some tries: a virtual core may be half of itself for
 * hours, and then no figure but a ratio can be compared with another day's.
 */
function speed() {
  const chunk = JSON.stringify({
    id: "x".repeat(40),
    choices: [{ delta: { content: " token" }, finish_reason: null }],
  });
  return { jsonParseNs: bestNs(() => JSON.parse(chunk)), systemCallNs: bestNs(() => process.ppid) };
}

function bestNs(run) {
  const TURNS = 20_000;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    const startNs = process.hrtime.bigint();
    for (let turn = 0; turn < TURNS; turn++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - startNs) / TURNS);
  }
  return Math.round(best);
}

/** Processes that wanted to run, mean of a minute: with those of the benchmark itself. */
export function load() {
  return Number(loadavg()[0].toFixed(1));
}

/** Figures of one benchmark, under its name and that of the case, as they are to be kept in the repository. */
export function accept(benchmark, cases) {
  const all = JSON.parse(readFileSync(acceptedFile, "utf8"));
  const taken = { date: new Date().toISOString().slice(0, 10), machine: machine(), load: load() };
  const rounded = JSON.parse(
    JSON.stringify(cases, (_, value) => (typeof value === "number" ? round(value) : value)),
  );
  all[benchmark] ??= {};
  for (const [name, figures] of Object.entries(rounded)) all[benchmark][name] = { ...taken, ...figures };
  writeFileSync(acceptedFile, `${JSON.stringify(all, null, 2)}\n`);
}

/** Three digits that count, and no more than a figure has. */
function round(value) {
  return Number.isInteger(value) ? value : Number(value.toPrecision(3));
}
