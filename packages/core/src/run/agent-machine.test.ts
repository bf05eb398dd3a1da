import assert from "node:assert/strict";
import { test } from "node:test";
import { PlanSchema } from "../plan/schema.js";
import {
  type AgentEffect,
  type AgentEvent,
  type AgentMachine,
  COMMIT_READ_BEFORE_US,
  IDLE_AGENT,
  stepAgent,
} from "./agent-machine.js";
import { RUN_STATES, type RunRecord, type RunStart } from "./run-record.js";

const ME = { id: "a1", instance: "i1" };
const T_US = 10_000_000;

const plan = PlanSchema.parse({
  version: 1,
  target: { urls: ["http://h:8000"] },
  load: { kind: "users", stages: [{ users: 1, durationMs: 1000 }] },
});

function record(change: Partial<RunRecord> = {}): RunRecord {
  return {
    v: 1,
    id: "r1",
    name: "test",
    createdAtMs: 0,
    plan,
    planDigest: "",
    salt: "s",
    state: "preparing",
    term: 1,
    leader: "l",
    revision: 1,
    shards: [shard("a1", "i1", 0), shard("a2", "i2", 1)],
    start: null,
    stageStartsUs: [null, null],
    stop: { level: "none", reason: "" },
    problem: null,
    result: null,
    ...change,
  };
}

function shard(agent: string, instance: string, index: number, epoch = 3): RunRecord["shards"][number] {
  return { agent, instance, epoch, index, host: "h", version: "1", clockOffsetUs: 0, clockErrorUs: 0 };
}

const start = (committed: boolean, attempt = 1): RunStart => ({
  attempt,
  committed,
  leaderUs: 0,
  epochUs: 0,
  localUs: { a1: T_US, a2: T_US + 7 },
});

const read = (change: Partial<RunRecord> = {}, nowUs = 0): AgentEvent => ({
  kind: "record",
  record: record(change),
  nowUs,
});
const PROBLEM = { code: "TARGET_UNREACHABLE", message: "nothing there" } as const;

const PATH: Readonly<Record<string, readonly AgentEvent[]>> = {
  preparing: [read()],
  ready: [read(), { kind: "prepared", nowUs: 0 }],
  armed: [read(), { kind: "prepared", nowUs: 0 }, read({ state: "arming", start: start(false) })],
  committed: [
    read(),
    { kind: "prepared", nowUs: 0 },
    read({ state: "running", start: start(true), stageStartsUs: [0, null] }),
  ],
};
const to = {
  preparing: PATH["preparing"] ?? [],
  ready: PATH["ready"] ?? [],
  armed: PATH["armed"] ?? [],
  committed: PATH["committed"] ?? [],
  running: [...(PATH["committed"] ?? []), { kind: "started" }],
  draining: [...(PATH["committed"] ?? []), { kind: "started" }, { kind: "load-ended" }],
  delivering: [
    ...(PATH["committed"] ?? []),
    { kind: "started" },
    { kind: "load-ended" },
    { kind: "drained" },
  ],
  failed: [read(), { kind: "not-ready", problem: PROBLEM }],
} as const satisfies Record<string, readonly AgentEvent[]>;

function after(events: readonly AgentEvent[]): { machine: AgentMachine; effects: readonly AgentEffect[] } {
  let machine = IDLE_AGENT;
  let effects: readonly AgentEffect[] = [];
  for (const event of events) ({ machine, effects } = stepAgent(machine, event, ME));
  return { machine, effects };
}

const kinds = (effects: readonly AgentEffect[]) => effects.map(({ kind }) => kind);

test("a record that names this very process makes it prepare with its place", () => {
  const { machine, effects } = after([read()]);
  assert.equal(machine.state, "preparing");
  assert.deepEqual(machine.place, { epoch: 3, index: 0, count: 2 });
  assert.deepEqual(kinds(effects), ["prepare"]);
});

test("a record that names another process, or nobody, or is further on, changes nothing", () => {
  for (const change of [
    { shards: [shard("a1", "another", 0)] },
    { shards: [shard("a2", "i1", 0)] },
    { shards: [] },
    { state: "gathering" as const },
    { state: "running" as const, start: start(true) },
    { state: "completed" as const },
    { stop: { level: "drain" as const, reason: "" } },
  ]) {
    const { machine, effects } = after([read(change)]);
    assert.deepEqual([machine, effects], [IDLE_AGENT, []], JSON.stringify(change));
  }
});

test("an agent that becomes ready acts on the start that was proposed meanwhile", () => {
  const { machine } = after([
    read(),
    read({ state: "arming", start: start(false, 2) }),
    { kind: "prepared", nowUs: 0 },
  ]);
  assert.deepEqual([machine.state, machine.armedAttempt], ["armed", 2]);
});

test("a start is followed only when it is committed and was read in time", () => {
  assert.deepEqual(kinds(after(to.armed).effects), []);
  const inTime = after([...to.armed, read({ start: start(true) }, T_US - COMMIT_READ_BEFORE_US)]);
  assert.deepEqual(inTime.effects[0], {
    kind: "start",
    record: record({ start: start(true) }),
    atUs: T_US,
    leaderUs: start(true).leaderUs,
  });
  const late = after([...to.armed, read({ start: start(true) }, T_US - COMMIT_READ_BEFORE_US + 1)]);
  assert.deepEqual([late.machine.state, late.machine.problem?.code], ["failed", "AGENT_NOT_READY"]);
  assert.deepEqual(kinds(late.effects), ["close-target"]);
});

test("a committed start is acted on once, however often it is read", () => {
  const again = after([...to.committed, read({ start: start(true), revision: 5 }, T_US + 1)]);
  assert.deepEqual([again.machine.state, again.machine.revision, again.effects], ["armed", 5, []]);
});

test("a start without a time for this agent arms nobody", () => {
  const { machine } = after([...to.ready, read({ start: { ...start(false), localUs: { a2: 1 } } })]);
  assert.equal(machine.state, "ready");
});

test("a proposal that is withdrawn or made anew is followed", () => {
  const again = after([...to.armed, read({ start: start(false, 2) })]);
  assert.deepEqual([again.machine.state, again.machine.armedAttempt], ["armed", 2]);
  const withdrawn = after([...to.armed, read({ start: null })]);
  assert.deepEqual([withdrawn.machine.state, withdrawn.machine.armedAttempt], ["ready", 0]);
});

test("another place before the start is prepared for anew, after it the agent is out", () => {
  const shards = [shard("a2", "i2", 0), shard("a1", "i1", 1)];
  for (const path of [to.preparing, to.ready, to.armed]) {
    const { machine, effects } = after([...path, read({ shards })]);
    assert.deepEqual([machine.state, machine.place?.index], ["preparing", 1]);
    assert.deepEqual(kinds(effects), ["close-target", "prepare"]);
  }
  assert.deepEqual(kinds(after([...to.ready, read({ shards: [] })]).effects), ["release"]);
  const { machine, effects } = after([...to.running, read({ shards: [] })]);
  assert.equal(machine.state, "draining");
  assert.deepEqual(effects, [{ kind: "stop", level: "drain" }]);
});

test("further stage starts are handed on when they become known, once", () => {
  const known = read({ start: start(true), stageStartsUs: [0, 5] });
  assert.deepEqual(after([...to.running, known]).effects, [{ kind: "commit-stages", stageStartsUs: [0, 5] }]);
  assert.deepEqual(after([...to.running, known, known]).effects, []);
  assert.deepEqual(
    after([...to.running, read({ start: start(true), stageStartsUs: [0, null] })]).effects,
    [],
  );
});

test("a stop is carried out once per level, and a stronger one after a weaker", () => {
  const stop = (level: "drain" | "cut") => read({ start: start(true), stop: { level, reason: "" } });
  assert.deepEqual(after([...to.running, stop("drain")]).effects, [{ kind: "stop", level: "drain" }]);
  assert.deepEqual(after([...to.running, stop("drain"), stop("drain")]).effects, []);
  assert.deepEqual(after([...to.running, stop("drain"), stop("cut")]).effects, [
    { kind: "stop", level: "cut" },
  ]);
  assert.deepEqual(after([...to.running, stop("cut"), stop("drain")]).effects, []);
  assert.deepEqual(after([...to.committed, stop("drain")]).machine.state, "draining");
  assert.deepEqual(after([...to.delivering, stop("cut")]).effects, []);
});

test("a stop before the commit ends the agent's part without results", () => {
  for (const path of [to.preparing, to.ready, to.armed]) {
    const { machine, effects } = after([...path, { kind: "stop", level: "drain", problem: PROBLEM }]);
    assert.deepEqual([machine.state, machine.problem], ["done", PROBLEM]);
    assert.deepEqual(kinds(effects), ["close-target"]);
  }
});

test("a run that is over frees the agent, at once or when its results are dealt with", () => {
  const over = read({ state: "failed" });
  for (const path of [to.preparing, to.ready, to.armed, to.failed]) {
    const { machine, effects } = after([...path, over]);
    assert.deepEqual([machine, kinds(effects)], [IDLE_AGENT, ["release"]]);
  }
  assert.deepEqual(after([...to.running, over]).effects, [{ kind: "stop", level: "cut" }]);
  assert.deepEqual(kinds(after([...to.running, over, { kind: "drained" }]).effects), [
    "close-target",
    "deliver",
    "hurry-delivery",
  ]);
  const { machine, effects } = after([...to.delivering, over]);
  assert.deepEqual([machine.state, kinds(effects)], ["delivering", ["hurry-delivery"]]);
  const dealtWith = after([...to.delivering, over, { kind: "undelivered", problem: PROBLEM }]);
  assert.deepEqual([dealtWith.machine, kinds(dealtWith.effects)], [IDLE_AGENT, ["release"]]);
});

test("a leader of another run frees only an agent that has finished", () => {
  const elsewhere = { kind: "led-elsewhere" } as const;
  for (const path of [to.preparing, to.armed, to.running, to.draining, to.delivering])
    assert.deepEqual(after([...path, elsewhere]).effects, []);
  for (const path of [to.failed, [...to.delivering, { kind: "delivered" } as const]])
    assert.deepEqual(kinds(after([...path, elsewhere]).effects), ["release"]);
});

test("the record of another run changes nothing while the agent is in one", () => {
  for (const state of RUN_STATES) {
    const { machine, effects } = after([...to.running, read({ id: "r2", state })]);
    assert.deepEqual([machine.run, machine.state, effects], ["r1", "running", []]);
  }
});

test("events that come too late for the state change nothing", () => {
  const late: readonly AgentEvent[] = [
    { kind: "prepared", nowUs: 0 },
    { kind: "not-ready", problem: PROBLEM },
    { kind: "started" },
    { kind: "load-ended" },
    { kind: "drained" },
    { kind: "delivered" },
    { kind: "undelivered", problem: PROBLEM },
    { kind: "stop", level: "cut", problem: PROBLEM },
    { kind: "led-elsewhere" },
    { kind: "forgotten" },
  ];
  for (const event of late) {
    assert.deepEqual(after([event]).machine, IDLE_AGENT, event.kind);
    const failed = after([...to.failed, event]).machine.state;
    assert.ok(failed === "failed" || failed === "idle", `${event.kind} leads to ${failed}`);
  }
});

test("what an agent takes over comes once, before the stage's start that came with it, and never from an older record", () => {
  const moves = [{ lost: "a2", fromStage: 1, to: [{ agent: "a1", index: 1, count: 2 }] }];
  const running = { state: "running", start: start(true), stageStartsUs: [0, null] } as const;
  const steps = [
    ...to.running,
    read({ ...running, revision: 5, moves, stageStartsUs: [0, 9] }),
    read({ ...running, revision: 4 }),
    read({ ...running, revision: 5, moves, stageStartsUs: [0, 9] }),
    read({ ...running, revision: 6, moves, stageStartsUs: [0, 9] }),
  ];
  let machine: AgentMachine = IDLE_AGENT;
  const effects: AgentEffect[] = [];
  for (const event of steps) {
    const step = stepAgent(machine, event, ME);
    machine = step.machine;
    effects.push(...step.effects);
  }
  assert.deepEqual(
    effects.filter(({ kind }) => kind === "take-over" || kind === "commit-stages"),
    [
      { kind: "commit-stages", stageStartsUs: [0, null] },
      { kind: "take-over", shards: [{ index: 1, count: 2, fromStage: 1 }] },
      { kind: "commit-stages", stageStartsUs: [0, 9] },
    ],
  );
});

test("what others were given and told before time zero is carried out when the load starts, once", () => {
  const moves = [{ lost: "a2", fromStage: 1, to: [{ agent: "a1", index: 1, count: 2 }] }];
  const given = { state: "running", start: start(true), moves, stageStartsUs: [0, 9] } as const;
  const expected = [
    { kind: "take-over", shards: [{ index: 1, count: 2, fromStage: 1 }] },
    { kind: "commit-stages", stageStartsUs: [0, 9] },
  ];
  const whileArmed = after([...to.committed, read({ ...given, revision: 5 }), { kind: "started" }]);
  assert.deepEqual(whileArmed.effects, expected, "moves of a record that came while it was armed");
  const withTheCommit = after([...to.armed, read({ ...given, revision: 5 }), { kind: "started" }]);
  assert.deepEqual(withTheCommit.effects, expected, "moves of the very record that has the committed start");
  const read6 = read({ ...given, revision: 6 });
  assert.deepEqual(
    after([...to.committed, read({ ...given, revision: 5 }), { kind: "started" }, read6]).effects,
    [],
  );
});

test("an agent that is given up while it waits for time zero does not begin", () => {
  const lost = { agent: "a1", epoch: 3, lastHeardUs: 0, lostUs: 0, reason: "silent", foundUs: null };
  const given = read({
    state: "running",
    plan: { ...plan, lossPolicy: "reshard" },
    start: start(true),
    losses: [lost],
    revision: 5,
  });
  const { machine, effects } = after([...to.committed, given]);
  assert.deepEqual([machine.state, machine.problem?.code], ["draining", "AGENT_LOST"]);
  assert.deepEqual(effects, [{ kind: "stop", level: "drain" }]);
});
