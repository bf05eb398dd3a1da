import type { Random } from "@tokenstorm/testkit";
import type { LossPolicy } from "./draw-plan.js";
import { FAULT_STATES, type Fault, type Planned } from "./faults.js";

/** Up to three; and what comes with them. */
export function drawFaults(random: Random, agents: number, lossPolicy: LossPolicy): readonly Planned[] {
  const count = random.bool(0.1) ? 0 : random.int(1, 3);
  return Array.from({ length: count }, () => drawFault(random, agents, lossPolicy)).flatMap((planned) =>
    planned.fault.kind === "kill-leader" && random.bool(0.12)
      ? [planned, drawUnledStop(random, planned)]
      : [planned],
  );
}

/** Rare, and what some faults of a program show in alone. */
export function drawRare(random: Random): readonly Planned[] {
  switch (random.int(1, 20)) {
    // Some of the last results come after the verdict.
    case 1:
      return [{ state: "delivering", afterMs: random.int(0, 300), fault: { kind: "stop", level: "cut" } }];
    // What the log had lost is asked for again after two seconds.
    case 2:
      return [
        { state: "delivering", afterMs: random.int(1900, 2300), fault: { kind: "stop", level: "cut" } },
      ];
    // What nobody had confirmed is asked for again by another leader, who never saw it, and had been in the log before.
    case 3: {
      const afterMs = random.int(1000, 8000);
      const fault = { kind: "kill-leader", backMs: null, withLease: false } as const;
      return [
        { state: "running", afterMs, fault: { kind: "wipe-log" } },
        { state: "running", afterMs: afterMs + random.int(0, 20), fault },
      ];
    }
    default:
      return [];
  }
}

/** Somebody cuts a run when what is missing has been asked for again. */
export function isCutWhileAsked({ state, afterMs, fault }: Planned): boolean {
  return state === "delivering" && fault.kind === "stop" && fault.level === "cut" && afterMs >= 1900;
}

function drawFault(random: Random, agents: number, lossPolicy: LossPolicy): Planned {
  // Where a run survives its agents, they are lost while it runs.
  if (lossPolicy !== "fail" && random.bool(0.6)) {
    const fault = drawLoss(random, random.int(0, agents - 1));
    return { state: "running", afterMs: random.int(0, 10_000), fault };
  }
  // In a run that is long enough.
  if (lossPolicy === "reshard" && random.bool(0.3)) {
    const fault = { kind: "silence-leader", forMs: random.int(10_500, 15_000) } as const;
    return { state: "running", afterMs: random.int(0, 10_000), fault };
  }
  if (random.bool(0.2))
    return { state: "taken over", afterMs: random.int(0, 500), fault: drawSecond(random) };
  const state = random.pick(FAULT_STATES);
  return {
    state,
    // Agents arm within milliseconds.
    afterMs: random.bool(0.3) ? 0 : random.int(0, state === "arming" ? 4 : 4000),
    fault: drawKind(random, agents),
  };
}

/** Somebody stops the run when its leader has died, perhaps before another one leads. */
function drawUnledStop(random: Random, { state, afterMs }: Planned): Planned {
  const level = random.pick(["drain", "cut"] as const);
  return { state, afterMs: afterMs + random.int(1, 9000), fault: { kind: "stop", level } };
}

function drawLoss(random: Random, agent: number): Fault {
  const forMs = random.int(1000, 40_000);
  switch (random.pick(["kill", "restart", "pause", "partition"] as const)) {
    case "kill":
      return { kind: "kill-agent", agent };
    case "restart":
      return { kind: "restart-agent", agent, backMs: drawBackMs(random) };
    case "pause":
      return { kind: "pause-agent", agent, forMs };
    case "partition":
      return { kind: "partition", of: agent, direction: drawDirection(random), forMs };
  }
}

/** What hits whoever has just taken over. */
function drawSecond(random: Random): Fault {
  return random.bool(0.7)
    ? { kind: "cut-agents", forMs: random.int(2500, 4500) }
    : { kind: "kill-leader", backMs: random.int(100, 8000), withLease: random.bool(0.2) };
}

/** Each kind with its weight. */
function drawKind(random: Random, agents: number): Fault {
  const agent = random.int(0, agents - 1);
  const who = random.bool() ? ("leader" as const) : agent;
  const kinds: readonly (readonly [number, () => Fault])[] = [
    [40, () => drawKill(random)],
    [10, () => ({ kind: "pause-leader", forMs: random.int(1000, 20_000) })],
    [6, () => ({ kind: "pause-agent", agent, forMs: random.int(500, 4000) })],
    [20, () => ({ kind: "partition", of: who, direction: drawDirection(random), forMs: drawCutMs(random) })],
    [6, () => ({ kind: "restart-nats", forMs: random.int(500, 12_000) })],
    [3, () => ({ kind: "cut-agents", forMs: random.int(500, 4500) })],
    [4, () => ({ kind: "kill-agent", agent })],
    [12, () => ({ kind: "restart-agent", agent, backMs: drawBackMs(random) })],
    [4, () => ({ kind: "start-agent" })],
    [4, () => ({ kind: "stop", level: random.pick(["drain", "cut"]) })],
    [2, () => ({ kind: "close-leader" })],
    [8, () => ({ kind: "wipe-state" })],
    [3, () => ({ kind: "delete-lease" })],
    [4, () => ({ kind: "wipe-log" })],
    [6, () => ({ kind: "fill-log", forMs: random.int(1000, 10_000) })],
    [8, () => ({ kind: "fill-disk", forMs: random.int(1000, 20_000) })],
    [3, () => ({ kind: "other-epoch", agent })],
    [3, () => ({ kind: "step-wall", of: who, byMs: random.int(-900_000, 900_000) })],
  ];
  let roll = random.int(
    1,
    kinds.reduce((sum, [weight]) => sum + weight, 0),
  );
  const drawn = kinds.find(([weight]) => {
    roll -= weight;
    return roll <= 0;
  });
  if (drawn === undefined) throw new Error("no kind was drawn");
  return drawn[1]();
}

function drawKill(random: Random): Fault {
  const backMs = random.bool(0.4) ? null : random.int(100, 8000);
  return { kind: "kill-leader", backMs, withLease: random.bool(0.2) };
}

const drawDirection = (random: Random) => random.pick(["in", "out", "both"] as const);

const drawCutMs = (random: Random) => (random.bool(0.6) ? random.int(500, 4000) : random.int(4000, 20_000));

/** Some are back before anybody misses them. */
const drawBackMs = (random: Random) => (random.bool() ? random.int(100, 2000) : random.int(2000, 15_000));
