import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bakePage, type RunData, runData } from "@tokenstorm/report";
import { type MadeUpOptions, madeUpRun } from "@tokenstorm/testkit";

/** What a name may be, and what a page must show as it is. */
export const HOSTILE = "ladder </script><script>window.hostile = 1</script><!-- <script> & \"'";

/** The runs that the page is looked at with: figures of none of them were measured. */
export const CASES: Readonly<Record<string, MadeUpOptions>> = {
  "one agent": { agents: 1, levels: [1, 10, 50], levelMs: 12_000, seed: 1, name: "one agent" },
  "eight agents in trouble": {
    ...{ agents: 8, levels: [1, 60, 150, 300], levelMs: 15_000, seed: 2 },
    ...{ hasTrouble: true, isTakenOver: true, name: HOSTILE },
    model: "made/up</script>&<b>",
  },
  "two hundred agents": {
    ...{ agents: 200, levels: [200, 400], levelMs: 9000, seed: 3 },
    name: "two hundred agents",
  },
  // The largest that is promised: at ten seconds an interval it has more of them than a line has points.
  "two hundred agents for two hours": {
    ...{ agents: 200, levels: [200, 400], levelMs: 3_597_000, seed: 5, intervalMs: 10_000, thinkMs: 60_000 },
    name: "two hundred agents for two hours",
  },
  "two hours": { agents: 4, levels: [4, 8], levelMs: 3_597_000, seed: 4, name: "two hours" },
};

export const template = (): string =>
  readFileSync(fileURLToPath(import.meta.resolve("@tokenstorm/dashboard/page.html")), "utf8");

export async function madeUpPage(
  options: MadeUpOptions,
): Promise<{ readonly html: string; readonly data: RunData }> {
  const data = await runData(madeUpRun(options));
  return { html: bakePage(template(), data), data };
}
