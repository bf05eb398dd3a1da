// Writes ours.hlog, the log of HDR histograms of a made-up run, into the folder named: node scripts/golden-hlog.mjs FOLDER. Called by
// golden-hlog.sh; needs a build. The same log comes out every time, but for how zlib packs it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { IntervalFold } from "../packages/core/dist/index.js";
import { playOn } from "../packages/core/dist/measure/testing/cluster.js";
import { closedLoop, planOf, runOf } from "../packages/core/dist/measure/testing/run-facts.js";
import { seeded } from "../packages/core/dist/measure/testing/seeded.js";
import { deflatePayload } from "../packages/protocol/dist/index.js";
import { logHeader, logLines } from "../packages/report/dist/index.js";

const S = 1_000_000;
const SECONDS = 5;
const AGENTS = 2;
const users = [2, 6];

/** Answers of 10 ms to about 20 s, so that lines of unlike magnitude stand in one log. */
export function goldenLog() {
  const random = seeded(3);
  const stages = users.map((count) => ({
    users: count,
    rampUpMs: 1000,
    settleMs: 0,
    durationMs: SECONDS * 1000,
  }));
  const plan = planOf({ load: { kind: "users", stages } });
  const requests = users.flatMap((count, stage) =>
    closedLoop({
      ...{ stage, users: count, fromUs: stage * 6 * S, toUs: (stage + 1) * 6 * S },
      e2eUs: () => Math.round(10_000 * Math.exp(7.6 * random() ** 4)),
    }),
  );
  const run = runOf(plan, requests);
  const fold = new IntervalFold(AGENTS);
  for (const { snapshots } of playOn(run, AGENTS)) for (const snapshot of snapshots) fold.add(snapshot);
  const base64 = (payload) => Buffer.from(deflatePayload(payload)).toString("base64");
  const stageNames = run.stages.map(({ name }) => name);
  return [
    ...logHeader({ id: "golden", version: "0.1.0" }, 1_790_000_000_000_000),
    ...fold.takeRest().flatMap((interval) => logLines(interval, { stageNames, base64 })),
  ];
}

const folder = process.argv[2];
if (folder !== undefined) writeFileSync(join(folder, "ours.hlog"), `${goldenLog().join("\n")}\n`);
