import assert from "node:assert/strict";
import {
  type Aggregate,
  createAggregate,
  isTerminal,
  openLosses,
  ownedShards,
  plannedArrivals,
  quotaOf,
  type ResolvedStage,
  type RunRecord,
  type RunReport,
  resolveStages,
  type Snapshot,
  stoppedByUs,
} from "@tokenstorm/core";
import { lineToResult, reportFromJson } from "@tokenstorm/protocol";
import { reportOfOnlooker } from "@tokenstorm/testkit";
import { rawSnapshots } from "./kept.js";
import { RUN, type World } from "./world.js";

/** All that must hold after a seed, whatever happened in it. */
export async function checkInvariants(world: World): Promise<void> {
  const { record } = world;
  if (world.isForgotten) return checkForgotten(world);
  assert.ok(record !== undefined && isTerminal(record.state), `the run is ${record?.state} at its deadline`);
  assert.deepEqual(world.watch.violations, []);
  assert.deepEqual(world.ended(), [], "processes ended by themselves");
  checkTruthIsUnique(world);
  checkOwners(world, record);
  checkNoFlood(world, record);
  if (record.result === null) return;
  const kept = keptResults(world, record);
  checkLedgers(kept.snapshots);
  const text = await world.report();
  // A blob store that could not be reached: the directory has it.
  const report = reportFromJson(text ?? kept.report);
  assert.deepEqual(report, reportFromJson(kept.report), "directory and blob store hold the same report");
  checkEveryCompletion(world, record, report, kept.snapshots);
  checkCounts(report);
  checkOffered(record, report, kept.aggregate);
  checkRecount(record, report, kept.text);
  checkClocks(world, report);
  checkStop(world, record);
  if (record.state === "completed") checkUnion(world, record, report);
  checkNothingLost(world, record, report);
  checkObserver(world, { record, report, kept });
  await checkLog(world, record);
  if (record.result.isWhole === true)
    assert.deepEqual(report.completeness.missing.length === 0, isUngiven(kept.aggregate));
  countLosses(world, report, kept);
}

/** Where the store had forgotten the run while nobody could write it again, its agents end it by themselves. */
function checkForgotten({ scenario, watch }: World): void {
  const kinds = new Set(scenario.faults.map(({ fault }) => fault.kind));
  assert.ok(kinds.has("wipe-state"), "the record is gone, and nobody wiped the store");
  const isLeaderHit = scenario.faults.some(
    ({ fault }) => LEADER_HIT.has(fault.kind) || ("of" in fault && fault.of === "leader"),
  );
  assert.ok(isLeaderHit, "whoever led could have written the record again");
  assert.deepEqual(watch.inRun(), [], "agents that are still in a run that is forgotten");
}

const LEADER_HIT: ReadonlySet<string> = new Set([
  "kill-leader",
  "pause-leader",
  "close-leader",
  "restart-nats",
]);

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
function checkStop({ watch, scenario }: World, { stop, state, result }: RunRecord): void {
  if (scenario.faults.some(({ fault }) => fault.kind === "wipe-state")) return;
  const rank = ["none", "drain", "cut"];
  assert.ok(rank.indexOf(stop.level) >= rank.indexOf(watch.stop), `a stop was lost: ${watch.stop}`);
  // A cut that came when everything was delivered has cut nothing.
  if (state === "completed" && stop.level === "cut")
    assert.equal(result?.isWhole, true, "a run that was cut is not complete");
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

function countLosses({ happenings }: World, { completeness }: RunReport, { aggregate }: Kept): void {
  happenings.count("intervals named missing", completeness.missing.length);
  const given = aggregate.agents().flatMap(({ final }) => final?.gaps ?? []);
  happenings.count("given-up intervals", given.length);
}

/** No key is ever sent twice, by one agent or by two. */
function checkTruthIsUnique({ processes: { truth } }: World): void {
  const ids = new Set<string>();
  for (const { id, agent } of truth) {
    assert.ok(!ids.has(id), `${id} was sent twice, the second time by ${agent}`);
    ids.add(id);
  }
}

/** Whoever sent a key had it by the shard map, in that stage. */
function checkOwners({ processes: { truth } }: World, record: RunRecord): void {
  for (const { id, agent, key } of truth) {
    const place = key.kind === "open" ? key.k : key.user;
    const isOwn = ownedShards(record, agent, key.stage).some(
      ({ index, count }) => place % count === index % count && place >= index,
    );
    // Also of one that was lost: until the stage in which others have it, its shard is its own.
    assert.ok(isOwn, `${id} was sent by ${agent}, whose it was not`);
  }
}

/** However long an agent was stopped: what was overdue then is dropped, and never sent at once. */
function checkNoFlood({ processes: { truth } }: World, record: RunRecord): void {
  const { start, plan, stageStartsUs } = record;
  const firstRate = resolveStages(plan).findIndex(({ kind }) => kind === "rate");
  const loadUs = stageStartsUs[firstRate];
  if (start === null || loadUs == null) return;
  for (const { id, agent, sentUs } of truth) {
    const due = /-d(\d+)$/.exec(id)?.[1];
    if (due === undefined) continue;
    const lateUs = sentUs - (start.localUs[agent] ?? 0) - loadUs - Number(due);
    assert.ok(lateUs <= plan.maxLatenessMs * 1000, `${id} was sent ${lateUs} us after it was due`);
  }
}

interface Kept {
  readonly snapshots: readonly Snapshot[];
  readonly aggregate: Aggregate;
  /** snapshots.ndjson. */
  readonly text: string;
  readonly report: string;
}

/** The run directory of whoever led last. */
function keptResults(world: World, record: RunRecord): Kept {
  const folder = record.result?.directory ?? "";
  const files = [...world.processes.disks.values()].flatMap((disk) => {
    const found = disk.files(folder);
    return found?.has("report.json") === true ? [found] : [];
  });
  assert.ok(files.length > 0, `no host has ${folder}`);
  // Two hosts have one where a leader died between report and end: the last one's is of the record's term.
  const last = files.find((one) => termOf(one.get("run.json")) === record.term) ?? files.at(-1);
  const aggregate = createAggregate({ stages: resolveStages(record.plan), shards: record.shards });
  const snapshots: Snapshot[] = [];
  const text = last?.get("snapshots.ndjson") ?? "";
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

function checkLedgers(snapshots: readonly Snapshot[]): void {
  for (const { agent, seq, ledger, blocks } of snapshots) {
    const { offered, sent, unsent, dropped, waiting } = ledger;
    assert.equal(offered, sent + unsent + dropped + waiting, `${agent} ${seq}: offered`);
    const { completed, failed, cancelled, unknown, inFlight } = ledger;
    assert.equal(sent + unsent, completed + failed + cancelled + unknown + inFlight, `${agent} ${seq}: sent`);
    assert.ok(blocks.every(({ flow }) => flow.durationUs >= 0));
  }
}

/** Each request that really completed is in the interval of its end, or that interval is named missing. */
function checkEveryCompletion(
  world: World,
  record: RunRecord,
  report: RunReport,
  snapshots: readonly Snapshot[],
): void {
  const intervalUs = record.plan.intervalMs * 1000;
  for (const { agent } of record.shards) {
    const zeroUs = record.start?.localUs[agent];
    if (zeroUs === undefined) continue;
    const own = new Map(snapshots.filter((one) => one.agent === agent).map((one) => [one.seq, one]));
    const gaps = report.completeness.missing.filter((gap) => gap.agent === agent);
    const isSilent = report.verdict.reasons.some(
      (reason) => reason.startsWith("no final word") && reason.includes(`${agent} (`),
    );
    const byInterval = new Map<number, number>();
    for (const { endUs, outcome, agent: by } of world.processes.truth) {
      if (by !== agent || endUs === null || outcome !== "completed") continue;
      const seq = Math.floor((endUs - zeroUs) / intervalUs) + 1;
      byInterval.set(seq, (byInterval.get(seq) ?? 0) + 1);
    }
    const last = Math.max(0, ...own.keys());
    for (const [seq, count] of byInterval) {
      const snapshot = own.get(seq);
      if (snapshot !== undefined) {
        const flow = snapshot.blocks.reduce((sum, block) => sum + block.flow.completed, 0);
        assert.equal(flow, count, `${agent} completed in interval ${seq}`);
        continue;
      }
      const isNamed = gaps.some(({ from, to }) => seq >= from && seq <= to);
      assert.ok(isNamed || (isSilent && seq > last), `${agent} ${seq} is missing, and nobody says so`);
    }
    for (const [seq, snapshot] of own) {
      const flow = snapshot.blocks.reduce((sum, block) => sum + block.flow.completed, 0);
      assert.equal(flow, byInterval.get(seq) ?? 0, `${agent} counted in interval ${seq}`);
    }
  }
}

function checkCounts(report: RunReport): void {
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
function checkOffered(record: RunRecord, report: RunReport, aggregate: Aggregate): void {
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
function checkRecount(record: RunRecord, report: RunReport, text: string): void {
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
    const sum = (what: "offered" | "completed" | "cancelled") =>
      blocks.reduce((total, { due }) => total + due[what], 0);
    assert.deepEqual(
      [requests.completed, requests.cancelled],
      [sum("completed"), sum("cancelled")],
      `stage ${name}: the report counts what its directory does not hold`,
    );
  }
}

/** What harms nobody: all of it is mended by whoever leads. */
const HARMLESS: ReadonlySet<string> = new Set([
  "delete-lease",
  "other-epoch",
  "step-wall",
  "wipe-log",
  "wipe-state",
]);

/** Where nobody died or was cut off, and nothing had to be given up, whatever the log lost was delivered again. */
function checkNothingLost({ scenario }: World, record: RunRecord, { completeness }: RunReport): void {
  const isHarmless = scenario.faults.every(({ fault }) => HARMLESS.has(fault.kind));
  if (!isHarmless || scenario.retainBytes === 1 || scenario.plan.deliverMs !== 30_000) return;
  // Whoever does not hear of the start in time does not start, and is named.
  // Each answer that the store loses holds a start up for two seconds: agents are told of it late, or it is committed late.
  const isHeldUp = record.problem?.code === "AGENT_NOT_READY" || record.problem?.code === "BUS_UNAVAILABLE";
  if (scenario.link.answerLossShare > 0 && isHeldUp) return;
  assert.deepEqual([record.state, completeness.missing], ["completed", []]);
  assert.equal(record.result?.isWhole, true);
}

/** Together the agents sent the plan's keys, and no others, in stages of which everybody's shard was somebody's. */
function checkUnion({ processes: { truth } }: World, record: RunRecord, report: RunReport): void {
  const stages = resolveStages(record.plan);
  const losses = record.losses ?? [];
  for (const [index, stage] of stages.entries()) {
    const isMoved = (agent: string) =>
      (record.moves ?? []).some((move) => move.lost === agent && move.fromStage <= index);
    if (!losses.every(({ agent }) => isMoved(agent))) continue;
    const sent = truth.filter(({ key }) => key.stage === index).map(({ key }) => key);
    const planned = plannedKeys(stage);
    if (planned !== null) {
      const names = sent.map((key) => (key.kind === "closed" ? `${key.user}/${key.j}` : `${key.k}`));
      assert.deepEqual(
        names.sort(),
        [...planned].sort(),
        `stage ${stage.name}: the union of shards is the plan`,
      );
    } else if (stage.kind === "users") {
      const users = new Set(sent.map((key) => (key.kind === "closed" ? key.user : -1)));
      // Whoever stood still for a whole stage sent nothing in it, and the report says so.
      const notes = report.stages.find(({ name }) => name === stage.name)?.notes ?? [];
      const isSaid = notes.some((note) => note.includes("users sent no request in it"));
      assert.ok(users.size === stage.users || isSaid, `stage ${stage.name}: every user sent`);
    } else if (report.completeness.missing.length === 0) {
      // An agent that was cut off heard of the load's start too late, and dropped what was overdue.
      const { offered = 0, dropped = 0 } =
        report.stages.find(({ name }) => name === stage.name)?.requests ?? {};
      const ks = new Set(sent.map((key) => (key.kind === "open" ? key.k : -1)));
      assert.equal(
        ks.size + dropped,
        offered,
        `stage ${stage.name}: what was offered and not sent was dropped`,
      );
      assert.ok(Math.max(...ks) - Math.min(...ks) < offered, `stage ${stage.name}: no arrival is left out`);
    }
  }
}

/** Null where the clock decides how many there are. */
function plannedKeys(stage: ResolvedStage): string[] | null {
  if (stage.kind !== "users" || stage.bound.kind !== "requests") return null;
  const { requests } = stage.bound;
  return Array.from({ length: stage.users }, (_, user) =>
    Array.from({ length: quotaOf(requests, user, stage.users) }, (_, j) => `${user}/${j}`),
  ).flat();
}

function isUngiven(aggregate: Aggregate): boolean {
  return aggregate.agents().every(({ missing }) => missing.length === 0);
}

/**
 * Whoever only looked on, from the record and the log alone, comes to the same report: apart from who led, of which a
 * leader that died too early may have told the log nothing.
 */
function checkObserver(
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
