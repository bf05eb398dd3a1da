import {
  type Aggregate,
  createAggregate,
  type RunRecord,
  resolveStages,
  type Snapshot,
} from "@tokenstorm/core";
import { lineToResult } from "@tokenstorm/protocol";
import type { World } from "./world.js";

export interface Kept {
  readonly snapshots: readonly Snapshot[];
  readonly aggregate: Aggregate;
  /** snapshots.ndjson. */
  readonly text: string;
  readonly report: string;
}

/** The run directory of whoever led last; undefined where no host has a report in it. */
export function keptResults(world: World, record: RunRecord): Kept | undefined {
  const folder = record.result?.directory ?? "";
  const files = [...world.processes.disks.values()].flatMap((disk) => {
    const found = disk.files(folder);
    return found?.has("report.json") === true ? [found] : [];
  });
  if (files.length === 0) return undefined;
  // Two hosts have one where a leader died between report and end: the last one's is of the record's term.
  const last = files.find((one) => termOf(one.get("run.json")) === record.term) ?? files.at(-1);
  const text = last?.get("snapshots.ndjson") ?? "";
  const aggregate = createAggregate({ stages: resolveStages(record.plan), shards: record.shards });
  const snapshots: Snapshot[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const result = lineToResult(line);
    if (result.kind === "final") aggregate.foldFinal(result.final);
    else if (aggregate.fold(result.snapshot) === "folded") snapshots.push(result.snapshot);
  }
  return { snapshots, aggregate, text, report: last?.get("report.json") ?? "" };
}

function termOf(runJson: string | undefined): number | undefined {
  return runJson === undefined ? undefined : JSON.parse(runJson).facts.record.term;
}
