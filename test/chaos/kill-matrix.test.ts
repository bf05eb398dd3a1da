import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { RUN_STATES, type RunRecord, type RunReport, type RunState } from "@tokenstorm/core";
import { signalFamily } from "@tokenstorm/testkit";
import type { Running } from "../integration/cli.js";
import { assertWhole, RUN, until, untilOver } from "../integration/killed-cluster.js";
import { CASE_LIMIT, type ChaosCluster, loadOf, onCluster, SIZE } from "./chaos-cluster.js";
import { keptNothing } from "./joined-truth.js";

/** Of the record; `committed` is running before time zero, when nobody has begun. */
const STATES = [
  "gathering",
  "preparing",
  "arming",
  "committed",
  "running",
  "draining",
  "delivering",
] as const;
type State = (typeof STATES)[number];

/** What is promised (docs/reliability.md). `either`: it completes, or fails by the agent's name. */
type Ending = "completes" | "fails" | "either";

interface Fault {
  readonly name: string;
  /** Does it, and whatever mends it again, having seen what makes it time for that. */
  readonly happen: (world: World) => Promise<void>;
  readonly ending: Readonly<Record<State, Ending>>;
  /** How a run that fails of it names what it failed of. */
  readonly says?: RegExp;
  /** Another coordinator stands by. */
  readonly needsStandby?: boolean;
  /** Nobody leads until that one does, which takes it ten seconds. */
  readonly leavesNobody?: boolean;
  /** Whoever follows the log may miss what is purged before it is let in again. */
  readonly isOfNats?: true;
}

interface World {
  readonly cluster: ChaosCluster;
  readonly state: State;
  readonly leader: Running;
}

const all = (ending: Ending): Readonly<Record<State, Ending>> => ({
  gathering: ending,
  preparing: ending,
  arming: ending,
  committed: ending,
  running: ending,
  draining: ending,
  delivering: ending,
});

/** The agent that it happens to. */
const VICTIM = "a2";
const VICTIM_NAMED = /a2 on /;
/** Any agent may be the first that could not arm, or read the commit. */
const START_NAMED = /a\d on |the start could not be committed before time zero/;

const faults: readonly Fault[] = [
  {
    name: "a coordinator is killed, and another one stands by",
    needsStandby: true,
    leavesNobody: true,
    ending: all("completes"),
    happen: async ({ leader }) => {
      leader.signal("SIGKILL");
      await leader.finished;
    },
  },
  {
    name: "a coordinator is stopped until another one has taken over, and wakes up then",
    needsStandby: true,
    ending: all("completes"),
    happen: async ({ cluster, leader }) => {
      leader.signal("SIGSTOP");
      await until(cluster, ({ term }) => term === 2, "taken over");
      leader.signal("SIGCONT");
      await leader.line(/leads no more/);
    },
  },
  {
    name: "an agent is killed",
    // Without it nobody begins: another process takes its id. Once it has delivered, nobody misses it.
    ending: { ...all("fails"), gathering: "completes", delivering: "either" },
    happen: async ({ cluster, state }) => {
      signalFamily(cluster.agents.get(VICTIM)?.pid ?? 0, "SIGKILL");
      await cluster.agents.get(VICTIM)?.finished;
      cluster.forget(VICTIM);
      if (state === "gathering") await cluster.startAgent(VICTIM);
    },
  },
  {
    name: "an agent is stopped for two beacons",
    // One of three proposed starts may pass without it; a commit that it reads too late is none.
    ending: { ...all("completes"), committed: "either" },
    says: START_NAMED,
    happen: async ({ cluster }) => {
      const { pid = 0 } = cluster.agents.get(VICTIM) ?? {};
      signalFamily(pid, "SIGSTOP");
      await cluster.beacons(2);
      signalFamily(pid, "SIGCONT");
    },
  },
  {
    name: "an agent is stopped until the run is over, and wakes up then",
    ending: { ...all("fails"), gathering: "completes", delivering: "either" },
    happen: async ({ cluster, state }) => {
      const { pid = 0 } = cluster.agents.get(VICTIM) ?? {};
      signalFamily(pid, "SIGSTOP");
      // Nobody gives up who has not begun: it is waited for.
      if (state === "gathering") await cluster.beacons(6);
      else await untilOver(cluster);
      signalFamily(pid, "SIGCONT");
      if (state !== "gathering") await cluster.idle(VICTIM);
    },
  },
  {
    name: "nats-server is killed, and started again",
    isOfNats: true,
    ending: { ...all("completes"), arming: "either", committed: "either" },
    says: START_NAMED,
    happen: ({ cluster }) => cluster.restartNats(),
  },
  {
    name: "nats-server is stopped until the leader leads no more, and wakes up then",
    isOfNats: true,
    ending: { ...all("completes"), arming: "either", committed: "either" },
    says: START_NAMED,
    happen: async ({ cluster, leader }) => {
      process.kill(cluster.nats.server.pid, "SIGSTOP");
      await leader.line(/leads no more/);
      process.kill(cluster.nats.server.pid, "SIGCONT");
    },
  },
];

/** Of a load that is still going on when another leader has taken over. */
const OUTLASTING_MS = 12_000;
/** Agents that hear nothing for less than 3 s say nothing of it. */
const UNLED_MS = 3000;

/** A machine that is short of CPU may show a state when it has passed: then the whole case is begun anew. */
const ATTEMPTS = 3;

async function runCase(t: TestContext, fault: Fault, state: State): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const isDone = await onCluster(t, undefined, async (cluster) => {
      const wasSeen = await bring(cluster, fault, state);
      if (!wasSeen) await cluster.close();
      return wasSeen;
    });
    if (isDone !== false) return;
    t.diagnostic(`attempt ${attempt}: ${state} was seen too late`);
  }
  assert.fail(`${state} was seen too late ${ATTEMPTS} times`);
}

/** False where the state was not seen in time; nothing has happened then. */
async function bring(cluster: ChaosCluster, fault: Fault, state: State): Promise<boolean> {
  const leader = await cluster.startCoordinator();
  await Promise.all([
    fault.needsStandby === true ? cluster.startStandby() : undefined,
    cluster.startAgent("a1"),
    cluster.startAgent(VICTIM),
  ]);
  // Gathering lasts until the third one is there.
  await cluster.submit({
    ...(state === "gathering" ? { agents: { min: 3, waitMs: 90_000 } } : {}),
    ...(isUnled(fault, state) ? { load: loadOf(Math.max(SIZE.measuredMs, OUTLASTING_MS)) } : {}),
  });
  if (!(await seen(cluster, state))) return false;
  await fault.happen({ cluster, state, leader });
  if (state === "gathering") await cluster.startAgent("a3");
  const record = await untilOver(cluster);
  const report = await checkEnding(cluster, { record, fault, state });
  if (fault.needsStandby === true) {
    assert.equal(record.term, 2);
    // Before admission nothing of a run is anybody's yet: whoever leads then gathers as if it were the first.
    if (state !== "gathering") assert.equal(report?.leading?.leaders.length, 2);
    if (isUnled(fault, state)) assertUnled(report);
  }
  return true;
}

/** The load goes on meanwhile, so that the time without a leader is seen from its beginning to its end. */
const isUnled = (fault: Fault, state: State) => fault.leavesNobody === true && state === "running";

/** One span, as long as a lease lasts without its holder, or some seconds less. */
function assertUnled(report: RunReport | undefined): void {
  const { unled = [] } = report?.leading ?? {};
  const [span, ...others] = unled;
  const said = JSON.stringify(unled);
  assert.ok(span !== undefined && others.length === 0, said);
  assert.ok(span.toMs - span.fromMs >= UNLED_MS && span.toMs <= (report?.run.durationMs ?? 0), said);
}

/** Resolves at once when the run is in this state; false when it is past it. */
async function seen(cluster: ChaosCluster, state: State): Promise<boolean> {
  const wanted = state === "committed" ? "running" : state;
  const order: readonly RunState[] = RUN_STATES;
  const { state: found } = await until(
    cluster,
    (record) => order.indexOf(record.state) >= order.indexOf(wanted),
    wanted,
  );
  if (found !== wanted) return false;
  // Agents have begun, and have something to lose.
  if (state === "running") return cluster.cutting();
  return true;
}

/** Undefined where nothing was to be reported. */
async function checkEnding(
  cluster: ChaosCluster,
  { record, fault, state }: { readonly record: RunRecord; readonly fault: Fault; readonly state: State },
): Promise<RunReport | undefined> {
  const ending = fault.ending[state];
  const said = `${record.state}: ${record.problem?.message}`;
  if (ending !== "either") assert.equal(record.state === "completed" ? "completes" : "fails", ending, said);
  if (record.state !== "completed") {
    assert.equal(record.state, "failed", said);
    assert.match(said, fault.says ?? VICTIM_NAMED);
    // Who had armed before it died is missed when all were to begin: the others have, where anybody read the commit.
    if (record.start?.committed !== true || keptNothing(record)) {
      assert.ok(STATES.indexOf(state) <= STATES.indexOf("committed"), said);
      await cluster.assertNothingSent(RUN);
      return undefined;
    }
  }
  const { report, joined } = await cluster.join(record, { isNatsHit: fault.isOfNats === true });
  // Who reads the commit too late ends the run as it begins: the others may have completed nothing by then.
  const mayBeCutAtOnce = ending === "either" && record.state === "failed";
  assert.ok(joined.windows > 0, JSON.stringify(joined));
  assert.ok(mayBeCutAtOnce || (joined.finished > 0 && joined.byId > 0), JSON.stringify(joined));
  if (record.state === "completed") assertWhole(report);
  else assert.notEqual(report.verdict.status, "valid");
  cluster.t.diagnostic(JSON.stringify({ state: record.state, term: record.term, ...joined }));
  return report;
}

/** Each fault in every third state, and while it runs; all of them by scripts/chaos.mjs. */
const isChosen = (fault: number, state: number): boolean =>
  SIZE.isWhole || STATES[state] === "running" || (fault + state) % 3 === 0;

describe("kill matrix", { concurrency: SIZE.concurrency }, () => {
  for (const [i, fault] of faults.entries()) {
    for (const state of STATES.filter((_, k) => isChosen(i, k))) {
      test(`${fault.name}: ${state}`, CASE_LIMIT, (t) => runCase(t, fault, state));
    }
  }
});
