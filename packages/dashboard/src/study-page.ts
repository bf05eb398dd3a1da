import type {
  RepeatFigure,
  StudyCellReport,
  StudyComparison,
  StudyConditionReport,
  StudyLevelReport,
  StudyReport,
  StudySuiteReport,
} from "@tokenstorm/core";
import {
  formatCount,
  formatNumber,
  formatPercent,
  formatShare,
  formatUs,
  plural,
  type StudyData,
} from "@tokenstorm/report/page";
import { chart } from "./chart/figure.js";
import type { ChartSpec, Mark } from "./chart/spec.js";
import { type Child, h } from "./dom.js";
import { charts, list, pageFrame, type Section } from "./page-frame.js";
import { comparisonCharts, comparisonTables } from "./sections/study-comparison.js";
import { table } from "./table.js";
import { axisNumber, axisUs, orDash } from "./words.js";

/** A study: what must be known before any figure, its conditions, then suite by suite ours beside what was published. */
export function studyPage({ study: report, best }: StudyData): HTMLElement[] {
  const { study } = report;
  const begun = report.suites.filter(({ cells }) => cells.some(({ runs }) => runs.length > 0));
  const waiting = report.suites.filter((suite) => !begun.includes(suite)).map(({ name }) => name);
  return pageFrame({
    title: `Study ${study.name}`,
    line: h(
      "p",
      { class: "run-line" },
      `mode ${study.mode} · ${formatCount(study.runsDone)} of ${plural(study.runsAsked, "run")} · begun ${study.startedAt} · seed ${study.seed} · tokenstorm ${study.version}`,
    ),
    first: basisBox(report, waiting),
    sections: [
      { id: "conditions", title: "Conditions", content: [conditions(report.conditions, best)] },
      ...begun.map(suiteSection),
      { id: "inputs", title: "What it rests on", content: [inputs(report)] },
    ],
  });
}

function basisBox({ study, basis, suites }: StudyReport, waiting: readonly string[]): HTMLElement {
  const isWhole = study.runsDone >= study.runsAsked;
  const verdicts = suites.flatMap(({ cells }) =>
    cells.flatMap(({ runs }) => runs.map(({ verdict }) => verdict)),
  );
  const bad = verdicts.filter((verdict) => verdict === "invalid").length;
  const isDoubtful = !isWhole || verdicts.includes("degraded");
  const colour = bad > 0 ? "invalid" : isDoubtful ? "degraded" : "valid";
  const words = isWhole ? "Complete" : "Not complete";
  const title =
    bad > 0 ? `✕ ${words}, ${bad} of ${verdicts.length} runs invalid` : `${isDoubtful ? "!" : "✓"} ${words}`;
  return h(
    "section",
    { class: `verdict ${colour}`, id: "verdict", "aria-labelledby": "verdict-title" },
    h("h2", { id: "verdict-title" }, title),
    h(
      "div",
      {},
      list([...study.notes, ...basis], "reasons"),
      waiting.length === 0 ? null : h("p", {}, `No run yet of ${waiting.join(", ")}.`),
    ),
  );
}

function conditions(all: readonly StudyConditionReport[], best: StudyData["best"]): Child {
  const fact = (value: string | number | undefined): string =>
    value === undefined ? "not stated" : String(value);
  const rows: readonly (readonly [string, (one: StudyConditionReport) => string])[] = [
    ["model", ({ facts }) => fact(facts.model)],
    ["all parameters, 10^9", ({ facts }) => fact(facts.paramsTotalB)],
    ["active parameters, 10^9", ({ facts }) => fact(facts.paramsActiveB)],
    ["attention", ({ facts }) => fact(facts.attention)],
    ["precision", ({ facts }) => fact(facts.precision)],
    ["KV cache type", ({ facts }) => fact(facts.kvDtype)],
    ["KV offload, GiB", ({ facts }) => fact(facts.kvOffloadGiB)],
    ["block size, tokens", ({ facts }) => fact(facts.blockSize)],
    [
      "GPUs",
      ({ facts }) => (facts.gpus === undefined ? "not stated" : `${facts.gpus} ${facts.gpu ?? ""}`.trim()),
    ],
    ["tensor parallel", ({ facts }) => fact(facts.tensorParallel)],
    ["AITER", ({ facts }) => fact(facts.aiter)],
    [
      "engine",
      ({ facts }) =>
        fact([facts.engine, facts.engineVersion].filter((one) => one !== undefined).join(" ") || undefined),
    ],
    [
      "answered by",
      ({ simulated }) =>
        simulated === null ? "the deployment" : `the simulator, profile ${simulated.profile}`,
    ],
    [
      "most prompt + output tok/s",
      ({ name }) => orDash(best[name], (one) => `${formatNumber(one.totalTokensPerS)} (${one.level})`),
    ],
    [
      "of it output tok/s",
      ({ name }) => orDash(best[name], (one) => orDash(one.outputTokensPerS, formatNumber)),
    ],
    [
      "the same per GPU, prompt + output tok/s",
      ({ name }) => orDash(best[name], (one) => orDash(one.totalTokensPerSPerGpu, formatNumber)),
    ],
    ["targets", ({ targets }) => targets.join(", ")],
    ["confounders", ({ confounders }) => (confounders.length === 0 ? "none named" : confounders.join("; "))],
  ];
  return h("div", {}, [
    table({
      caption: "Conditions: what is known of each deployment",
      columns: ["fact", ...all.map(({ name }) => name)],
      rows: rows.map(([name, of]) => [name, ...all.map(of)]),
      isText: true,
    }),
  ]);
}

function suiteSection(suite: StudySuiteReport): Section {
  const { name, phase, order, timeScale, notes, cells, comparisons } = suite;
  const id = `suite-${idOf(name)}`;
  return {
    id,
    title: name,
    lead: `Phase ${phase}, order ${order}${timeScale === 1 ? "" : `, ${timeScale} x faster than real; all figures are in the server's own time`}.`,
    content: [
      list(notes),
      cells
        .filter(({ runs }) => runs.length > 0)
        .map((cell) => cellPart(cell, `${id}-${idOf(cell.condition)}`)),
      comparisons.map((comparison) => comparisonPart(comparison, id)),
    ],
  };
}

const idOf = (name: string) => name.replaceAll(/\W+/g, "-");

function cellPart(cell: StudyCellReport, id: string): Child {
  const bad = cell.runs.filter(({ verdict }) => verdict !== "valid");
  return h(
    "div",
    { class: "cell-part" },
    h("h3", {}, `${cell.condition}: ${formatCount(cell.runs.length)} of ${plural(cell.asked, "run")}`),
    levelTable(cell),
    list(cell.sentences),
    list(
      bad.map(
        ({ repeat, run, verdict, reasons }) =>
          `repeat ${repeat} (run ${run}) is ${verdict}: ${reasons[0] ?? "no reason is given"}`,
      ),
    ),
    cell.levels.length < 2 ? null : charts([chart(throughput(cell, id)), chart(latency(cell, id))]),
  );
}

const mean = ({ mean: value }: RepeatFigure, format: (value: number) => string): string =>
  orDash(value, format);
const half = ({ ci95 }: RepeatFigure, format: (value: number) => string): string =>
  orDash(ci95, ({ low, high }) => `± ${format((high - low) / 2)}`);

interface Column {
  readonly group: string;
  readonly title: string;
  readonly cell: (level: StudyLevelReport) => string;
}

function levelTable({ condition, levels }: StudyCellReport): Child {
  const hasPublished = levels.some(({ published }) => published !== null);
  const beside = (columns: readonly Column[]) => (hasPublished ? columns : []);
  const columns: Column[] = [
    {
      group: "in flight",
      title: "asked",
      cell: ({ users, rps }) => (users === null ? `${orDash(rps, formatNumber)}/s` : formatCount(users)),
    },
    {
      group: "in flight",
      title: "measured",
      cell: ({ statistics }) => mean(statistics.measuredInFlight, formatNumber),
    },
    {
      group: "prompt + output tok/s",
      title: "ours",
      cell: ({ statistics }) => mean(statistics.totalTokensPerS, formatNumber),
    },
    {
      group: "prompt + output tok/s",
      title: "95 %",
      cell: ({ statistics }) => half(statistics.totalTokensPerS, formatNumber),
    },
    {
      group: "prompt + output tok/s",
      title: "CoV",
      cell: ({ statistics }) => orDash(statistics.totalTokensPerS.cov, (cov) => `${(100 * cov).toFixed(2)}%`),
    },
    ...beside([
      {
        group: "prompt + output tok/s",
        title: "published",
        cell: ({ published }) => orDash(published?.totalTokensPerS, formatNumber),
      },
      {
        group: "prompt + output tok/s",
        title: "ours - publ.",
        cell: ({ published }) => formatPercent(published?.differencePct.totalTokensPerS ?? null),
      },
    ]),
    { group: "E2E p99", title: "ours", cell: ({ statistics }) => mean(statistics.e2eP99Us, formatUs) },
    ...beside([
      {
        group: "E2E p99",
        title: "published",
        cell: ({ published }) => orDash(published?.e2eP99Us, formatUs),
      },
      {
        group: "E2E p99",
        title: "ours - publ.",
        cell: ({ published }) => formatPercent(published?.differencePct.e2eP99Us ?? null),
      },
      {
        group: "",
        title: "row",
        cell: ({ published }) => (published === null ? "-" : (published.mark ?? "published")),
      },
    ]),
    {
      group: "output tok/s",
      title: "ours",
      cell: ({ statistics }) => mean(statistics.outputTokensPerS, formatNumber),
    },
    { group: "success", title: "share", cell: ({ success }) => orDash(success.rate, formatShare) },
    { group: "success", title: "at 95 % ≥", cell: ({ success }) => orDash(success.lower95, formatShare) },
    { group: "study's status", title: "ours", cell: ({ status }) => status.word ?? "?" },
    ...beside([
      { group: "study's status", title: "published", cell: ({ published }) => published?.status ?? "-" },
    ]),
    { group: "p50", title: "TTFT", cell: ({ statistics }) => mean(statistics.ttftP50Us, formatUs) },
    { group: "p50", title: "TPOT", cell: ({ statistics }) => mean(statistics.tpotP50Us, formatUs) },
  ];
  const groups: { title: string; span: number }[] = [{ title: "", span: 1 }];
  for (const { group } of columns) {
    const last = groups.at(-1);
    if (last !== undefined && groups.length > 1 && last.title === group) last.span += 1;
    else groups.push({ title: group, span: 1 });
  }
  return table({
    caption: `Levels of ${condition}, means of repeats`,
    groups,
    columns: ["level", ...columns.map(({ title }) => title)],
    rows: levels.map((level) => [level.name, ...columns.map(({ cell }) => cell(level))]),
  });
}

const bounds = ({ ci95 }: RepeatFigure) => (ci95 === null ? {} : { low: ci95.low, high: ci95.high });

/** Ours over measured in flight; what was published stands where its label says, which is a count of requests. */
function throughput({ condition, levels }: StudyCellReport, id: string): ChartSpec {
  const ours = levels.flatMap(({ name, statistics }): Mark[] => {
    const { measuredInFlight, totalTokensPerS } = statistics;
    if (measuredInFlight.mean === null || totalTokensPerS.mean === null) return [];
    return [{ x: measuredInFlight.mean, y: totalTokensPerS.mean, label: name, ...bounds(totalTokensPerS) }];
  });
  const published = levels.flatMap(({ users, published: row }): Mark[] =>
    row === null || users === null ? [] : [{ x: users, y: row.totalTokensPerS }],
  );
  return overInFlight({
    id: `${id}-tokens`,
    title: `${condition}: prompt + output tok/s over requests in flight`,
    unit: "tok/s",
    format: formatNumber,
    axis: axisNumber,
    scale: "linear",
    ours,
    published,
  });
}

function latency({ condition, levels }: StudyCellReport, id: string): ChartSpec {
  const ours = levels.flatMap(({ name, statistics }): Mark[] => {
    const { measuredInFlight, e2eP99Us } = statistics;
    if (measuredInFlight.mean === null || e2eP99Us.mean === null) return [];
    return [{ x: measuredInFlight.mean, y: e2eP99Us.mean, label: name, ...bounds(e2eP99Us) }];
  });
  const published = levels.flatMap(({ users, published: row }): Mark[] =>
    row?.e2eP99Us == null || users === null ? [] : [{ x: users, y: row.e2eP99Us }],
  );
  return overInFlight({
    id: `${id}-e2e`,
    title: `${condition}: E2E p99 over requests in flight`,
    unit: "E2E p99",
    format: formatUs,
    axis: axisUs,
    scale: "log",
    ours,
    published,
  });
}

function overInFlight(of: {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly format: (value: number) => string;
  readonly axis: (value: number) => string;
  readonly scale: "linear" | "log";
  readonly ours: readonly Mark[];
  readonly published: readonly Mark[];
}): ChartSpec {
  const { id, title, unit, format, axis, scale, published } = of;
  const ours = [...of.ours].sort((a, b) => a.x - b.x);
  const xs = [...ours, ...published].map(({ x }) => x).filter((x) => x > 0);
  const isWide = Math.max(...xs) / Math.min(...xs) > 20;
  const last = ours.at(-1);
  return {
    id,
    title,
    summary:
      last === undefined
        ? "Nothing was measured."
        : `${format(last.y)} with ${formatNumber(last.x)} in flight at the highest load measured.`,
    x: {
      label: `requests in flight, measured mean; published: the label${isWide ? " (log)" : ""}`,
      scale: isWide ? "log" : "linear",
      format: axisNumber,
    },
    y: { label: unit, scale, format: axis },
    series: [
      ...(published.length === 0
        ? []
        : [
            {
              name: "published, at the label of its level",
              tone: 3,
              kind: "hollow" as const,
              marks: published,
            },
          ]),
      {
        name: "ours over measured in flight, mean of repeats with its 95 % interval",
        tone: 0,
        kind: "points",
        marks: ours,
      },
    ],
    height: 230,
    table: {
      columns: ["in flight", unit, "95 % interval"],
      isShort: false,
      rows: () =>
        ours.map(({ x, y, low, high }) => [
          formatNumber(x),
          format(y),
          low === undefined || high === undefined ? "-" : `${format(low)} to ${format(high)}`,
        ]),
    },
  };
}

function comparisonPart(comparison: StudyComparison, suite: string): Child {
  const { a, b, differs } = comparison;
  return h(
    "div",
    { class: "cell-part" },
    h("h3", {}, `${b} against ${a}`),
    differs.length === 0
      ? h("p", { class: "note" }, "The stated facts of the two deployments are alike.")
      : table({
          caption: "Facts that are not alike",
          columns: ["fact", a, b],
          rows: differs.map((one) => [one.fact, one.a, one.b]),
          isText: true,
        }),
    charts(comparisonCharts(comparison, `${suite}-${idOf(a)}-${idOf(b)}`)),
    comparisonTables(comparison),
  );
}

function inputs({ inputs: files, study }: StudyReport): Child {
  return table({
    caption: "Files, pinned by hash",
    columns: ["file", "SHA-256"],
    rows: [...files.map(({ file, sha256 }) => [file, sha256]), ["the study with its plans", study.digest]],
    isText: true,
  });
}
