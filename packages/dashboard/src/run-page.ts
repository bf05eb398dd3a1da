import type { RunData } from "@tokenstorm/report/page";
import { charts, pageFrame, type Section } from "./page-frame.js";
import { agentStrips, agentsTable } from "./sections/agents.js";
import { definitions } from "./sections/definitions.js";
import { conditionsTable, eventsTable, factList, failureTable } from "./sections/facts.js";
import { heatMaps } from "./sections/heat-maps.js";
import { levelCharts } from "./sections/level-charts.js";
import { levelTable } from "./sections/levels.js";
import { percentileCharts } from "./sections/percentile-charts.js";
import { pointText, timeCharts, vitalsCharts } from "./sections/time-charts.js";
import { runLine, verdict } from "./sections/verdict.js";

export function runPage(data: RunData): HTMLElement[] {
  const { name, id } = data.report.run;
  return pageFrame({
    title: name === "" ? id : name,
    line: runLine(data),
    first: verdict(data),
    sections: sectionsOf(data),
  });
}

function sectionsOf(data: RunData): Section[] {
  const points = data.series === null ? undefined : pointText(data.series);
  return [
    {
      id: "levels",
      title: "Levels",
      content: [levelTable(data.report.stages), factList(data, ["saturation"])],
    },
    {
      id: "load",
      title: "Throughput and latency over load",
      lead: "Over what was measured in flight, not over what was asked for.",
      content: [charts(levelCharts(data))],
    },
    { id: "percentiles", title: "Latency by percentile", content: [charts(percentileCharts(data))] },
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
      content: [factList(data, ["stimulus", "complete", "leading", "lost", "server", "stamps"])],
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
        factList(data, ["agents", "clocks"]),
        charts([...agentStrips(data), ...vitalsCharts(data)]),
        agentsTable(data),
        eventsTable(data),
      ],
    },
    { id: "definitions", title: "Definitions", content: [definitions()] },
  ];
}
