import assert from "node:assert/strict";
import type { RunRecord, RunReport } from "@tokenstorm/core";
import { reportOfOnlooker } from "@tokenstorm/testkit";
import type { Kept } from "./kept-results.js";
import { RUN, type World } from "./world.js";

/**
 * Whoever only looked on, from the record and the log alone, comes to the same report: apart from who led, of which a
 * leader that died too early may have told the log nothing.
 */
export function checkObserver(
  world: World,
  { record, report, kept }: { record: RunRecord; report: RunReport; kept: Kept },
): void {
  const seen = new Set<string>();
  const summary = reportOfOnlooker({
    record,
    log: world.log,
    transport: "nats",
    version: "0.1.0",
    onResult: ({ agent, data }, result, isNew) => {
      const seq = result.kind === "snapshot" ? `${result.snapshot.seq}` : "final";
      if (result.kind === "snapshot") checkFrozen(world, `${agent} ${result.snapshot.epoch} ${seq}`, data);
      if (isNew) seen.add(`${agent} ${seq}`);
    },
  });
  // What came after the verdict is in the log, and in no report.
  if (record.result?.isWhole !== true && !isSame(seen, inDirectory(kept))) return;
  world.happenings.count("onlookers");
  const json = (value: RunReport) => JSON.parse(JSON.stringify({ ...value, leading: null }));
  assert.deepEqual(json(summary), json(report), `an observer of run ${RUN} writes another report`);
}

function inDirectory({ aggregate, snapshots }: Kept): ReadonlySet<string> {
  const finals = aggregate
    .agents()
    .flatMap(({ shard, final }) => (final === null ? [] : [`${shard.agent} final`]));
  return new Set([...snapshots.map(({ agent, seq }) => `${agent} ${seq}`), ...finals]);
}

function isSame(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((key) => other.has(key));
}

/** What was ever handed over never changes: a leader may have folded the one, and the next leader the other. */
function checkFrozen({ frozen }: World, key: string, data: Uint8Array): void {
  const hex = Buffer.from(data).toString("base64");
  const before = frozen.get(key);
  assert.ok(before === undefined || before === hex, `${key} was handed over in two forms`);
  frozen.set(key, hex);
}
