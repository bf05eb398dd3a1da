import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LoadError } from "@tokenstorm/core";
import { bakePage, type ReportData } from "@tokenstorm/report";
import { pageTemplate } from "../page-template.js";
import { reasonOf } from "../plan-file.js";
import type { Terminal } from "../terminal.js";

/**
 * Writes a report as one HTML file: to `to`, else to stdout where it leads to a file or pipe, else beside the run's lines
 * (or in this folder, where they lie elsewhere). Throws RESULTS_UNREADABLE where it cannot be written.
 */
export async function writePage(
  data: ReportData,
  { to, directory }: { readonly to: string | undefined; readonly directory: string | undefined },
  terminal: Terminal,
): Promise<void> {
  const page = bakePage(pageTemplate(), data);
  if (to === "-" || (to === undefined && !terminal.stdout.isTty)) return terminal.print(page);
  const file = to ?? join(directory ?? ".", "report.html");
  try {
    await writeFile(file, page);
  } catch (cause) {
    throw new LoadError("RESULTS_UNREADABLE", `${file} cannot be written: ${reasonOf(cause)}`, { cause });
  }
  terminal.say(
    `${file}: ${(Buffer.byteLength(page) / 1000).toFixed(0)} KB, opens in a browser without a network`,
  );
}
