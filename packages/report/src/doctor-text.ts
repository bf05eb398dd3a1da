import type {
  Contradiction,
  DeploymentDiagnosis,
  DoctorReport,
  HostCheck,
  RuleAnswer,
  UsedFact,
} from "@tokenstorm/core";
import { printable, truncate, wrap } from "./columns.js";
import { type Paint, paint } from "./paint.js";
import { formatCount, plural } from "./units.js";

export interface DoctorTextOptions {
  readonly width: number;
  readonly colour: boolean;
}

const NARROWEST = 40;
/** Width of the words at the left edge. */
const LABEL = 13;
/** Findings that the first line names; the rest follows below it anyway. */
const MOST_NAMED = 4;

/** What doctor found as people read it: one sentence, then each deployment, the host and the agents. */
export function renderDoctor(report: DoctorReport, options: DoctorTextOptions): string {
  const width = Math.max(NARROWEST, options.width);
  const colours = paint(options.colour);
  const hosts = [...new Set(report.host.map(({ where }) => where))];
  const lines = [
    ...outcome(report, width, colours),
    ...report.targetNotes.flatMap((note) => labelled("note", note, { width, colour: colours.yellow })),
    ...report.deployments.flatMap((one) => ["", ...deployment(one, width, colours)]),
    ...hosts.flatMap((where) => [
      "",
      colours.bold(printable(where)),
      ...hostLines(
        report.host.filter((check) => check.where === where),
        width,
        colours,
      ),
    ]),
  ];
  return lines.map((line) => truncate(line, width).trimEnd()).join("\n");
}

function outcome(report: DoctorReport, width: number, colours: Paint): string[] {
  const { errors, warnings, unknown } = report.counts;
  const open = unknown > 0 ? ` ${capital(formatCount(unknown))} cannot be told.` : "";
  const looked = lookedAt(report);
  const text =
    errors > 0
      ? `WRONG: ${plural(errors, "error")}: ${named(report, "error")}${warnings > 0 ? `; ${plural(warnings, "warning")}` : ""}.${open}`
      : warnings > 0
        ? `NOTHING WRONG in ${looked}, ${plural(warnings, "warning")}: ${named(report, "warning")}.${open}`
        : `NOTHING WRONG in ${looked}.${open}`;
  const colour = errors > 0 ? colours.red : warnings + unknown > 0 ? colours.yellow : colours.green;
  return wrap(text, { width }).map((line) => colours.bold(colour(line)));
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function lookedAt({ deployments, host }: DoctorReport): string {
  const rules = deployments.reduce(
    (sum, { answers }) =>
      sum + answers.filter(({ outcome }) => outcome === "holds" || outcome === "broken").length,
    0,
  );
  const parts = [
    ...(deployments.length === 0
      ? []
      : [`${plural(rules, "answer")} on ${plural(deployments.length, "deployment")}`]),
    ...(host.length === 0 ? [] : [`${plural(host.length, "check")} of hosts`]),
  ];
  return parts.length === 0 ? "nothing that was looked at" : parts.join(" and ");
}

/** The findings of one severity, by name and place. */
function named({ deployments, host }: DoctorReport, severity: "error" | "warning"): string {
  const several = deployments.length > 1;
  const found = [
    ...deployments.flatMap(({ name, answers, contradictions }) => [
      ...(severity === "error" ? contradictions.map(({ what }) => ({ what: `${what} differs`, name })) : []),
      ...answers
        .filter((one) => one.outcome === "broken" && one.severity === severity)
        .map(({ rule }) => ({ what: rule, name })),
    ]),
  ].map(({ what, name }) => (several ? `${what} (${name})` : what));
  const onHosts = host
    .filter((check) => check.outcome === severity)
    .map(({ id, where }) => `${id} (${where})`);
  const all = [...found, ...onHosts].map(printable);
  const more = all.length - MOST_NAMED;
  return more > 0 ? `${all.slice(0, MOST_NAMED).join(", ")} and ${formatCount(more)} more` : all.join(", ");
}

function deployment(one: DeploymentDiagnosis, width: number, colours: Paint): string[] {
  const { answers } = one;
  const of = (wanted: (answer: RuleAnswer) => boolean) => answers.filter(wanted);
  const broken = (severity: RuleAnswer["severity"]) =>
    of((answer) => answer.outcome === "broken" && answer.severity === severity);
  const fine = of(({ outcome }) => outcome === "holds");
  return [
    ...wrap(printable(one.model === null ? one.name : `${one.model} (${one.name})`), { width }).map(
      colours.bold,
    ),
    ...one.contradictions.flatMap((two) => contradictionLines(two, width, colours)),
    ...broken("error").flatMap((answer) =>
      answerLines("error", answer, { width, colours, colour: colours.red }),
    ),
    ...broken("warning").flatMap((answer) =>
      answerLines("warning", answer, { width, colours, colour: colours.yellow }),
    ),
    // What is only worth knowing need not be said where it is not known; JSON has it.
    ...of(({ outcome, severity }) => outcome === "unknown" && severity !== "info").flatMap((answer) =>
      unknownLines(answer, width, colours),
    ),
    ...broken("info").flatMap((answer) =>
      labelled("note", `${answer.rule}: ${answer.sentence}: ${answer.reason}`, {
        width,
        colour: colours.dim,
      }),
    ),
    ...one.notes.flatMap((note) => labelled("note", note, { width, colour: colours.dim })),
    ...of(({ outcome }) => outcome === "left-out").flatMap(({ rule, sentence }) =>
      labelled("left out", `${rule}: ${sentence}`, { width, colour: colours.dim }),
    ),
    ...(one.unknownFlags.length === 0
      ? []
      : labelled("not judged", `options that are not known here: ${one.unknownFlags.join(" ")}`, {
          width,
          colour: colours.yellow,
        })),
    ...(fine.length === 0
      ? []
      : labelled("fine", fine.map((answer) => `${answer.rule} (${kindsOf(answer)})`).join(", "), {
          width,
          colour: colours.green,
        })),
    ...labelled("facts", groupedFacts(one.facts), { width, colour: colours.dim }),
  ];
}

function contradictionLines(
  { what, stated, seen, from }: Contradiction,
  width: number,
  colours: Paint,
): string[] {
  const text = `you stated ${what} ${stated}, and the server shows ${seen} (${from}): it is not the server that you describe`;
  return labelled("error", text, { width, colour: colours.red });
}

function answerLines(
  label: string,
  answer: RuleAnswer,
  {
    width,
    colours,
    colour,
  }: { readonly width: number; readonly colours: Paint; readonly colour: (text: string) => string },
): string[] {
  const more = (word: string, text: string | null) =>
    text === null ? [] : labelled("", `${word}: ${text}`, { width, colour: colours.dim });
  return [
    ...labelled(label, `${answer.rule}: ${answer.sentence}.`, { width, colour }),
    ...more("known by", answer.facts.map(factText).join("; ")),
    ...more("why", answer.reason),
    ...more("symptom", answer.symptom),
    ...more("reach", answer.note),
    ...more("source", answer.source),
  ];
}

function unknownLines(answer: RuleAnswer, width: number, colours: Paint): string[] {
  const byCause = new Map<string, string[]>();
  for (const { name, kind, from } of answer.facts) {
    if (kind === "unknown") byCause.set(from, [...(byCause.get(from) ?? []), name]);
  }
  const causes = [...byCause].map(([from, names]) => `${names.join(", ")}: ${from}`);
  const because = [...(answer.note === null ? [] : [answer.note]), ...causes].join("; ");
  const text = `${answer.rule}: ${answer.sentence}${because === "" ? "" : ` (${because})`}`;
  return labelled("unknown", text, { width, colour: colours.yellow });
}

/** `stated`, `seen`, or both. */
function kindsOf({ facts }: RuleAnswer): string {
  const kinds = new Set(facts.map(({ kind }) => kind));
  return (["seen", "stated"] as const).filter((kind) => kinds.has(kind)).join(" and ") || "unknown";
}

function factText({ name, kind, value, from }: UsedFact): string {
  if (kind === "unknown") return `${name} unknown (${from})`;
  const what = value === null ? "not set" : value;
  return kind === "seen" ? `${name} ${what}, seen (${from})` : `${name} ${what}, stated by you (${from})`;
}

/** What comes from one place is told with it once. */
function groupedFacts(facts: readonly UsedFact[]): string {
  const groups = new Map<string, string[]>();
  for (const { name, kind, value, from } of facts) {
    const place = kind === "unknown" ? "unknown" : `${kind === "seen" ? "seen" : "stated by you"} (${from})`;
    const what = kind === "unknown" ? `${name} (${from})` : `${name} ${value ?? "not set"}`;
    groups.set(place, [...(groups.get(place) ?? []), what]);
  }
  return [...groups].map(([place, names]) => `${place}: ${names.join(", ")}`).join("; ");
}

function hostLines(checks: readonly HostCheck[], width: number, colours: Paint): string[] {
  const colourOf: Readonly<Record<HostCheck["outcome"], (text: string) => string>> = {
    error: colours.red,
    warning: colours.yellow,
    unknown: colours.yellow,
    fine: colours.green,
  };
  return checks.flatMap(({ id, outcome, sentence }) =>
    labelled(outcome, `${id}: ${sentence}`, { width, colour: colourOf[outcome] }),
  );
}

function labelled(
  label: string,
  text: string,
  { width, colour }: { readonly width: number; readonly colour: (text: string) => string },
): string[] {
  return wrap(printable(text), { width: width - LABEL }).map(
    (line, at) => (at === 0 ? colour(`  ${label}`.padEnd(LABEL)) : " ".repeat(LABEL)) + line,
  );
}
