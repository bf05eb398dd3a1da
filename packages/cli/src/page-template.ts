import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LoadError } from "@tokenstorm/core";

/** Put in place of these names by scripts/bundle.sh, in the single file alone; nothing defines them elsewhere. */
declare const TOKENSTORM_SINGLE_FILE_VERSION: string;
declare const TOKENSTORM_PAGE_TEMPLATE: string;

/** The report page without data. Throws RESULTS_UNREADABLE where it was not built: the compiler alone does not make it. */
export function pageTemplate(): string {
  // Named once: each mention would put the whole page into the file.
  if (typeof TOKENSTORM_SINGLE_FILE_VERSION === "string") return TOKENSTORM_PAGE_TEMPLATE;
  return templateAt(fileURLToPath(import.meta.resolve("@tokenstorm/dashboard/page.html")));
}

export function templateAt(file: string): string {
  if (existsSync(file)) return readFileSync(file, "utf8");
  throw new LoadError("RESULTS_UNREADABLE", `the report page is not built: ${file} is missing`, {
    hint: "node scripts/build-page.mjs",
  });
}
