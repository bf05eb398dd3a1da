import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import {
  isTerminal,
  LoadError,
  type PlanInput,
  type RunRecord,
  type RunReport,
  type RunState,
  requirePlan,
} from "@tokenstorm/core";
import { decodeHeartbeat, readRun, subjects, submitRun, type Transport } from "@tokenstorm/protocol";
import { connectNats } from "@tokenstorm/protocol/nats";
import { type Running, type Simulator, scratch, startSimulator } from "./cli.js";
import { startAgent, startNats, type TestNats } from "./cluster.js";

export const RUN = "k1";
export const LIMIT_MS = 90_000;
const LOOK_MS = 5;

export interface Cluster {
  readonly nats: TestNats;
  readonly simulator: Simulator;
  readonly transport: Transport;
  readonly agents: readonly Running[];
}

export interface ClusterOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly simulatorArgs?: readonly string[];
}

export async function openCluster(
  t: TestContext,
  { env = {}, simulatorArgs = [] }: ClusterOptions = {},
): Promise<Cluster | undefined> {
  const nats = await startNats(t);
  if (nats === undefined) return undefined;
  // Requests of some 300 ms: a drain lasts long enough to be seen.
  const simulator = await startSimulator(t, ["--time-scale", "4", ...simulatorArgs]);
  const transport = await connectNats({ servers: [nats.url], role: "coordinator", name: "test" });
  t.after(() => transport.close());
  const agents = await Promise.all(
    ["a1", "a2"].map((id) => startAgent(t, nats, ["--id", id], { cwd: scratch(t), env })),
  );
  return { nats, simulator, transport, agents };
}

export async function submit(
  { transport, simulator }: Pick<Cluster, "transport" | "simulator">,
  change: Partial<PlanInput> = {},
): Promise<void> {
  const plan = requirePlan({
    version: 1,
    target: { urls: [simulator.url] },
    workload: { inputTokens: 32, outputTokens: 16 },
    load: { kind: "users", stages: [{ users: 6, rampUpMs: 0, settleMs: 0, durationMs: 6000 }] },
    warmUp: { requests: 0 },
    agents: { min: 2, waitMs: 30_000 },
    deliverMs: 60_000,
    ...change,
  });
  await submitRun({ transport, subjects: subjects() }, { plan, id: RUN, salt: "s", createdAtMs: Date.now() });
}

/** Looks until the store shows it: what follows hangs on what was seen, not on how long something took. */
export async function until(
  { transport }: Pick<Cluster, "transport">,
  holds: (record: RunRecord) => boolean,
  what: string,
  lookMs = LOOK_MS,
): Promise<RunRecord> {
  const untilMs = performance.now() + LIMIT_MS;
  for (;;) {
    const record = await readWhenThere(transport);
    if (record !== undefined && holds(record)) return record;
    const state = record?.state ?? "not to be read";
    assert.ok(
      record === undefined || !isTerminal(record.state),
      `the run is ${state}, not ${what}: ${record?.problem?.message}`,
    );
    assert.ok(performance.now() < untilMs, `not within ${LIMIT_MS} ms: ${what}; it is ${state}`);
    await wait(lookMs);
  }
}

/** Undefined while NATS does not answer, or has lost it. */
async function readWhenThere(transport: Transport): Promise<RunRecord | undefined> {
  try {
    return (await readRun(transport, RUN)).record;
  } catch (error) {
    if (error instanceof LoadError && (error.code === "BUS_UNAVAILABLE" || error.code === "RUN_UNKNOWN"))
      return undefined;
    throw error;
  }
}

export const untilState = (cluster: Pick<Cluster, "transport">, state: RunState) =>
  until(cluster, (record) => record.state === state, state);

export const untilOver = (cluster: Pick<Cluster, "transport">) =>
  until(cluster, ({ state }) => isTerminal(state), "over", 20 * LOOK_MS);

/** Some agent says that it has cut so many intervals: there is something to lose. */
export async function untilCut({ transport }: Pick<Cluster, "transport">, seq: number): Promise<void> {
  let close: () => void = () => undefined;
  await new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`interval ${seq} was never cut`)), LIMIT_MS);
    const heard = transport.bus.subscribe(subjects().heartbeats, ({ data }) => {
      if (decodeHeartbeat(data).lastCut < seq) return;
      clearTimeout(limit);
      resolve();
    });
    close = () => heard.close();
  }).finally(() => close());
}

/** Every request that the simulator finished is in the report, and no other: joined by request id. */
export async function assertJoined({ simulator }: Cluster, report: RunReport): Promise<void> {
  const requests = (await simulator.truth()).filter(({ id }) => id.startsWith(`ts-${RUN}-`));
  const ids = new Set(requests.map(({ id }) => id));
  assert.equal(ids.size, requests.length, "no request was sent twice");
  const finished = requests.filter(({ finishReason }) => finishReason === "length");
  assert.equal(report.totals.requests.completed, finished.length);
}

export function assertWhole(report: RunReport): void {
  const { completeness } = report;
  assert.deepEqual(completeness.missing, []);
  assert.ok(completeness.intervalsExpected > 0);
  assert.equal(completeness.intervalsReceived, completeness.intervalsExpected);
  assert.equal(completeness.samplesMerged, completeness.samplesRecorded);
}
