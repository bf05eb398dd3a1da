import type { ReportData } from "@tokenstorm/report/page";
import { fitFigures } from "./chart/figure.js";
import { comparisonPage } from "./comparison-page.js";
import { runPage } from "./run-page.js";
import { studyPage } from "./study-page.js";
import { makeTable } from "./table.js";

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
      root.replaceChildren(...pageOf(data));
      for (const details of root.querySelectorAll("details")) {
        if (open.has(details.querySelector("summary")?.textContent ?? "")) details.open = true;
      }
      fitFigures();
    },
  };
}

function pageOf(data: ReportData): HTMLElement[] {
  switch (data.kind) {
    case "run":
      return runPage(data);
    case "comparison":
      return comparisonPage(data);
    case "study":
      return studyPage(data);
  }
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
      for (const details of opened) {
        makeTable(details);
        details.open = true;
      }
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
