import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { studySaturation } from "@tokenstorm/core";
import { profiles } from "@tokenstorm/simulator";
import { runClosedLoop } from "./closed-loop.js";
import { type ComparedRow, runCompatible, shapeOf } from "./compatible.js";
import type { PublishedSeries } from "./data.js";
import { errorOf, errorText } from "./errors.js";

/** What this is evidence of, said wherever its results are shown. */
export const WHAT_IT_SHOWS =
  "This shows client, phases and arithmetic to be right on a server whose behaviour is known; it is no evidence about the hardware.";

/** How far a row may be off, %. DeepSeek's rest on output lengths that nobody published. */
export const LIMIT_PCT: Readonly<Record<PublishedSeries["model"], number>> = {
  "llama-3.1-405b": 8,
  "qwen3-vl-235b": 8,
  "kimi-k2.5": 8,
  "deepseek-v3.2": 12,
};

/** Runs a series and holds every row against the published one, and the client against one of no cost. */
export async function checkCompatible(
  t: TestContext,
  series: PublishedSeries,
): Promise<readonly ComparedRow[]> {
  const { run, rows } = await runCompatible(series, 1);
  assert.equal(run.report.verdict.status, "valid", run.report.verdict.reasons.join("; "));
  assert.equal(rows.length, series.levels.length);
  for (const [i, row] of rows.entries()) {
    const where = `${series.id} at ${row.level}`;
    for (const [figure, { ours, published, differencePct }] of [
      ["total tok/s", row.totalTokensPerS],
      ["p99", row.p99S],
    ] as const) {
      const text = `${where}: ${figure} ${ours.toFixed(2)}, published ${published}`;
      assert.ok(Math.abs(differencePct) <= LIMIT_PCT[series.model], text);
    }
    const { completed, offered } = run.report.stages[i]?.requests ?? { completed: 0, offered: 0 };
    assert.deepEqual([offered, completed], [row.requests, row.requests], `${where}: requests`);
    assert.equal(row.inFlight.max, series.levels[i]?.inferred_max_in_flight, `${where}: most in flight`);
    checkNotes(run.report.stages[i]?.notes ?? [], row, where);
    checkDefinitions(run.study.levels[i]?.values["total_tok_s"], row, where);
    const promptTokens = run.report.stages[i]?.tokens.promptMean ?? 0;
    const isAsInferred = Math.abs(promptTokens / series.workload.inferred_prompt_tokens - 1) < 0.003;
    assert.ok(isAsInferred, `${where}: ${promptTokens} prompt tokens, images and template included`);
    if (i > 0 && series.model !== "deepseek-v3.2") checkClient(series, { row, promptTokens, where });
  }
  t.diagnostic(`${series.id}: ${errorText(errorOf(rows))}. ${WHAT_IT_SHOWS}`);
  return rows;
}

/** Where the study's rule puts saturation: the last level before the first that is SATURATED. */
export function studyPointOf(rows: readonly ComparedRow[]): number | null {
  const { point } = studySaturation(
    rows.map(({ level, totalTokensPerS, p99S }) => ({
      asked: level,
      // `checkCompatible` has seen that every request completed.
      success: 1,
      totalTokensPerS: totalTokensPerS.ours,
      e2eP99Us: p99S.ours * 1e6,
    })),
  );
  return point.kind === "found" ? point.asked : null;
}

/** Where fewer were in flight than the label says, the report tells why. */
function checkNotes(notes: readonly string[], { level, requests }: ComparedRow, where: string): void {
  const isTold = notes.some((note) => note.includes(`no more than ${requests} could ever be in flight`));
  assert.equal(isTold, requests < level, `${where}: ${notes.join("; ")}`);
}

/** The report's rates and the study's own arithmetic are one figure, to rounding. */
function checkDefinitions(
  told: { readonly kind: string; readonly atLeast?: number; readonly atMost?: number } | undefined,
  { totalTokensPerS }: ComparedRow,
  where: string,
): void {
  assert.equal(told?.kind, "between", where);
  for (const bound of [told?.atLeast, told?.atMost]) {
    assert.ok(Math.abs((bound ?? 0) / totalTokensPerS.ours - 1) < 1e-6, `${where}: ${bound} by the study`);
  }
}

/** Once the prompt is cached, coordinator, agents and recorder measure what a client of no cost would: to a histogram's digits. */
function checkClient(
  series: PublishedSeries,
  of: { readonly row: ComparedRow; readonly promptTokens: number; readonly where: string },
): void {
  const { row, promptTokens, where } = of;
  const { decodeStepMs, prefillTokensPerS, blockSize } = profiles[series.model];
  const naive = runClosedLoop({
    decodeStepMs,
    prefillTokensPerS,
    isIdentical: true,
    isWarm: true,
    ...shapeOf(series, row.level),
    promptTokens,
    engine: { blockSize, kvBlocks: Math.floor(200_000 / blockSize) },
  });
  const rate = row.totalTokensPerS.ours / naive.totalTokensPerS - 1;
  assert.ok(Math.abs(rate) < 1e-4, `${where}: ${100 * rate} % off a client of no cost`);
  const p99 = row.p99S.ours / naive.p99S - 1;
  assert.ok(Math.abs(p99) < 2e-3, `${where}: p99 ${100 * p99} % off a client of no cost`);
}
