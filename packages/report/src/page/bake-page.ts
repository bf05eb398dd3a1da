import { LoadError } from "@tokenstorm/core";
import type { ReportData } from "./report-data.js";

/** Stands in the template where the data belong. */
export const DATA_MARK = '"TOKENSTORM_REPORT_DATA"';
export const TITLE_MARK = "TOKENSTORM_REPORT_TITLE";

/** The page with a report's data in it: one file that opens without a network. Throws where the template is none. */
export function bakePage(template: string, data: ReportData): string {
  const parts = template.split(DATA_MARK);
  if (parts.length !== 2) {
    throw new LoadError("RESULTS_UNREADABLE", "the page's template has no one place for the data", {
      hint: "build it again: node scripts/build-page.mjs",
    });
  }
  const head = (parts[0] ?? "").split(TITLE_MARK).join(escapeText(titleOf(data)));
  return `${head}${scriptJson(data)}${parts[1] ?? ""}`;
}

export function titleOf({ report }: ReportData): string {
  const { name, id } = report.run;
  return `${report.verdict.status}: ${name === "" ? id : name} (${id})`;
}

/**
 * JSON that is safe between script tags: an HTML parser ends a script at the first `</script`, and begins another state at
 * `<!--`, whatever JSON string they stand in; U+2028 and U+2029 are harmless in JSON and escaped for older tools.
 */
function scriptJson(data: ReportData): string {
  return JSON.stringify(data)
    .replace(/</g, "\\u003c")
    .replace(/>/g, "\\u003e")
    .replace(/\u2028/g, "\\u2028")
    .replace(/\u2029/g, "\\u2029");
}

function escapeText(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
