import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createHistogram, type Final, LoadError, type Snapshot } from "@tokenstorm/core";
import {
  encodeFinal,
  encodeSnapshot,
  encodeSpool,
  resultToLine,
  type SpoolEntry,
} from "@tokenstorm/protocol";
import { aPlan, aRunRecord, aSnapshot, runFacts } from "@tokenstorm/testkit";
import { addedText, addSpoolFile } from "./add-spool.js";
import { rebuildFromDirectory } from "./run-files.js";

const RUN = "r1";

const oneValue = createHistogram();
oneValue.record(5000);

function snapshotOf(seq: number): Snapshot {
  const some = aSnapshot();
  const blocks = some.blocks.slice(0, 1).map((block) => ({
    ...block,
    stage: 0,
    histograms: { ttft: oneValue.encode() },
    targets: undefined,
  }));
  return { ...some, blocks, run: RUN, agent: "a1", epoch: 7, seq, fromUs: (seq - 1) * 1e6, toUs: seq * 1e6 };
}

function finalOf(snapshots: readonly Snapshot[]): Final {
  const samples = snapshots
    .flatMap(({ blocks }) => blocks.flatMap(({ histograms }) => Object.entries(histograms)))
    .filter(([metric]) => metric !== "firstEvent" && metric !== "failedService")
    .reduce((sum, [, { count }]) => sum + count, 0);
  return {
    run: RUN,
    agent: "a1",
    epoch: 7,
    lastSeq: snapshots.length,
    samplesRecorded: samples,
    ledger: snapshots[0]?.ledger ?? assert.fail(),
    startErrorUs: 3,
    evicted: 0,
    completedPerUserMin: {},
    reader: "fake",
  };
}

const SNAPSHOTS = [1, 2, 3, 4].map(snapshotOf);
const FINAL = finalOf(SNAPSHOTS);

function entryOf(seq: number, change: Partial<SpoolEntry> = {}): SpoolEntry {
  const data = encodeSnapshot(SNAPSHOTS[seq - 1] ?? assert.fail());
  return { run: RUN, agent: "a1", epoch: 7, kind: "snapshot", seq, data, ...change };
}

/** A run of four intervals, of which the directory has the first, and half a line. */
function directoryOf(t: TestContext): { directory: string; spool: (entries: SpoolEntry[]) => string } {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-add-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const plan = aPlan({ warmUp: { requests: 0 } });
  const shard = { agent: "a1", instance: "i", epoch: 7, index: 0, host: "h", version: "0" };
  const record = aRunRecord(plan, {
    id: RUN,
    shards: [{ ...shard, clockOffsetUs: 0, clockErrorUs: 5 }],
    start: { attempt: 1, committed: true, leaderUs: 0, epochUs: 1_000_000, localUs: { a1: 0 } },
  });
  const facts = runFacts(record, { endUs: 4_000_000 });
  writeFileSync(join(folder, "run.json"), JSON.stringify({ schemaVersion: 1, facts }));
  const first = SNAPSHOTS[0] ?? assert.fail();
  writeFileSync(join(folder, "snapshots.ndjson"), `${resultToLine({ kind: "snapshot", snapshot: first })}\n`);
  appendFileSync(join(folder, "snapshots.ndjson"), '{"kind":"snapshot","run":"r');
  const spool = (entries: SpoolEntry[]) => {
    const file = join(folder, "a.spool.ndjson");
    writeFileSync(file, encodeSpool(entries));
    return file;
  };
  return { directory: folder, spool };
}

const finalEntry: SpoolEntry = {
  run: RUN,
  agent: "a1",
  epoch: 7,
  kind: "final",
  seq: 4,
  data: encodeFinal(FINAL),
};

test("a spool file is folded in once, what it brings is named, and the report is complete", async (t) => {
  const { directory, spool } = directoryOf(t);
  const file = spool([entryOf(1), entryOf(2), entryOf(3), entryOf(4), finalEntry]);
  const added = await addSpoolFile(directory, file);
  assert.equal(
    addedText(added),
    "added to run r1: intervals of a1: 2-4, the final word of a1; 1 result was there already",
  );
  // As if the disk had been full just then: the second time is for this.
  rmSync(join(directory, "report.json"));
  const again = await addSpoolFile(directory, file);
  assert.equal(addedText(again), "nothing is new to run r1; 5 results were there already");
  const { completeness } = await rebuildFromDirectory(directory);
  assert.deepEqual([completeness.intervalsReceived, completeness.intervalsExpected], [4, 4]);
  assert.equal(completeness.samplesMerged, completeness.samplesRecorded);
  const written = JSON.parse(readFileSync(join(directory, "report.json"), "utf8"));
  assert.deepEqual(written.completeness, completeness);
  assert.equal(readFileSync(join(directory, "snapshots.ndjson"), "utf8").trimEnd().split("\n").length, 5);
});

test("a file of another run, of another agent or epoch, or that is none, is refused and changes nothing", async (t) => {
  const { directory, spool } = directoryOf(t);
  const refuses = async (entries: SpoolEntry[], says: RegExp) => {
    await assert.rejects(addSpoolFile(directory, spool(entries)), (error) => {
      assert.ok(error instanceof LoadError && error.code === "RESULTS_UNREADABLE");
      assert.match(error.message, says);
      return true;
    });
  };
  await refuses([entryOf(2), entryOf(3, { run: "r2" })], /holds results of run r2, and .* is run r1/);
  await refuses([entryOf(2), entryOf(3, { agent: "a2" })], /a2 with epoch 7 has no part in run r1/);
  await refuses([entryOf(2), entryOf(3, { epoch: 8 })], /a1 with epoch 8 has no part/);
  await refuses([entryOf(2), entryOf(3, { data: Uint8Array.of(1, 2) })], /snapshot 3 of a1/);
  writeFileSync(join(directory, "x"), "not a spool file");
  await assert.rejects(addSpoolFile(directory, join(directory, "x")), /is no JSON/);
  await assert.rejects(addSpoolFile(directory, join(directory, "y")), /cannot be added/);
  const { completeness } = await rebuildFromDirectory(directory);
  assert.equal(completeness.intervalsReceived, 1);
});
