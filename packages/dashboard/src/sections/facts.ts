import { type Condition, formatCount, type RunData } from "@tokenstorm/report/page";
import { h } from "../dom.js";
import { table } from "../table.js";
import { clock } from "../words.js";

const WORDS = { plain: "", good: "✓ ", warning: "! ", bad: "✕ " } as const;

/** Sentences of the text report under some of its labels. */
export function factList({ facts }: RunData, labels: readonly string[]): HTMLElement | null {
  const own = facts.filter(({ label }) => labels.includes(label));
  if (own.length === 0) return null;
  return h(
    "dl",
    { class: "facts" },
    own.map(({ label, text, tone }, i) => [
      h("dt", {}, own[i - 1]?.label === label ? h("span", { class: "again" }, label) : label),
      h("dd", { class: tone }, `${WORDS[tone]}${text}`),
    ]),
  );
}

/** Failures and drops by reason, a row for each level in which there were any. */
export function failureTable({ report }: RunData): HTMLElement {
  const named = (stage: (typeof report.stages)[number]) => [
    ...Object.entries(stage.failures).map(([reason, count]) => [`failed: ${reason}`, count] as const),
    ...Object.entries(stage.drops).map(([reason, count]) => [`dropped: ${reason}`, count] as const),
  ];
  const reasons = [
    ...new Set(report.stages.flatMap((stage) => named(stage).map(([reason]) => reason))),
  ].sort();
  const rows = report.stages.map((stage) => {
    const { offered, completed, failed, cancelled, dropped, unknown, censored, staleRetries } =
      stage.requests;
    const counts = new Map(named(stage));
    return [
      stage.name,
      ...[offered, completed, failed, cancelled, dropped, unknown, censored, staleRetries].map(formatCount),
      ...reasons.map((reason) => formatCount(counts.get(reason) ?? 0)),
    ];
  });
  if (rows.length === 0) return h("p", {}, "No level was reached.");
  return table({
    caption: "What became of the requests due in each measured window",
    columns: [
      ...["level", "offered", "completed", "failed", "cancelled", "dropped", "unknown", "cut unfinished"],
      "sent again on a fresh socket",
      ...reasons,
    ],
    rows,
  });
}

const SOURCES: Readonly<Record<Condition["source"], string>> = {
  plan: "the plan",
  agents: "the run",
  target: "the target",
  measured: "measured",
  nobody: "nobody",
};

export function conditionsTable({ conditions }: RunData): HTMLElement | null {
  if (conditions.length === 0) return null;
  const unsaid = conditions.filter(({ value }) => value === null).map(({ name }) => name);
  return h(
    "div",
    {},
    table({
      caption: "Conditions, and who says so",
      columns: ["condition", "value", "said by"],
      rows: conditions.map(({ name, value, source }) => [name, value ?? "not stated", SOURCES[source]]),
      isText: true,
    }),
    unsaid.length === 0
      ? null
      : h(
          "p",
          { class: "note" },
          `Not stated: ${unsaid.join(", ")}. A result in which one of them differs cannot be compared with this one.`,
        ),
  );
}

export function eventsTable({ events }: RunData): HTMLElement | null {
  if (events.length === 0) return null;
  const rows = events.map(({ atUs, text }) => [
    atUs === null ? "-" : atUs < 0 ? `-${clock(-atUs)}` : clock(atUs),
    text,
  ]);
  return h(
    "details",
    { class: "numbers" },
    h("summary", {}, `Events: ${formatCount(events.length)}`),
    table({ caption: "Events by run time", columns: ["run time", "what"], rows, isText: true }),
  );
}
