import type {
  RepeatFigure,
  StudyCellReport,
  StudyConditionReport,
  StudyLevelReport,
  StudyReport,
  StudySuiteReport,
} from "@tokenstorm/core";
import { printable, truncate, wrap } from "./columns.js";
import { type Paint, paint } from "./paint.js";
import { renderComparison } from "./study-comparison-text.js";
import { type Column, type ColumnGroup, renderTables } from "./table.js";
import { formatNumber, formatPercent, formatShare, formatUs, plural } from "./units.js";

const NARROWEST = 40;

interface Look {
  readonly width: number;
  readonly paint: Paint;
}

/** A study as people read it: what must be known first, then conditions, then suite by suite. No final newline. */
export function renderStudy(
  report: StudyReport,
  options: { readonly width: number; readonly colour: boolean },
): string {
  const look = { width: Math.max(NARROWEST, options.width), paint: paint(options.colour) };
  const hasRuns = ({ cells }: StudySuiteReport) => cells.some(({ runs }) => runs.length > 0);
  const begun = report.suites.filter(hasRuns);
  const notBegun = report.suites.filter((suite) => !hasRuns(suite));
  const lines = [
    ...head(report, look),
    "",
    ...conditionTable(report.conditions, look),
    ...begun.flatMap((suite) => ["", ...suiteLines(suite, look)]),
    ...(notBegun.length === 0
      ? []
      : ["", ...put(`No run yet of ${notBegun.map(({ name }) => name).join(", ")}.`, look, 0)]),
  ];
  return lines.map((line) => truncate(line, look.width)).join("\n");
}

function put(text: string, { width }: Look, indent = 2): string[] {
  return wrap(printable(text), { width, indent });
}

function head({ study, basis, inputs }: StudyReport, look: Look): string[] {
  const { name, mode, runsDone, runsAsked, startedAt } = study;
  const title = `Study ${name}, mode ${mode}: ${runsDone} of ${plural(runsAsked, "run")}, begun ${startedAt}`;
  return [
    ...put(title, look).map(look.paint.bold),
    ...[...study.notes, ...basis].flatMap((text) => put(`- ${text}`, look)),
    ...inputs.flatMap(({ file, sha256 }) =>
      put(`- rests on ${file}, SHA-256 ${sha256.slice(0, 16)}...`, look),
    ),
  ];
}

function conditionTable(conditions: readonly StudyConditionReport[], look: Look): string[] {
  const first: Column = { title: "condition", cells: conditions.map(({ name }) => printable(name)) };
  const fact = (
    title: string,
    of: (condition: StudyConditionReport) => string | number | undefined,
  ): ColumnGroup => ({
    title: "",
    columns: [{ title, cells: conditions.map((one) => printable(String(of(one) ?? "-"))) }],
  });
  const groups = [
    fact("model", ({ facts }) => facts.model),
    fact("params B", ({ facts }) => facts.paramsTotalB),
    fact("active B", ({ facts }) => facts.paramsActiveB),
    fact("precision", ({ facts }) => facts.precision),
    fact("KV", ({ facts }) => facts.kvDtype),
    fact("GPUs", ({ facts }) =>
      facts.gpus === undefined ? undefined : `${facts.gpus} ${facts.gpu ?? ""}`.trim(),
    ),
    fact("TP", ({ facts }) => facts.tensorParallel),
    fact("AITER", ({ facts }) => facts.aiter),
    fact("engine", ({ facts, simulated }) =>
      simulated === null
        ? [facts.engine, facts.engineVersion].filter((one) => one !== undefined).join(" ") || undefined
        : `simulator ${simulated.profile}`,
    ),
  ].filter(({ columns }) => columns.some(({ cells }) => cells.some((cell) => cell !== "-")));
  const confounders = conditions.flatMap(({ name, confounders: others }) =>
    others.map((other) => `- ${name}, confounder: ${other}`),
  );
  return [...renderTables(first, groups, look), ...confounders.flatMap((text) => put(text, look))];
}

function suiteLines(suite: StudySuiteReport, look: Look): string[] {
  const { name, phase, order, timeScale, notes } = suite;
  const scale = timeScale === 1 ? "" : `, ${timeScale} x faster than real`;
  return [
    look.paint.bold(truncate(printable(`${name} (${phase}, ${order}${scale})`), look.width)),
    ...notes.flatMap((text) => put(`- ${text}`, look)),
    ...suite.cells.flatMap((cell) => cellLines(cell, look)),
    ...suite.comparisons.flatMap((one) => ["", ...renderComparison(one, look)]),
  ];
}

function cellLines(cell: StudyCellReport, look: Look): string[] {
  const { condition, runs, asked } = cell;
  const title = `${condition}: ${runs.length} of ${plural(asked, "run")}`;
  if (runs.length === 0) return ["", ...put(title, look)];
  const bad = runs.filter(({ verdict }) => verdict !== "valid");
  return [
    "",
    ...put(title, look),
    ...levelTable(cell.levels, look),
    ...cell.sentences.flatMap((text) => put(`- ${text}`, look)),
    ...bad.flatMap(({ repeat, run, verdict, reasons }) =>
      put(`- repeat ${repeat} (run ${run}) is ${verdict}: ${reasons[0] ?? "no reason is given"}`, look),
    ),
  ];
}

type Cell = (level: StudyLevelReport) => string;

function levelTable(levels: readonly StudyLevelReport[], look: Look): string[] {
  const column = (title: string, of: Cell): Column => ({ title, cells: levels.map(of) });
  const first = column("level", ({ name }) => printable(name));
  const hasPublished = levels.some(({ published }) => published !== null);
  const groups: ColumnGroup[] = [
    {
      title: "in flight",
      columns: [
        column("asked", ({ users, rps }) => (users === null ? `${rps ?? "?"}/s` : String(users))),
        column("mean", ({ statistics }) => mean(statistics.measuredInFlight)),
        column("max", ({ repeats }) =>
          repeats.length === 0 ? "-" : String(Math.max(...repeats.map(({ maxInFlight }) => maxInFlight))),
        ),
      ],
    },
    {
      title: "prompt + output tok/s",
      columns: [
        column("mean", ({ statistics }) => mean(statistics.totalTokensPerS)),
        column("+-95%", ({ statistics }) => half(statistics.totalTokensPerS, formatNumber)),
        column("CoV", ({ statistics }) => variation(statistics.totalTokensPerS)),
        ...(hasPublished
          ? [
              column("publ.", ({ published }) => number(published?.totalTokensPerS ?? null)),
              column("diff", ({ published }) =>
                formatPercent(published?.differencePct.totalTokensPerS ?? null),
              ),
            ]
          : []),
      ],
    },
    {
      title: "E2E p99",
      columns: [
        column("mean", ({ statistics }) => time(statistics.e2eP99Us)),
        ...(hasPublished
          ? [
              column("publ.", ({ published }) =>
                published?.e2eP99Us == null ? "-" : formatUs(published.e2eP99Us),
              ),
              column("diff", ({ published }) => formatPercent(published?.differencePct.e2eP99Us ?? null)),
            ]
          : []),
      ],
    },
    ...(hasPublished
      ? [
          {
            title: "",
            columns: [
              column("row", ({ published }) => published?.mark ?? (published === null ? "-" : "published")),
            ],
          },
        ]
      : []),
    { title: "output", columns: [column("tok/s", ({ statistics }) => mean(statistics.outputTokensPerS))] },
    {
      title: "success",
      columns: [
        column("rate", ({ success }) => (success.rate === null ? "-" : formatShare(success.rate))),
        column(">=95%", ({ success }) => (success.lower95 === null ? "-" : formatShare(success.lower95))),
      ],
    },
    {
      title: "study's status",
      columns: [
        column("ours", ({ status }) => status.word ?? "?"),
        ...(levels.some(({ published }) => published?.status != null)
          ? [column("publ.", ({ published }) => published?.status ?? "-")]
          : []),
      ],
    },
    {
      title: "",
      optional: true,
      columns: [column("TTFT p50", ({ statistics }) => time(statistics.ttftP50Us))],
    },
    {
      title: "",
      optional: true,
      columns: [column("TPOT p50", ({ statistics }) => time(statistics.tpotP50Us))],
    },
  ];
  return renderTables(first, groups, look);
}

const number = (value: number | null): string => (value === null ? "-" : formatNumber(value));
const mean = (figure: RepeatFigure): string => number(figure.mean);
const time = (figure: RepeatFigure): string => (figure.mean === null ? "-" : formatUs(figure.mean));

/** Half of the interval; `-` where there is none. */
function half({ ci95 }: RepeatFigure, format: (value: number) => string): string {
  return ci95 === null ? "-" : format((ci95.high - ci95.low) / 2);
}

const variation = ({ cov }: RepeatFigure): string => (cov === null ? "-" : `${(cov * 100).toFixed(2)}%`);
