import assert from "node:assert/strict";
import type { PlanInput, RunReport } from "@tokenstorm/core";
import { startTcpProxy } from "@tokenstorm/testkit";
import type { TruthRecord } from "../integration/cli.js";
import { assertWhole, RUN, untilOver, untilState } from "../integration/killed-cluster.js";
import { type ChaosCluster, portOf, SIZE } from "./chaos-cluster.js";
import { readStamps } from "./joined-truth.js";

/** Long enough to go on when the target is there again: another process begins within seconds, where the machine is busy. */
const DURATION_MS = 3 * SIZE.measuredMs;
const RPS = 60;
/** In the agent's own time: beacons may come in a bunch. */
const INTERVALS_AWAY = 4;

const loads = {
  users: {
    kind: "users",
    stages: [{ users: SIZE.users, rampUpMs: 0, settleMs: 0, durationMs: DURATION_MS }],
  },
  arrivals: {
    kind: "arrival-rate",
    spacing: "even",
    maxInFlight: 400,
    stages: [{ fromRps: RPS, durationMs: DURATION_MS }],
  },
} as const satisfies Readonly<Record<string, PlanInput["load"]>>;
type LoadKind = keyof typeof loads;

export interface TargetFault {
  readonly name: string;
  readonly happen: (cluster: ChaosCluster) => Promise<void>;
  /** CI has no time for it. */
  readonly isLeftOut?: true;
}

const HALF = "one of two URLs refuses for some seconds";
const RESTART = "the target ends in mid-run, and another one is started on its port";

export const targetFaults: readonly TargetFault[] = [
  { name: `${HALF}: arrivals`, happen: (cluster) => halfIsDead(cluster, "arrivals") },
  { name: `${HALF}: users`, happen: (cluster) => halfIsDead(cluster, "users"), isLeftOut: true },
  { name: `${RESTART}: arrivals`, happen: (cluster) => isRestarted(cluster, "arrivals"), isLeftOut: true },
  { name: `${RESTART}: users`, happen: (cluster) => isRestarted(cluster, "users"), isLeftOut: true },
];

/** When nobody was let in, by the host's monotonic clock, us, as the target's log has it. */
interface Outage {
  readonly fromUs: number;
  readonly toUs: number;
}

const monotonicUs = (): number => Number(process.hrtime.bigint() / 1000n);

async function begin(cluster: ChaosCluster, load: LoadKind, urls: string[]): Promise<void> {
  await cluster.startCoordinator();
  // One has both URLs: an agent must not leave the one for the other's sake.
  await cluster.startAgent("a1");
  await cluster.submit({ target: { urls }, load: loads[load], agents: { min: 1, waitMs: 90_000 } });
  await untilState(cluster, "running");
  assert.ok(await cluster.cutting(), "the agent runs");
}

async function halfIsDead(cluster: ChaosCluster, load: LoadKind): Promise<void> {
  const { url } = cluster.simulator;
  const proxy = await startTcpProxy({ port: portOf(url), seed: SIZE.seed });
  cluster.t.after(() => proxy.close());
  await begin(cluster, load, [url, `http://127.0.0.1:${proxy.port}`]);
  await proxy.disconnect();
  const fromUs = monotonicUs();
  const passedBytes = proxy.passed.toServer;
  await cluster.intervals(INTERVALS_AWAY);
  const outage = { fromUs, toUs: monotonicUs() };
  assert.equal(proxy.passed.toServer, passedBytes, "nobody was let in");
  await proxy.restore();
  const { report, truth } = await ending(cluster);
  const [good, dead] = [0, 1].map((i) => truth.filter(({ id }) => numberOf(id) % 2 === i));
  assert.ok(good !== undefined && dead !== undefined);
  assert.ok(dead.some(isAfter(outage)), "it is loaded again");
  assert.ok(good.filter(isWithin(outage)).length > 0, "the other URL is loaded meanwhile");
  const target = report.stages[0]?.byTarget?.find(({ id }) => id === url);
  assert.ok(target !== undefined && target.completed > 0);
  assert.equal(target.failed, 0, "nothing fails at the other URL");
  checkFailures(cluster, { report, outage, load, share: 1 / 2 });
}

async function isRestarted(cluster: ChaosCluster, load: LoadKind): Promise<void> {
  await begin(cluster, load, [cluster.simulator.url]);
  const fromUs = monotonicUs();
  await cluster.endTarget();
  await cluster.intervals(INTERVALS_AWAY);
  await cluster.startTargetAgain();
  const outage = { fromUs, toUs: monotonicUs() };
  const { report, truth } = await ending(cluster);
  assert.ok(truth.some(isAfter(outage)), "it is loaded again");
  checkFailures(cluster, { report, outage, load, share: 1 });
}

async function ending(
  cluster: ChaosCluster,
): Promise<{ readonly report: RunReport; readonly truth: readonly TruthRecord[] }> {
  const record = await untilOver(cluster);
  assert.deepEqual([record.state, record.problem], ["completed", null]);
  // Among other things: nothing was sent twice.
  const { report, joined } = await cluster.join(record, { isWayBroken: true });
  cluster.t.diagnostic(JSON.stringify({ ...joined, failures: report.stages[0]?.failures }));
  assert.ok(joined.byId > 0);
  assertWhole(report);
  const truth = (await cluster.truth()).filter(({ id }) => id.startsWith(`ts-${RUN}-s`));
  return { report, truth };
}

/** What failed did so for want of a target; and whoever is dead was not hammered, though all that was due is accounted for. */
function checkFailures(
  { t, stampsFolder }: ChaosCluster,
  {
    report,
    outage,
    load,
    share,
  }: {
    readonly report: RunReport;
    readonly outage: Outage;
    readonly load: LoadKind;
    /** Of the load, that goes to who is dead. */
    readonly share: number;
  },
): void {
  const [level] = report.stages;
  const { offered = 0, failed = 0 } = level?.requests ?? {};
  const reasons = Object.keys(level?.failures ?? {});
  assert.ok(reasons.includes("connect-refused"), reasons.join());
  assert.deepEqual(
    reasons.filter((reason) => reason !== "connect-refused" && reason !== "stream-broken"),
    [],
  );
  const tried = (readStamps(stampsFolder, "a1", RUN) ?? []).filter(
    ({ outcome, sentUs }) => outcome === "failed" && sentUs === null,
  ).length;
  const outageS = Math.ceil((outage.toUs - outage.fromUs) / 1e6);
  t.diagnostic(JSON.stringify({ offered, failed, tried, outageS }));
  if (load === "users") {
    // Four pauses of 0.1 s and more, then one each second.
    const most = Math.ceil(SIZE.users * share) * (outageS + 5);
    assert.ok(tried > 0 && tried <= most, `${tried} connections were tried, at most ${most} may be`);
    return;
  }
  assert.equal(offered, (RPS * DURATION_MS) / 1000, "all that was planned was offered");
  // Twenty in a row, or what is due in a second that an agent is late to hear of them in; then ten a second.
  const most = Math.max(20, RPS * share) + 10 * (outageS + 1);
  assert.ok(tried > 20 && tried <= most, `${tried} connections were tried, at most ${most} may be`);
  assert.ok(failed > tried, "what is not tried fails all the same");
}

const isWithin =
  ({ fromUs, toUs }: Outage) =>
  ({ receivedUs }: TruthRecord): boolean =>
    receivedUs > fromUs && receivedUs < toUs;

const isAfter =
  ({ toUs }: Outage) =>
  ({ receivedUs }: TruthRecord): boolean =>
    receivedUs >= toUs;

/** Of the user, or the arrival: it says which URL the request goes to. */
function numberOf(id: string): number {
  const [, number] = /-s\d+-[uk](\d+)-/.exec(id) ?? [];
  assert.ok(number !== undefined, `${id} has no key`);
  return Number(number);
}
