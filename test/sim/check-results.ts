import assert from "node:assert/strict";
import {
  type Aggregate,
  openLosses,
  ownedShards,
  plannedArrivals,
  type RunRecord,
  type RunReport,
  resolveStages,
  type Snapshot,
  stoppedByUs,
} from "@tokenstorm/core";
import { type RawSnapshot, rawSnapshots } from "./kept.js";
import type { TrueRequest } from "./simulated-target.js";
import type { World } from "./world.js";

export function checkLedgers(snapshots: readonly Snapshot[]): void {
  for (const { agent, seq, ledger, blocks } of snapshots) {
    const { offered, sent, unsent, dropped, waiting } = ledger;
    assert.equal(offered, sent + unsent + dropped + waiting, `${agent} ${seq}: offered`);
    const { completed, failed, cancelled, unknown, inFlight } = ledger;
    assert.equal(sent + unsent, completed + failed + cancelled + unknown + inFlight, `${agent} ${seq}: sent`);
    assert.ok(blocks.every(({ flow }) => flow.durationUs >= 0));
  }
}

/**
 * Each request that really completed is in the interval of its end, or that interval is named missing; and by the end of each
 * interval as many have failed as really did.
 */
export function checkEveryCompletion(
  { processes }: World,
  record: RunRecord,
  report: RunReport,
  snapshots: readonly Snapshot[],
): void {
  const intervalUs = record.plan.intervalMs * 1000;
  for (const { agent } of record.shards) {
    const zeroUs = record.start?.localUs[agent];
    if (zeroUs === undefined) continue;
    const seqsOf = (outcome: TrueRequest["outcome"]) =>
      processes.truth.flatMap((one) =>
        one.agent === agent && one.outcome === outcome && one.endUs !== null
          ? [Math.floor((one.endUs - zeroUs) / intervalUs) + 1]
          : [],
      );
    const own = new Map(snapshots.filter((one) => one.agent === agent).map((one) => [one.seq, one]));
    checkCompletions(agent, seqsOf("completed"), own, report);
    const failed = seqsOf("failed");
    for (const [seq, { ledger }] of own) {
      const byThen = failed.filter((one) => one <= seq).length;
      assert.equal(ledger.failed, byThen, `${agent} failed up to interval ${seq}`);
    }
    const isWhole = report.completeness.missing.every((gap) => gap.agent !== agent);
    if (isWhole && own.size > 0 && !isSilent(report, agent))
      checkDue(agent, failed.length, [...own.values()]);
  }
}

/** Of failures, all but those of requests whose stage's count was closed by then are told with their reason. */
function checkDue(agent: string, failed: number, snapshots: readonly Snapshot[]): void {
  const due = snapshots.flatMap(({ blocks }) => blocks.map((block) => block.due));
  const told = due.flatMap((one) => Object.values(one.failed)).reduce((sum, count) => sum + count, 0);
  const censored = due.reduce((sum, one) => sum + one.censored, 0);
  const isTold = told <= failed && told >= failed - censored;
  assert.ok(
    isTold,
    `of ${failed} failures ${agent} tells ${told} reasons, and ${censored} requests were cut`,
  );
}

/** The report names it as one that has left no final word. */
function isSilent({ verdict }: RunReport, agent: string): boolean {
  return verdict.reasons.some(
    (reason) => reason.startsWith("no final word") && reason.includes(`${agent} (`),
  );
}

/** `seqs`: the interval of each request's end. */
function checkCompletions(
  agent: string,
  seqs: readonly number[],
  own: ReadonlyMap<number, Snapshot>,
  report: RunReport,
): void {
  const gaps = report.completeness.missing.filter((gap) => gap.agent === agent);
  const byInterval = new Map<number, number>();
  for (const seq of seqs) byInterval.set(seq, (byInterval.get(seq) ?? 0) + 1);
  const last = Math.max(0, ...own.keys());
  for (const seq of byInterval.keys()) {
    const isNamed = gaps.some(({ from, to }) => seq >= from && seq <= to);
    const isThere = own.has(seq) || isNamed || (isSilent(report, agent) && seq > last);
    assert.ok(isThere, `${agent} ${seq} is missing, and nobody says so`);
  }
  for (const [seq, { blocks }] of own) {
    const counted = blocks.reduce((sum, block) => sum + block.flow.completed, 0);
    assert.equal(counted, byInterval.get(seq) ?? 0, `${agent} completed in interval ${seq}`);
  }
}

export function checkCounts(report: RunReport): void {
  for (const { requests, name } of report.stages) {
    const { offered, completed, failed, cancelled, dropped, unknown, censored } = requests;
    assert.equal(offered, completed + failed + cancelled + dropped + unknown + censored, `stage ${name}`);
  }
  const { completeness } = report;
  assert.ok(completeness.intervalsReceived <= completeness.intervalsExpected);
  assert.ok(completeness.samplesMerged <= completeness.samplesRecorded);
  const isShort = completeness.intervalsReceived < completeness.intervalsExpected;
  assert.equal(isShort, completeness.missing.length > 0, "what is missing is named");
  if (isShort) assert.notEqual(report.verdict.status, "valid");
}

/**
 * Whoever was lost, the plan is accounted for: of every arrival somebody tells, or it is unknown, or it was due when a lost agent
 * had stopped for sure and nobody had its shard. Where nothing else is missing.
 */
export function checkOffered(record: RunRecord, report: RunReport, aggregate: Aggregate): void {
  if (record.state !== "completed") return;
  const losses = openLosses(record);
  const isAccountedFor = aggregate.agents().every(({ shard, final, missing }) => {
    const isLost = losses.some(({ agent }) => agent === shard.agent);
    return final === null ? isLost : !isLost && missing.length === 0;
  });
  if (!isAccountedFor) return;
  const stages = resolveStages(record.plan);
  let firstK = 0;
  for (const [index, dueUs] of plannedArrivals(record.plan, stages) ?? []) {
    const startUs = record.stageStartsUs[index] ?? 0;
    const isUnsent = (us: number, i: number) =>
      losses.some(
        (loss) =>
          startUs + us >= stoppedByUs(loss, record.plan) &&
          ownedShards(record, loss.agent, index).some((own) => (firstK + i) % own.count === own.index),
      );
    const row = report.stages.find(({ name }) => name === stages[index]?.name);
    const unsent = dueUs.filter(isUnsent).length;
    if (row !== undefined)
      assert.equal(row.requests.offered, dueUs.length - unsent, `${row.name}: what was offered, of the plan`);
    firstK += dueUs.length;
  }
}

/** What the report counts is what the lines of its directory add up to, each taken once, of the agents that were admitted. */
export function checkRecount(record: RunRecord, report: RunReport, text: string): void {
  const epochs = new Map(record.shards.map(({ agent, epoch }) => [agent, epoch]));
  const snapshots = rawSnapshots(text);
  for (const { agent, epoch, seq } of snapshots)
    assert.equal(epoch, epochs.get(agent), `${agent} ${seq} is of another admission`);
  for (const [index, { name }] of resolveStages(record.plan).entries()) {
    const requests = report.stages.find((stage) => stage.name === name)?.requests;
    if (requests === undefined) continue;
    const blocks = snapshots
      .flatMap((snapshot) => snapshot.blocks)
      .filter(({ stage, phase }) => stage === index && phase === "measured");
    const sum = (count: (due: RawSnapshot["blocks"][number]["due"]) => number) =>
      blocks.reduce((total, { due }) => total + count(due), 0);
    assert.deepEqual(
      [requests.completed, requests.failed, requests.cancelled],
      [
        sum((due) => due.completed),
        sum((due) => Object.values(due.failed).reduce((total, count) => total + count, 0)),
        sum((due) => due.cancelled),
      ],
      `stage ${name}: the report counts what its directory does not hold`,
    );
  }
}
