import assert from "node:assert/strict";
import {
  type Aggregate,
  createAggregate,
  factsOf,
  isTerminal,
  openLosses,
  ownedShards,
  plannedArrivals,
  quotaOf,
  type ResolvedStage,
  RunHistory,
  type RunRecord,
  type RunReport,
  resolveStages,
  type Snapshot,
  stoppedByUs,
  summariseRun,
} from "@tokenstorm/core";
import { decodeEvent, decodeResult, LEADER_IN_LOG, lineToResult, reportFromJson } from "@tokenstorm/protocol";
import { RUN, type World } from "./world.js";

/** All that must hold after a seed, whatever happened in it. */
export async function checkInvariants(world: World): Promise<void> {
  const { record } = world;
  assert.ok(record !== undefined && isTerminal(record.state), `the run is ${record?.state} at its deadline`);
  assert.deepEqual(world.violations, []);
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
  if (record.state === "completed") checkUnion(world, record);
  checkNothingLost(world, record, report);
  if (record.result.isWhole === true) {
    assert.deepEqual(report.completeness.missing.length === 0, isUngiven(kept.aggregate));
    assert.equal(await world.leftInLog(), 0, "the log forgets a run that is whole");
    checkObserver(world, record, report);
  }
}

/** No key is ever sent twice, by one agent or by two. */
function checkTruthIsUnique({ truth }: World): void {
  const ids = new Set<string>();
  for (const { id, agent } of truth) {
    assert.ok(!ids.has(id), `${id} was sent twice, the second time by ${agent}`);
    ids.add(id);
  }
}

/** Whoever sent a key had it by the shard map, in that stage. */
function checkOwners({ truth }: World, record: RunRecord): void {
  for (const { id, agent, key } of truth) {
    const place = key.kind === "open" ? key.k : key.user;
    const isOwn = ownedShards(record, agent, key.stage).some(
      ({ index, count }) => place % count === index % count && place >= index,
    );
    const wasOwn = record.shards.some(
      (one) => one.agent === agent && place % record.shards.length === one.index,
    );
    // One that was lost may have gone on with its own until it stopped; nobody else had it by then.
    const wasLost = (record.losses ?? []).some((loss) => loss.agent === agent);
    assert.ok(isOwn || (wasOwn && wasLost), `${id} was sent by ${agent}, whose it was not`);
  }
}

/** However long an agent was stopped: what was overdue then is dropped, and never sent at once. */
function checkNoFlood({ truth }: World, record: RunRecord): void {
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
  readonly report: string;
}

/** The run directory of whoever led last. */
function keptResults(world: World, record: RunRecord): Kept {
  const folder = record.result?.directory ?? "";
  const files = [...world.disks.values()].flatMap((disk) => {
    const found = disk.files(folder);
    return found?.has("report.json") === true ? [found] : [];
  });
  assert.ok(files.length > 0, `no host has ${folder}`);
  // Two hosts have one where a leader died between report and end: the last one's stands in the record's term.
  const last =
    files.find((one) => (one.get("run.json") ?? "").includes(`"term": ${record.term},`)) ?? files.at(-1);
  const aggregate = createAggregate({ stages: resolveStages(record.plan), shards: record.shards });
  const snapshots: Snapshot[] = [];
  for (const line of (last?.get("snapshots.ndjson") ?? "").split("\n")) {
    if (line === "") continue;
    const result = lineToResult(line);
    if (result.kind === "final") aggregate.foldFinal(result.final);
    else if (aggregate.fold(result.snapshot) === "folded") snapshots.push(result.snapshot);
  }
  return { snapshots, aggregate, report: last?.get("report.json") ?? "" };
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
    for (const { endUs, outcome, agent: by } of world.truth) {
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

/** Where nobody died or was cut off, and nothing had to be given up, whatever the log lost was delivered again. */
function checkNothingLost({ scenario }: World, record: RunRecord, { completeness }: RunReport): void {
  if (scenario.faults.length > 0 || scenario.retainBytes === 1 || scenario.plan.deliverMs !== 30_000) return;
  assert.deepEqual([record.state, completeness.missing], ["completed", []]);
  assert.equal(record.result?.isWhole, true);
}

/** Together the agents sent the plan's keys, and no others, in stages of which everybody's shard was somebody's. */
function checkUnion({ truth, scenario }: World, record: RunRecord): void {
  const stages = resolveStages(record.plan);
  const losses = record.losses ?? [];
  const wasStopped = scenario.faults.some(({ fault }) => fault.kind === "pause-agent");
  for (const [index, stage] of stages.entries()) {
    const isMoved = (agent: string) =>
      (record.moves ?? []).some((move) => move.lost === agent && move.fromStage <= index);
    if (!losses.every(({ agent }) => isMoved(agent))) continue;
    // What was overdue when it went on was dropped.
    if (stage.kind === "rate" && wasStopped) continue;
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
      assert.equal(users.size, stage.users, `stage ${stage.name}: every user sent`);
    } else {
      const ks = sent.map((key) => (key.kind === "open" ? key.k : -1)).sort((a, b) => a - b);
      assert.deepEqual(
        ks,
        Array.from({ length: ks.length }, (_, i) => (ks[0] ?? 0) + i),
        `stage ${stage.name}: no arrival is left out`,
      );
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

/** Whoever only looked on, from the record and the log alone, comes to the same report. */
function checkObserver(world: World, record: RunRecord, report: RunReport): void {
  const stages = resolveStages(record.plan);
  const aggregate = createAggregate({ stages, shards: record.shards });
  const history = new RunHistory();
  for (const { kind, agent, data } of world.log) {
    if (kind === "event") {
      if (agent === LEADER_IN_LOG) history.add(decodeEvent(data));
    } else if (kind === "snapshot" || kind === "final") {
      const { result } = decodeResult(kind, data);
      if (result.kind === "snapshot") aggregate.fold(result.snapshot);
      else aggregate.foldFinal(result.final);
    }
  }
  const findings = history.findings();
  const facts = factsOf(record, findings, { transport: "nats", version: "0.1.0" });
  const serverSamples = findings.serverSamples;
  const seen = summariseRun({ facts, stages, aggregate, serverSamples });
  const json = (value: RunReport) => JSON.parse(JSON.stringify({ ...value, leading: null }));
  assert.deepEqual(json(seen), json(report), `an observer of run ${RUN} writes another report`);
}
