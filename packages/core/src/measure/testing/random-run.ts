import type { ResolvedStage } from "../../load/stages.js";
import type { Outcome, TokenSource } from "../outcome.js";
import type { ScriptedEvent, ScriptedRequest, ScriptedRun } from "./scripted-run.js";

type Random = () => number;

const WARM_UP = {
  kind: "users",
  index: 0,
  name: "warm-up",
  isWarmUp: true,
  users: 2,
  staying: 0,
  rampUpUs: 0,
  settleUs: 0,
  thinkUs: 0,
  bound: { kind: "requests", requests: 6, maxDurationUs: 3_600_000_000 },
} as const satisfies ResolvedStage;

/** A level of 12 users that is measured for a while after its ramp. */
export function userStage(
  index: number,
  times: { readonly rampUpUs: number; readonly settleUs: number; readonly durationUs: number },
  users = 12,
): ResolvedStage {
  return {
    kind: "users",
    index,
    name: `u${users}-${index}`,
    isWarmUp: false,
    users,
    staying: 0,
    rampUpUs: times.rampUpUs,
    settleUs: times.settleUs,
    thinkUs: 0,
    bound: { kind: "duration", durationUs: times.durationUs },
  };
}

/**
 * Stages of every kind, requests of every fate. Three stamps in ten lie on a multiple of 50 ms, so that edges of
 * intervals, phases, stages and grace times are all hit exactly.
 */
export function randomRun(random: Random, options: { readonly stops: boolean }): ScriptedRun {
  const stages: ResolvedStage[] = [
    WARM_UP,
    userStage(1, { rampUpUs: 150_000, settleUs: 50_000, durationUs: 500_000 }),
    userStage(2, { rampUpUs: 0, settleUs: 0, durationUs: 330_000 }),
    { kind: "rate", index: 3, name: "r9", isWarmUp: false, fromRps: 9, toRps: 9, durationUs: 250_000 },
    { kind: "rate", index: 4, name: "r9-5", isWarmUp: false, fromRps: 9, toRps: 5, durationUs: 120_000 },
    { ...WARM_UP, index: 5, name: "last", isWarmUp: false, users: 12 },
  ];
  const startsUs = [0, 300_000, 1_000_000, 1_330_000, 1_580_000, 1_700_000];
  const done = [
    { stage: 0, tUs: 217_000 },
    { stage: 5, tUs: 2_150_000 },
  ];
  const edgesUs = [217_000, 1_000_000, 1_330_000, 1_580_000, 1_700_000, 2_150_000];
  const graceUs = pick(random, [0, 150_000, 400_000]);
  const stopUs = options.stops && random() < 0.5 ? snapped(random, 400_000 + random() * 1_600_000) : null;
  const requests = stages.flatMap((stage, index) =>
    Array.from({ length: stage.isWarmUp ? 6 : 15 }, () => {
      const fromUs = startsUs[index] ?? 0;
      const lengthUs = (edgesUs[index] ?? 0) - fromUs - 1;
      const dueUs = Math.min(snapped(random, fromUs + random() * lengthUs), fromUs + lengthUs);
      return randomRequest(random, index, dueUs, stage.kind === "users" ? stage.users : null);
    }),
  );
  const kept = requests.filter(({ dueUs }) => stopUs === null || dueUs < stopUs);
  const lastUs = Math.max(...kept.map(({ drop, end }) => drop?.tUs ?? end?.tUs ?? 0), 2_600_000);
  return {
    stages,
    startsUs,
    commit: { tUs: 230_000, stage: 1 },
    done,
    stopUs,
    intervalUs: pick(random, [100_000, 70_000, 1_000_000]),
    graceUs,
    slos: { ttftMs: 60, tpotMs: 25, e2eMs: 250 },
    requests: kept,
    finishUs: snapped(random, lastUs + random() * 100_000) + 50_000,
  };
}

function randomRequest(random: Random, stage: number, dueUs: number, users: number | null): ScriptedRequest {
  const user = users === null ? null : Math.floor(random() * users);
  let tUs = dueUs;
  const later = (upToUs: number) => {
    tUs = Math.max(tUs, snapped(random, tUs + random() * upToUs));
    return tUs;
  };
  const base = {
    stage,
    user,
    dueUs,
    drop: null,
    beginUs: null,
    connectUs: null,
    sentUs: null,
    headersUs: null,
    events: [],
    staleRetry: false,
    end: null,
  };
  if (random() < 0.1) {
    return {
      ...base,
      drop: { tUs: later(90_000), reason: pick(random, ["in-flight-limit", "late"] as const) },
    };
  }
  const beginUs = later(30_000);
  const connectUs = random() < 0.4 ? Math.floor(random() * 3000) : null;
  if (random() < 0.1) {
    const outcome: Outcome = pick(random, [
      { kind: "failed", reason: "connect-refused" },
      { kind: "cancelled" },
    ] as const);
    return {
      ...base,
      beginUs,
      connectUs,
      end: { tUs: later(40_000), how: { outcome, usage: null, tokenSource: "none", finish: null } },
    };
  }
  const staleRetry = random() < 0.1;
  const sentUs = later(20_000);
  const headersUs = random() < 0.95 ? later(40_000) : null;
  const events = headersUs === null ? [] : randomEvents(random, later);
  return {
    ...base,
    beginUs,
    connectUs,
    sentUs,
    headersUs,
    events,
    staleRetry,
    end: randomEnd(random, events, later(30_000)),
  };
}

function randomEvents(random: Random, later: (upToUs: number) => number): ScriptedEvent[] {
  const events: ScriptedEvent[] = [];
  const arrivals = Math.floor(random() * 9);
  if (random() < 0.7) events.push({ tUs: later(20_000), tokens: 0, content: false, sameRead: false });
  for (let arrival = 0; arrival < arrivals; arrival += 1) {
    const tUs = later(60_000);
    const together = random() < 0.3 ? 1 + Math.floor(random() * 3) : 1;
    for (let i = 0; i < together; i += 1) {
      const tokens = random() < 0.2 ? 1 + Math.floor(random() * 4) : 1;
      events.push({ tUs, tokens, content: arrival > 1 || random() < 0.5, sameRead: i > 0 });
    }
  }
  return events;
}

function randomEnd(random: Random, events: readonly ScriptedEvent[], tUs: number): ScriptedRequest["end"] {
  const counted = events.reduce((sum, { tokens }) => sum + tokens, 0);
  const chance = random();
  if (counted === 0 || chance < 0.15) {
    return {
      tUs,
      how: {
        outcome: { kind: "failed", reason: "stream-broken" },
        usage: null,
        tokenSource: "events",
        finish: tUs % 2 === 0 ? "other" : null,
      },
    };
  }
  if (chance < 0.25)
    return {
      tUs,
      how: { outcome: { kind: "cancelled" }, usage: null, tokenSource: "events", finish: "stop" },
    };
  const tokenSource: TokenSource = pick(random, ["usage", "continuous", "events"] as const);
  // Usage knows of more now and then.
  const output = random() < 0.2 ? counted + Math.floor(random() * 3) : counted;
  const usage =
    tokenSource === "events" ? null : { prompt: 5 + Math.floor(random() * 50), cachedPrompt: 3, output };
  const finish = tUs % 3 === 0 ? "stop" : "length";
  return { tUs, how: { outcome: { kind: "completed" }, usage, tokenSource, finish } };
}

function snapped(random: Random, tUs: number): number {
  return random() < 0.3 ? Math.round(tUs / 50_000) * 50_000 : Math.round(tUs);
}

export function pick<T>(random: Random, from: readonly T[]): T {
  const picked = from[Math.floor(random() * from.length)];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
}
