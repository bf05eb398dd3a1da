import type { ReportData } from "@tokenstorm/report/page";
import { createPage } from "./app.js";

const PAGE_VERSION = 1;
const EMPTY = "This file holds no report: it is the empty template, or it was cut off.";

/** The data that were baked into this file. Written by `bakePage` from the same commit's types; the version is checked. */
function bakedData(): ReportData | string {
  const text = document.getElementById("report-data")?.textContent ?? "";
  try {
    const data: ReportData = JSON.parse(text);
    if (typeof data !== "object" || data === null) return EMPTY;
    if (data.version === PAGE_VERSION) return data;
    return `This page shows data of version ${PAGE_VERSION}; those in this file have version ${String(data.version)}.`;
  } catch {
    return EMPTY;
  }
}

const root = document.getElementById("report");
if (root !== null) {
  const data = bakedData();
  if (typeof data === "string") root.textContent = data;
  else createPage(root).show(data);
}
