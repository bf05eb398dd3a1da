import assert from "node:assert/strict";
import { type Aggregate, isTerminal, openLosses, type RunRecord, type RunReport } from "@tokenstorm/core";
import { reportFromJson } from "@tokenstorm/protocol";
import { checkDeadline } from "./check-deadline.js";
import { checkNoFlood, checkOwners, checkTruthIsUnique, checkUnion } from "./check-keys.js";
import { checkObserver } from "./check-observer.js";
import {
  checkCounts,
  checkEveryCompletion,
  checkLedgers,
  checkOffered,
  checkRecount,
} from "./check-results.js";
import { checkSpooled, givenUp } from "./check-spooled.js";
import { checkNewcomers, checkStart } from "./check-start.js";
import { hitsLeader, isHarmless } from "./faults.js";
import { type Kept, keptResults } from "./kept-results.js";
import { RUN, type World } from "./world.js";

/** All that must hold after a seed, whatever happened in it. */
export async function checkInvariants(world: World): Promise<void> {
  const { record } = world;
  if (record !== undefined) {
    checkStart(world, record);
    checkNewcomers(world, record);
    checkSpooled(world, record);
  }
  if (world.isForgotten) return checkForgotten(world);
  assert.ok(record !== undefined && isTerminal(record.state), `the run is ${record?.state} at its deadline`);
  assert.deepEqual(world.watch.violations, []);
  assert.deepEqual(world.ended(), [], "processes ended by themselves");
  checkDeadline(world, record);
  checkTruthIsUnique(world);
  checkOwners(world, record);
  checkNoFlood(world, record);
  if (record.result === null) return;
  const kept = keptResults(world, record);
  if (kept === undefined) return checkUnkept(world, record);
  checkLedgers(kept.snapshots);
  const text = await world.report();
  assert.equal(text !== undefined, record.result.reportBlob !== null, "the report is where the record says");
  // A blob store that could not be reached: the directory has it.
  const report = reportFromJson(text ?? kept.report);
  assert.deepEqual(report, reportFromJson(kept.report), "directory and blob store hold the same report");
  checkEveryCompletion(world, record, report, kept.snapshots);
  checkCounts(report);
  checkOffered(record, report, kept.aggregate);
  checkRecount(record, report, kept.text);
  checkClocks(world, report);
  checkStop(world, record, kept.aggregate);
  if (record.state === "completed") checkUnion(world, record, report);
  checkNothingLost(world, record, report);
  checkObserver(world, { record, report, kept });
  await checkLog(world, record);
  if (record.result.isWhole === true)
    assert.deepEqual(report.completeness.missing.length === 0, isUngiven(kept.aggregate));
  countLosses(world, report, kept);
}

/** A cut waits for no room on a full disk: the report is in the blob store alone, and the results stay in the log. */
async function checkUnkept(world: World, record: RunRecord): Promise<void> {
  const { stop, result } = record;
  const isFull = world.scenario.faults.some(({ fault }) => fault.kind === "fill-disk");
  assert.ok(isFull && stop.level === "cut", `no host has ${result?.directory}`);
  assert.equal(result?.isWhole, false);
  const text = await world.report();
  assert.equal(text !== undefined, result.reportBlob !== null, "the report is where the record says");
  if (text !== undefined) checkCounts(reportFromJson(text));
  await checkLog(world, record);
}

/** Where the store had forgotten the run while nobody could write it again, its agents end it by themselves. */
function checkForgotten({ scenario, watch, processes }: World): void {
  const isWiped = scenario.faults.some(({ fault }) => fault.kind === "wipe-state");
  assert.ok(isWiped, "the record is gone, and nobody wiped the store");
  assert.ok(scenario.faults.some(hitsLeader), "whoever led could have written the record again");
  const left = processes.agents.filter(
    ({ clock, instance }) => !clock.isDead && watch.said(instance)?.run === RUN,
  );
  assert.deepEqual(
    left.map(({ instance }) => instance),
    [],
    "agents that are still in a run that is forgotten",
  );
}

/** Simulated clocks drift by 50 ppm each at most, and none jumps, however long messages take and processes stand still. */
function checkClocks({ happenings }: World, { agents }: RunReport): void {
  for (const { id, clock } of agents) {
    for (const { drift, jumps, comparisons } of clock?.terms ?? []) {
      assert.deepEqual(jumps, [], `the clock of ${id} jumped`);
      const isPossible = drift === null || Math.abs(drift.ppm) <= 101 + drift.errorPpm;
      assert.ok(isPossible, `the clock of ${id} drifts: ${JSON.stringify(drift)}`);
      if (comparisons > 1) happenings.count("clocks compared again");
    }
  }
}

/** What somebody wrote there stays, whatever leaders write beside it. */
function checkStop(world: World, record: RunRecord, aggregate: Aggregate): void {
  const { watch, scenario } = world;
  const { stop, state } = record;
  if (scenario.faults.some(({ fault }) => fault.kind === "wipe-state")) return;
  const rank = ["none", "drain", "cut"];
  assert.ok(rank.indexOf(stop.level) >= rank.indexOf(watch.stop), `a stop was lost: ${watch.stop}`);
  if (state !== "completed" || stop.level !== "cut") return;
  // A cut that came when everything was delivered has cut nothing. Nobody waits for whoever was lost, or for what was given up.
  const lost = openLosses(record).map(({ agent }) => agent);
  for (const { shard, final, missing } of aggregate.agents()) {
    if (lost.includes(shard.agent)) continue;
    assert.ok(final !== null, `a run that was cut is complete without the final word of ${shard.agent}`);
    const given = givenUp(world, shard.instance, final);
    const isCut = missing.some(({ from, to }) => !given.has(from) || !given.has(to));
    assert.ok(!isCut, `a run that was cut is complete without intervals of ${shard.agent}`);
  }
}

/** The log forgets a run that is whole, and no other: it may be all that there is of what is missing. */
async function checkLog(world: World, { result }: RunRecord): Promise<void> {
  const left = await world.leftInLog();
  if (result?.isWhole === true) assert.equal(left, 0, "the log forgets a run that is whole");
  const isWiped = world.scenario.faults.some(({ fault }) => fault.kind === "wipe-log");
  const hadResults = world.log.some(({ kind }) => kind !== "event");
  if (result?.isWhole === false && hadResults && !isWiped)
    assert.equal(left, 1, "the log has forgotten a run that is not whole");
}

/** Where nobody died or was cut off, and nothing had to be given up, whatever the log lost was delivered again. */
function checkNothingLost({ scenario }: World, record: RunRecord, { completeness }: RunReport): void {
  if (!scenario.faults.every(isHarmless) || scenario.retainBytes === 1 || scenario.plan.deliverMs !== 30_000)
    return;
  // Whoever does not hear of the start in time does not start, and is named.
  // Each answer that the store loses holds a start up for two seconds: agents are told of it late, or it is committed late.
  const isHeldUp = record.problem?.code === "AGENT_NOT_READY" || record.problem?.code === "BUS_UNAVAILABLE";
  if (scenario.link.answerLossShare > 0 && isHeldUp) return;
  assert.deepEqual([record.state, completeness.missing], ["completed", []]);
  assert.equal(record.result?.isWhole, true);
}

function isUngiven(aggregate: Aggregate): boolean {
  return aggregate.agents().every(({ missing }) => missing.length === 0);
}

function countLosses({ happenings }: World, { completeness }: RunReport, { aggregate }: Kept): void {
  happenings.count("intervals named missing", completeness.missing.length);
  const given = aggregate.agents().flatMap(({ final }) => final?.gaps ?? []);
  happenings.count("given-up intervals", given.length);
}
