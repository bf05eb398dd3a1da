import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PlanInput } from "@tokenstorm/core";
import { type Direction, startTcpProxy, type TcpProxy } from "@tokenstorm/testkit";
import type { Running } from "../integration/cli.js";
import { assertWhole, until, untilOver, untilState } from "../integration/killed-cluster.js";
import { CASE_LIMIT, type ChaosCluster, onCluster, portOf, SIZE } from "./chaos-cluster.js";
import { targetFaults } from "./target-faults.js";

/** Whose way to NATS, or the agents' way to the target, goes through the proxy. */
type Way = "an agent and NATS" | "the leader and NATS" | "everybody and NATS" | "agents and the target";

interface Case {
  readonly name: string;
  readonly way: Way;
  /** From the start; else the way is good until agents have cut an interval. */
  readonly before?: (proxy: TcpProxy) => void;
  readonly happen: (world: World) => Promise<void>;
  readonly plan?: Partial<PlanInput>;
  readonly needsStandby?: boolean;
  /** What fails of the agent, by name; all the rest completes and is whole. */
  readonly fails?: true;
  /** The first token can have come no sooner, us. */
  readonly leastTtftUs?: number;
  /** Reasons that requests must have failed for. */
  readonly reasons?: RegExp;
  /** CI has no time for it: another one shows nearly the same. */
  readonly isLeftOut?: true;
}

interface World {
  readonly cluster: ChaosCluster;
  readonly proxy: TcpProxy;
  readonly leader: Running;
}

const held = { isHeld: true } as const;
/** Shorter than the 5 s of silence after which an agent is lost, and longer. */
const [FEW_BEACONS, MANY_BEACONS] = [3, 8];

const holds =
  (directions: readonly Direction[], beacons: number) =>
  async ({ cluster, proxy }: World) => {
    for (const direction of directions) proxy.set({ [direction]: held });
    await cluster.beacons(beacons);
    proxy.setBoth();
  };

/** The other coordinator takes over meanwhile; the one that was cut off finds that out by itself. */
const untilTakenOver =
  (directions: readonly Direction[]) =>
  async ({ cluster, proxy, leader }: World) => {
    for (const direction of directions) proxy.set({ [direction]: held });
    await until(cluster, ({ term }) => term === 2, "taken over");
    proxy.setBoth();
    await leader.line(/leads no more/);
  };

const untilGivenUp =
  (directions: readonly Direction[]) =>
  async ({ cluster, proxy }: World) => {
    for (const direction of directions) proxy.set({ [direction]: held });
    await untilOver(cluster);
    proxy.setBoth();
    await cluster.idle(CUT_OFF);
  };

const CUT_OFF = "a2";
const both = ["toServer", "toClient"] as const;

const cases: readonly Case[] = [
  {
    name: "both ways are held for three beacons",
    way: "an agent and NATS",
    happen: holds(both, FEW_BEACONS),
  },
  {
    name: "both ways are held for longer than 5 s",
    way: "an agent and NATS",
    fails: true,
    happen: untilGivenUp(both),
  },
  {
    name: "what it says is held for three beacons",
    way: "an agent and NATS",
    isLeftOut: true,
    happen: holds(["toServer"], FEW_BEACONS),
  },
  {
    name: "what it says is held for longer than 5 s",
    way: "an agent and NATS",
    fails: true,
    happen: untilGivenUp(["toServer"]),
  },
  {
    name: "what it hears is held for longer than 5 s: it is heard itself, and nothing is lost",
    way: "an agent and NATS",
    happen: holds(["toClient"], MANY_BEACONS),
  },
  {
    name: "nobody is let in for two beacons",
    way: "an agent and NATS",
    happen: async ({ cluster, proxy }) => {
      await proxy.disconnect();
      await cluster.beacons(2);
      await proxy.restore();
    },
  },
  {
    name: "it is reset, and again in the midst of the next handshake",
    way: "an agent and NATS",
    happen: async ({ cluster, proxy }) => {
      await cluster.beacons(1);
      // With the server's greeting; the next one comes when this one is given up, after two seconds.
      proxy.resetAfter({ min: 1, max: 1 });
      proxy.reset();
      while (proxy.resets === 0) await cluster.beacons(1);
      proxy.resetAfter(null);
    },
  },
  {
    // A fourth could make up the 5 s of silence after which an agent is lost: leader and agent must both be back to be heard.
    name: "every connection is reset with each of three beacons",
    way: "everybody and NATS",
    happen: async ({ cluster, proxy }) => {
      for (let i = 0; i < 3; i += 1) {
        await cluster.beacons(1);
        proxy.reset();
      }
    },
  },
  {
    name: "50 to 100 ms each way, and 64 kB/s",
    way: "everybody and NATS",
    before: (proxy) => proxy.setBoth({ delayMs: 50, jitterMs: 50, bytesPerS: 64_000 }),
    happen: async () => undefined,
  },
  ...([both, ["toServer"], ["toClient"]] as const).map((directions): Case => {
    const what =
      directions.length === 2
        ? "both ways are"
        : directions[0] === "toServer"
          ? "what it says is"
          : "what it hears is";
    return {
      name: `${what} held until another coordinator has taken over`,
      way: "the leader and NATS",
      needsStandby: true,
      ...(directions.length === 2 ? { isLeftOut: true } : {}),
      happen: untilTakenOver(directions),
    };
  }),
  {
    name: "100 ms each way, and 256 kB/s",
    way: "agents and the target",
    before: (proxy) => proxy.setBoth({ delayMs: 100, bytesPerS: 256_000 }),
    leastTtftUs: 200_000,
    happen: async () => undefined,
  },
  {
    name: "connections are reset in the middle of answers",
    way: "agents and the target",
    before: (proxy) => proxy.resetAfter({ min: 2000, max: 40_000 }),
    reasons: /stream-broken/,
    happen: async () => undefined,
  },
  {
    name: "answers stall for longer than the plan allows",
    way: "agents and the target",
    plan: { timeouts: { connectMs: 1000, ttftMs: 1500, stallMs: 1000, totalMs: 10_000 } },
    reasons: /stall-timeout/,
    // However late it begins: what stalls is seen, and until then nothing is let through.
    happen: async ({ cluster, proxy }) => {
      proxy.set({ toClient: held });
      await cluster.failing();
      proxy.setBoth();
    },
  },
  {
    name: "nobody is let in for two beacons",
    way: "agents and the target",
    reasons: /connect-refused/,
    happen: async ({ cluster, proxy }) => {
      await proxy.disconnect();
      await cluster.beacons(2);
      await proxy.restore();
    },
  },
];

async function bring(cluster: ChaosCluster, one: Case): Promise<void> {
  const { t } = cluster;
  const isTarget = one.way === "agents and the target";
  const proxy = await startTcpProxy({
    port: portOf(isTarget ? cluster.simulator.url : cluster.nats.url),
    seed: SIZE.seed,
  });
  t.after(() => proxy.close());
  const away = `nats://127.0.0.1:${proxy.port}`;
  const isAll = one.way === "everybody and NATS";
  const leader = await cluster.startCoordinator(
    isAll || one.way === "the leader and NATS" ? away : undefined,
  );
  await Promise.all([
    one.needsStandby === true ? cluster.startStandby() : undefined,
    cluster.startAgent("a1", isAll ? { natsUrl: away } : {}),
    cluster.startAgent(CUT_OFF, isAll || one.way === "an agent and NATS" ? { natsUrl: away } : {}),
  ]);
  one.before?.(proxy);
  const target = { urls: [isTarget ? `http://127.0.0.1:${proxy.port}` : cluster.simulator.url] };
  // Long enough to go on when the way is good again.
  const durationMs = SIZE.measuredMs * (isTarget ? 2 : 1);
  const stage = { users: SIZE.users, rampUpMs: 0, settleMs: 0, durationMs };
  await cluster.submit({ target, load: { kind: "users", stages: [stage] }, ...one.plan });
  await untilState(cluster, "running");
  assert.ok(await cluster.cutting(), "agents run");
  await one.happen({ cluster, proxy, leader });
  const record = await untilOver(cluster);
  const said = `${record.state}: ${record.problem?.message}`;
  assert.equal(record.state, one.fails === true ? "failed" : "completed", said);
  if (one.fails === true) assert.match(said, new RegExp(`agent ${CUT_OFF} on .* was lost`));
  const { report, joined } = await cluster.join(record, { isWayBroken: one.reasons !== undefined });
  t.diagnostic(`seed ${SIZE.seed}: ${JSON.stringify({ ...joined, passed: proxy.passed })}`);
  assert.ok(joined.finished > 0 && joined.windows > 0 && joined.byId > 0);
  if (one.fails === true) assert.notEqual(report.verdict.status, "valid");
  else assertWhole(report);
  for (const { latencyUs } of report.stages) {
    const ttftUs = latencyUs.ttft.min ?? 0;
    assert.ok(ttftUs >= (one.leastTtftUs ?? 0), `first tokens after ${ttftUs} us`);
  }
  const failed = report.stages.flatMap(({ failures }) => Object.keys(failures)).join(" ");
  if (one.reasons === undefined) assert.equal(failed, "");
  else assert.match(failed, one.reasons);
}

describe("the network", { concurrency: SIZE.concurrency }, () => {
  const isChosen = ({ isLeftOut }: { readonly isLeftOut?: true }) => SIZE.isWhole || isLeftOut !== true;
  for (const one of cases.filter(isChosen)) {
    test(`between ${one.way}: ${one.name}`, CASE_LIMIT, (t) =>
      onCluster(t, undefined, (cluster) => bring(cluster, one)),
    );
  }
  for (const { name, happen } of targetFaults.filter(isChosen)) {
    test(name, CASE_LIMIT, (t) => onCluster(t, undefined, happen));
  }
});
