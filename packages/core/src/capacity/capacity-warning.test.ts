import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentView } from "../run/agent-view.js";
import type { ShardAssignment } from "../run/run-record.js";
import { type Capacity, knownLimit } from "./capacity.js";
import { capacityWarning, isWarning } from "./capacity-warning.js";

interface Agent {
  readonly host: string;
  readonly planned?: number;
  readonly reader?: string;
  readonly capacity?: Capacity;
}

const carrying = (undici: number, raw: number, isAtLeast = false): Capacity => ({
  undici: { eventsPerS: undici, isAtLeast },
  raw: { eventsPerS: raw, isAtLeast },
});

function warningOf(agents: readonly Agent[]): string | null {
  const shards = agents.map(
    ({ host }, index): ShardAssignment => ({
      agent: `a${index}`,
      instance: `a${index}-1`,
      epoch: 1,
      index,
      host,
      version: "1",
      clockOffsetUs: 0,
      clockErrorUs: 0,
    }),
  );
  const views = agents.map((agent, index): [string, AgentView] => [`a${index}`, viewOf(agent, index)]);
  return capacityWarning(shards, new Map(views));
}

function viewOf({ host, planned, reader = "raw", capacity }: Agent, index: number): AgentView {
  const found = { version: "1", walkDigest: "d", model: "m", wordsPerToken: null, templateTokens: null };
  return {
    agent: `a${index}`,
    instance: `a${index}-1`,
    host,
    version: "1",
    labels: {},
    state: "ready",
    run: "r1",
    epoch: 1,
    ready: { ...found, serverVersion: null, reader, plannedEventsPerS: planned },
    armedAttempt: 0,
    startErrorUs: null,
    stage: -1,
    stageDone: -1,
    lastCut: 0,
    lastAcked: 0,
    ledger: null,
    vitals: null,
    problem: null,
    capacity,
    heardAtUs: 0,
    silentUs: 0,
    isContested: false,
  };
}

test("more than one host's processes carry is warned of in one line, with how many would do", () => {
  const agent = { host: "h1", planned: 50_000, capacity: carrying(20_000, 31_000) };
  const warning = warningOf([agent, agent]);
  assert.equal(
    warning,
    "warning: each agent process is to read up to 50,000 events/s, more than it carries with clean stamps on " +
      "h1 (2 processes: 31,000 each with raw); 4 processes would do instead of 2",
  );
  assert.ok(isWarning(warning ?? ""));
});

test("every host that carries too little is named, and the slowest says how many processes would do", () => {
  const capacity = carrying(20_000, 31_000);
  const warning = warningOf([
    { host: "h1", planned: 40_000, capacity },
    { host: "h2", planned: 40_000, reader: "undici", capacity },
    { host: "h3", planned: 40_000, capacity: carrying(0, 90_000) },
  ]);
  assert.match(
    warning ?? "",
    /on h1 \(1 process: 31,000 each with raw\), h2 \(1 process: 20,000 each with undici\); 6 processes would do instead of 3$/,
  );
});

test("many hosts make a line of bounded length", () => {
  const agents = Array.from({ length: 30 }, (_, i) => ({
    host: `h${i}`,
    planned: 2,
    capacity: carrying(1, 1),
  }));
  assert.match(warningOf(agents) ?? "", /h7 \(1 process: 1 each with raw\) and 22 more hosts; 60 processes/);
});

test("nothing is said where all is carried, or nothing is known", () => {
  const capacity = carrying(20_000, 31_000);
  const silent: readonly Agent[] = [
    { host: "h1", planned: 31_000, capacity },
    { host: "h1", planned: 99_000 },
    { host: "h1", capacity },
    { host: "h1", planned: 99_000, reader: "another", capacity },
    { host: "h1", planned: 99_000, capacity: carrying(20_000, 31_000, true) },
  ];
  for (const agent of silent) assert.equal(warningOf([agent]), null);
  assert.equal(warningOf([]), null);
});

test("a figure that may be larger is no limit", () => {
  assert.equal(knownLimit(carrying(5, 7), "raw"), 7);
  assert.equal(knownLimit(carrying(5, 7, true), "raw"), undefined);
  assert.equal(knownLimit(undefined, "raw"), undefined);
});
