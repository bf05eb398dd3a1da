import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { resolveStages, runsOf, STUDY_MODES, scheduleStudy, studyCost } from "@tokenstorm/core";
import { AITER_ABLATION, decodeStepMs, type ProfileName, profiles } from "@tokenstorm/simulator";
import { loadStudy } from "./study-file.js";

const folder = fileURLToPath(new URL("../../../../plans/study", import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

for (const name of files) {
  test(`plans/study/${name} is right, pins what it rests on, and has a cost in every mode`, async () => {
    const loaded = await loadStudy(join(folder, name));
    for (const mode of STUDY_MODES) {
      const steps = scheduleStudy(loaded.study, { mode });
      assert.ok(runsOf(steps).length > 0);
      const { total } = studyCost(steps, { ...loaded, mode });
      assert.deepEqual(total.unknown, [], "every cost has a source");
      assert.ok(total.atLeastMs <= total.aboutMs && total.aboutMs <= total.atMostMs);
    }
  });
}

test("every study that plans/study promises is there", () => {
  const expected = ["compatible", "compatible-simulated", "corrected", "fp8-kv-ab", "kv-offload-ab"];
  assert.deepEqual(files.map((name) => name.replace(".yaml", "")).toSorted(), expected);
});

test("the simulated study is over within an hour, and no suite streams more than 20,000 events a second", async () => {
  const loaded = await loadStudy(join(folder, "compatible-simulated.yaml"));
  const profileOf = new Map(
    loaded.study.file.conditions.map(({ name, simulated }) => [name, simulated?.profile]),
  );
  for (const mode of STUDY_MODES) {
    const steps = scheduleStudy(loaded.study, { mode });
    const { total } = studyCost(steps, { ...loaded, mode });
    assert.ok(total.aboutMs < 3_600_000, `${mode}: ${total.aboutMs / 60_000} minutes`);
    for (const { key, plan, condition, timeScale } of runsOf(steps)) {
      const stepMs = stepTime(profileOf.get(condition));
      for (const stage of resolveStages(plan)) {
        if (stage.kind !== "users") continue;
        const most = Math.min(
          stage.users,
          stage.bound.kind === "requests" ? stage.bound.requests : stage.users,
        );
        const eventsPerS = (timeScale * most * 1000) / stepMs(most);
        assert.ok(eventsPerS <= 20_000, `${key}, ${stage.name}: ${Math.round(eventsPerS)} events/s`);
      }
    }
  }
});

test("rows are marked as calibrated by what the simulator's own profiles say", async () => {
  const loaded = await loadStudy(join(folder, "compatible-simulated.yaml"));
  for (const { name, simulated } of loaded.study.file.conditions) {
    const profile = Object.entries(profiles).find(([id]) => id === simulated?.profile)?.[1];
    // The AITER arms are two series here.
    const said = profile?.provenance.calibratedBy.flatMap((id) =>
      id === AITER_ABLATION ? ["aiter-off", "aiter-on"] : [id],
    );
    assert.deepEqual(simulated?.calibratedBy.toSorted(), said?.toSorted(), name);
  }
});

/** One event for each sequence and step. */
function stepTime(profile: string | undefined): (sequences: number) => number {
  const names: readonly string[] = Object.keys(profiles);
  const isName = (name: string | undefined): name is ProfileName => names.includes(name ?? "");
  assert.ok(isName(profile), `no profile ${profile}`);
  const table = profiles[profile].decodeStepMs;
  return (sequences) => decodeStepMs(table, sequences);
}
