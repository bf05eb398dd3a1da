import type { ReportData, RunData } from "@tokenstorm/report/page";
import { fitFigures } from "./chart/figure.js";
import { type Child, h } from "./dom.js";
import { agentStrips, agentsTable } from "./sections/agents.js";
import { definitions } from "./sections/definitions.js";
import { conditionsTable, eventsTable, factList, failureTable } from "./sections/facts.js";
import { heatMaps } from "./sections/heat-maps.js";
import { levelCharts } from "./sections/level-charts.js";
import { levelTable } from "./sections/levels.js";
import { percentileCharts } from "./sections/percentile-charts.js";
import { pointText, timeCharts, vitalsCharts } from "./sections/time-charts.js";
import { runLine, verdict } from "./sections/verdict.js";
import { themeToggle } from "./theme.js";

/** The page in an element. `show` draws it anew from other data, as a live page does each second. */
export interface Page {
  show(data: ReportData): void;
}

export function createPage(root: HTMLElement): Page {
  let timer = 0;
  const refit = () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => fitFigures(), 60);
  };
  window.addEventListener("resize", refit);
  drawForPaper();
  return {
    show(data) {
      const open = openDetails(root);
      root.replaceChildren(...runPage(data));
      for (const details of root.querySelectorAll("details")) {
        if (open.has(details.querySelector("summary")?.textContent ?? "")) details.open = true;
      }
      fitFigures();
    },
  };
}

/** What a reader had opened stays open when new data come. */
function openDetails(root: HTMLElement): Set<string> {
  const found = [...root.querySelectorAll("details[open] > summary")];
  return new Set(found.map((summary) => summary.textContent ?? ""));
}

/** On paper charts have its width, and short tables are open; afterwards all is as it was. */
function drawForPaper(): void {
  let opened: HTMLDetailsElement[] = [];
  const before = () => {
    if (opened.length === 0) {
      opened = [...document.querySelectorAll<HTMLDetailsElement>("details.short:not([open])")];
      for (const details of opened) details.open = true;
    }
    fitFigures(true);
  };
  const after = () => {
    for (const details of opened) details.open = false;
    opened = [];
    fitFigures();
  };
  window.addEventListener("beforeprint", before);
  window.addEventListener("afterprint", after);
  window.matchMedia("print").addEventListener("change", ({ matches }) => (matches ? before() : after()));
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly lead?: string | undefined;
  readonly content: readonly Child[];
}

function runPage(data: RunData): HTMLElement[] {
  const sections = sectionsOf(data).filter(({ content }) =>
    content.some(
      (child) => child !== null && child !== undefined && !(Array.isArray(child) && child.length === 0),
    ),
  );
  const { name, id } = data.report.run;
  return [
    h("a", { class: "skip", href: "#main" }, "Skip to the report"),
    h(
      "header",
      {},
      h("div", { class: "title" }, h("h1", {}, name === "" ? id : name), themeToggle()),
      runLine(data),
      h(
        "nav",
        { "aria-label": "Sections" },
        h(
          "ul",
          {},
          sections.map(({ id: of, title }) => h("li", {}, h("a", { href: `#${of}` }, title))),
        ),
      ),
    ),
    h("main", { id: "main" }, verdict(data), sections.map(sectionOf)),
    h(
      "footer",
      {},
      h("p", {}, "Made by tokenstorm from the run directory. All data stand in this file; it loads nothing."),
    ),
  ];
}

function sectionOf({ id, title, lead, content }: Section): HTMLElement {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-heading` },
    h("h2", { id: `${id}-heading` }, title),
    lead === undefined ? null : h("p", { class: "lead" }, lead),
    content,
  );
}

function sectionsOf(data: RunData): Section[] {
  const points = data.series === null ? undefined : pointText(data.series);
  const charts = (made: readonly HTMLElement[]): Child =>
    made.length === 0 ? null : h("div", { class: "charts" }, made);
  const [throughput, ...others] = levelCharts(data);
  return [
    {
      id: "levels",
      title: "Levels",
      content: [levelTable(data.report.stages)],
    },
    {
      id: "load",
      title: "Throughput and latency over load",
      lead: "Over what was measured in flight, not over what was asked for.",
      content: throughput === undefined ? [] : [charts([throughput, ...others])],
    },
    {
      id: "percentiles",
      title: "Latency by percentile",
      content: [charts(percentileCharts(data))],
    },
    { id: "time", title: "Over time", lead: points, content: [charts(timeCharts(data))] },
    { id: "heat", title: "All values over time", lead: points, content: [charts(heatMaps(data))] },
    {
      id: "requests",
      title: "Requests and failures",
      content: [
        failureTable(data),
        factList(data, ["requests", "failures", "dropped", "failed", "answers", "tokens"]),
      ],
    },
    {
      id: "trust",
      title: "Stimulus, completeness, server truth",
      content: [factList(data, ["stimulus", "complete", "server", "stamps"])],
    },
    { id: "conditions", title: "Conditions", content: [conditionsTable(data)] },
    {
      id: "thresholds",
      title: "Thresholds, proof, outliers",
      content: [factList(data, ["thresholds", "proof", "outliers"])],
    },
    {
      id: "agents",
      title: "Agents and their vitals",
      lead: points,
      content: [
        factList(data, ["agents"]),
        charts([...agentStrips(data), ...vitalsCharts(data)]),
        agentsTable(data),
        eventsTable(data),
      ],
    },
    { id: "definitions", title: "Definitions", content: [definitions()] },
  ];
}
