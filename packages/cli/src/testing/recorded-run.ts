import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  createRecorder,
  type PlanInput,
  type RunFacts,
  requirePlan,
  resolveStages,
  type Snapshot,
  type Vitals,
} from "@tokenstorm/core";
import { resultToLine } from "@tokenstorm/protocol";
import { CALM_FIGURES } from "@tokenstorm/testkit";

const SECONDS = 12;

const vitals: Omit<Vitals, "scheduleLagP99Us" | "coalescedShare"> = {
  ...CALM_FIGURES,
  openSockets: 1,
  descriptors: 1,
  descriptorLimit: 100,
};

/**
 * Writes the directory of a run of one user, 12 s long, whose requests take so long and bring ten tokens each; says where. What a
 * coordinator would have written, without one.
 */
export function writeRecordedRun(out: string, id: string, e2eUs: number): string {
  const input: PlanInput = {
    version: 1,
    target: { urls: ["http://127.0.0.1:8000"] },
    load: { kind: "users", stages: [{ users: 1, rampUpMs: 0, settleMs: 0, durationMs: SECONDS * 1000 }] },
    warmUp: { requests: 0 },
  };
  const plan = requirePlan(input);
  const snapshots: Snapshot[] = [];
  const recorder = createRecorder({
    ...{ run: id, agent: "a", epoch: 1, stages: resolveStages(plan), stageStartsUs: [0] },
    ...{ intervalUs: 1_000_000, gracePeriodUs: 1_000_000, slos: undefined },
    vitals: () => vitals,
    onSnapshot: (snapshot) => snapshots.push(snapshot),
  });
  for (let tUs = 0; tUs + e2eUs <= SECONDS * 1_000_000; tUs += e2eUs) {
    const asked = { askedPromptTokens: 10, askedOutputTokens: 10 };
    const sample = recorder.offer({ stage: 0, dueUs: tUs, user: 0, ...asked });
    recorder.begin(sample, tUs);
    recorder.sent(sample, tUs);
    recorder.headers(sample, tUs + 1000);
    for (let i = 1; i <= 10; i += 1)
      recorder.event(sample, tUs + Math.round((e2eUs * i) / 11), 1, true, false);
    recorder.end(sample, tUs + e2eUs - 1, {
      outcome: { kind: "completed" },
      usage: { prompt: 10, cachedPrompt: 0, output: 10 },
      tokenSource: "usage",
      finish: "length",
    });
  }
  recorder.advance(SECONDS * 1_000_000);
  const final = recorder.finish(SECONDS * 1_000_000, { startErrorUs: 3, evicted: 0, reader: "raw" });
  const facts: RunFacts = {
    schemaVersion: 1,
    record: {
      ...{ v: 1, id, name: "test", createdAtMs: 1, plan, planDigest: "d", salt: id, state: "completed" },
      ...{ term: 1, leader: "l", revision: 9, stageStartsUs: [0], problem: null, result: null },
      shards: [
        {
          ...{ agent: "a", instance: "i", epoch: 1, index: 0, host: "h", version: "0" },
          ...{ clockOffsetUs: 0, clockErrorUs: 5 },
        },
      ],
      start: { attempt: 1, committed: true, leaderUs: 0, epochUs: 1_790_000_000_000_000, localUs: { a: 0 } },
      stop: { level: "none", reason: "" },
    },
    ...{ transport: "nats", version: "0", model: "m", wordsPerToken: null, templateTokens: null },
    ...{
      serverVersion: null,
      endedAtMs: 4000,
      endUs: SECONDS * 1_000_000,
      serverBefore: null,
      serverAfter: null,
    },
    refusals: 0,
  };
  const directory = join(out, `2026-03-14-test-${id}`);
  mkdirSync(directory);
  const lines = [
    ...snapshots.map((snapshot) => resultToLine({ kind: "snapshot", snapshot })),
    resultToLine({ kind: "final", final }),
  ];
  writeFileSync(join(directory, "run.json"), JSON.stringify({ schemaVersion: 1, facts }));
  writeFileSync(join(directory, "snapshots.ndjson"), `${lines.join("\n")}\n`);
  return directory;
}
