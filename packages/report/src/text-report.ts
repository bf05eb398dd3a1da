import type { RunReport, StageReport } from "@tokenstorm/core";
import { clockTexts } from "./clock-text.js";
import { printable, truncate, wrap } from "./columns.js";
import { endText } from "./end-text.js";
import {
  agentsTexts,
  completenessText,
  observedText,
  requestsText,
  serverText,
  serverTimesText,
  tokensText,
  troubleTexts,
} from "./facts-text.js";
import { briefFacts } from "./facts-words.js";
import { leadingText } from "./leading-text.js";
import { isMarked, renderLevels } from "./level-table.js";
import { lossTexts } from "./loss-text.js";
import { answerTexts, failureTimeTexts, outlierTexts, renderTargets } from "./member-text.js";
import { type Paint, paint } from "./paint.js";
import { proofTexts } from "./proof-text.js";
import { saturationText } from "./saturation-text.js";
import { stampsTexts } from "./stamps-text.js";
import { stimulusTexts } from "./stimulus-text.js";
import { formatUs, plural } from "./units.js";
import { renderWork } from "./work-table.js";

export interface TextOptions {
  /** Columns of the terminal; no line is longer. */
  readonly width: number;
  readonly colour: boolean;
  /** Where the run directory lies, as a person would find it. */
  readonly directory?: string | undefined;
  /** The command that shows this report again. */
  readonly again?: string | undefined;
}

const NARROWEST = 40;
/** Width of the words at the left edge below the table. */
const LABEL = 12;

/** The report as people read it: the verdict first, a row per level, then what it rests on. No final newline. */
export function renderText(report: RunReport, options: TextOptions): string {
  const width = Math.max(NARROWEST, options.width);
  const colours = paint(options.colour);
  const facts = new Facts(width, colours);
  const lines = [
    ...verdictLines(report, width, colours),
    "",
    ...runLines(report, width).map(colours.dim),
    "",
    ...renderLevels(report.stages, { width, paint: colours }),
    ...markLines(report.stages, width),
    ...renderTargets(report.stages, { width, paint: colours }),
    ...renderWork(report.stages, { width, paint: colours }),
    "",
  ];
  for (const text of stampsTexts(report.stages)) facts.add("stamps", text);
  for (const threshold of report.thresholds) facts.threshold(threshold);
  for (const text of stimulusTexts(report.stages)) facts.add("stimulus", text);
  facts.add("requests", requestsText(report));
  for (const [title, text] of troubleTexts(report.stages)) facts.add(title, text, colours.red);
  for (const text of failureTimeTexts(report.stages)) facts.add("failed", text);
  for (const text of answerTexts(report.stages)) facts.add("answers", text);
  const saturation = saturationText(report);
  if (saturation !== undefined) facts.add("saturation", saturation);
  facts.add("tokens", tokensText(report));
  facts.add("server", serverText(report));
  const times = serverTimesText(report);
  if (times !== undefined) facts.add("server", times);
  const complete = completenessText(report);
  facts.add("complete", complete.text, complete.isWhole ? undefined : colours.red);
  for (const agents of agentsTexts(report)) facts.add("agents", agents.text, colours[agents.colour]);
  for (const { text, colour } of clockTexts(report))
    facts.add("clocks", text, colour === "plain" ? undefined : colours[colour]);
  const leading = leadingText(report);
  if (leading !== undefined) facts.add("leading", leading, colours.yellow);
  for (const text of lossTexts(report)) facts.add("lost", text, colours.yellow);
  for (const text of outlierTexts(report.stages)) facts.add("outliers", text, colours.yellow);
  for (const { text, isSame } of report.proof === undefined ? [] : proofTexts(report.proof)) {
    facts.add("proof", text, isSame === false ? colours.yellow : undefined);
  }
  if (options.directory !== undefined) facts.add("results", printable(options.directory));
  if (options.again !== undefined) facts.add("again", options.again);
  return [...lines, ...facts.lines].map((line) => truncate(line, width)).join("\n");
}

/** Lines of the form `label   text`, wrapped under their text. */
class Facts {
  readonly lines: string[] = [];
  readonly #width: number;
  readonly #paint: Paint;
  #last = "";

  constructor(width: number, colours: Paint) {
    this.#width = width;
    this.#paint = colours;
  }

  add(label: string, text: string, colour: (text: string) => string = (same) => same): void {
    const shown = this.#last === label ? "" : label;
    this.#last = label;
    const head = this.#paint.dim(shown.padEnd(LABEL));
    const lines = wrap(text, { width: this.#width - LABEL });
    for (const [index, line] of lines.entries()) {
      this.lines.push((index === 0 ? head : " ".repeat(LABEL)) + colour(line));
    }
  }

  threshold(threshold: RunReport["thresholds"][number]): void {
    const colour = { passed: this.#paint.green, failed: this.#paint.red, inconclusive: this.#paint.yellow };
    const text = `${threshold.result}: ${printable(threshold.expression)} (${observedText(threshold)})`;
    this.add("thresholds", text, colour[threshold.result]);
  }
}

const LIMITS: Readonly<Record<NonNullable<RunReport["verdict"]["limitedBy"]>, string>> = {
  client: "The client was the limit: these numbers describe the load generator, not the server.",
  queue: "The server's queue was the limit: requests waited there before they ran.",
  kv: "The server's KV cache was the limit.",
  compute: "The server's compute was the limit.",
  nobody: "Nobody was the limit.",
};

/** Who was the limit; empty where a report of an older version, which has no sentence of its own, names nobody. */
export function limitText({ verdict: { limitedBy, limitSentence } }: RunReport): string {
  return limitSentence ?? (limitedBy === null ? "" : LIMITS[limitedBy]);
}

function verdictLines(report: RunReport, width: number, colours: Paint): string[] {
  const { status, thresholds, reasons } = report.verdict;
  const colour = { valid: colours.green, degraded: colours.yellow, invalid: colours.red }[status];
  const parts = [`${status.toUpperCase()}.`];
  const end = endText(report);
  if (end !== "") parts.push(end);
  parts.push(thresholds === "none" ? "No thresholds were set." : `Thresholds ${thresholds}.`);
  const sentence = limitText(report);
  const lines = wrap(parts.join(" "), { width }).map((line) => colours.bold(colour(line)));
  if (sentence !== "") lines.push(...wrap(printable(sentence), { width }).map(colour));
  for (const reason of reasons)
    lines.push(...wrap(`- ${printable(reason)}`, { width, indent: 2 }).map(colour));
  const { problem } = report.run;
  if (problem !== null && !reasons.some((reason) => reason.includes(problem.message))) {
    lines.push(...wrap(`- ${printable(problem.message)}`, { width, indent: 2 }).map(colour));
  }
  return lines;
}

function runLines(report: RunReport, width: number): string[] {
  const { run } = report;
  const when = run.startedAt === null ? "never started" : run.startedAt.replace(/\.\d+Z$/, "Z");
  const how =
    run.transport === "nats"
      ? `${plural(report.agents.length, "agent")} over NATS`
      : "one agent in the same process over memory, which is not the distributed path";
  const parts = [
    `run ${printable(run.id)}${run.name === "" || run.name === run.id ? "" : ` (${printable(run.name)})`}`,
    when,
    formatUs(run.durationMs * 1000),
    how,
    ...(run.model === null ? [] : [`model ${printable(run.model)}`]),
    `seed ${run.seed}, salt ${printable(run.salt)}`,
    `tokenstorm ${printable(run.version)}${run.reader === "" ? "" : `, ${printable(run.reader)} reader`}`,
  ];
  const stated = run.facts === undefined ? "" : printable(briefFacts(run.facts));
  return [parts.join(", "), stated].filter((text) => text !== "").flatMap((text) => wrap(text, { width }));
}

/** What the marks in the table mean, level by level. */
function markLines(stages: RunReport["stages"], width: number): string[] {
  const lines: string[] = [];
  for (const stage of stages.filter(isMarked)) {
    const text = `${printable(stage.name)}! ${marks(stage).map(printable).join("; ")}`;
    lines.push(...wrap(text, { width, indent: 2 }));
  }
  const isBounded = stages.some((stage) =>
    [stage.latencyUs.ttft, stage.latencyUs.itl, stage.latencyUs.e2e].some((one) => one.atLeast.length > 0),
  );
  if (isBounded) {
    lines.push(
      ...wrap(">= at least: requests that were cut unfinished could move it up", { width, indent: 3 }),
    );
  }
  return lines.length === 0 ? lines : ["", ...lines];
}

function marks(stage: StageReport): string[] {
  const says = (word: RegExp) => stage.notes.some((note) => word.test(note));
  return [
    ...(stage.tooShort && !says(/short/i) ? ["too short"] : []),
    ...(!stage.steady && !says(/steady/i) ? ["not steady"] : []),
    ...stage.notes,
  ];
}
