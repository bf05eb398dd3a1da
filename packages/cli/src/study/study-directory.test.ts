import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LoadError, requirePlan } from "@tokenstorm/core";
import { holdDataSets } from "./hold-data-sets.js";
import { openStudyDirectory } from "./study-directory.js";
import { type LoadedStudy, loadStudy } from "./study-file.js";

const FILE = {
  version: 1,
  name: "s",
  conditions: [{ name: "a", target: { urls: ["http://h:8000"] } }],
  suites: [
    { name: "x", phase: "ab", plan: { load: { kind: "users", stages: [{ users: 1, requests: 1 }] } } },
  ],
};

async function aStudy(t: TestContext): Promise<{ loaded: LoadedStudy; path: string }> {
  const folder = mkdtempSync(join(tmpdir(), "tokenstorm-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "s.json"), JSON.stringify(FILE));
  return { loaded: await loadStudy(join(folder, "s.json")), path: join(folder, "out") };
}

const first = { mode: "default", resume: false, restart: false } as const;
const again = { ...first, resume: true };
const done = { kind: "done", key: "x/a/1", run: "r", directory: "d" } as const;

test("what is done is remembered, and what was begun and not done was under way", async (t) => {
  const study = await aStudy(t);
  const one = await openStudyDirectory({ ...study, ...first });
  await one.append({ kind: "begun", key: "x/a/1" });
  await one.append(done);
  await one.append({ kind: "begun", key: "x/a/2" });
  await one.append({ kind: "begun", key: "x/a/3" });
  await one.append({ kind: "left", key: "x/a/3", why: "stopped" });
  await one.close();
  const two = await openStudyDirectory({ ...study, ...again });
  t.after(() => two.close());
  assert.deepEqual([...two.done().keys()], ["x/a/1"]);
  assert.deepEqual(two.underWay, ["x/a/2"]);
});

test("a line that was being written when the process died is dropped, and the next one is whole", async (t) => {
  const study = await aStudy(t);
  const one = await openStudyDirectory({ ...study, ...first });
  await one.append({ kind: "begun", key: "x/a/1" });
  await one.close();
  const journal = join(study.path, "journal.ndjson");
  appendFileSync(journal, '{"kind":"done","key":"x/a');
  const two = await openStudyDirectory({ ...study, ...again });
  await two.append(done);
  await two.close();
  const kinds = readFileSync(journal, "utf8")
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line).kind);
  assert.deepEqual(kinds, ["begun", "done"]);
});

test("a journal or a state that is no such thing is one clear error that names file and line", async (t) => {
  const study = await aStudy(t);
  await (await openStudyDirectory({ ...study, ...first })).close();
  writeFileSync(join(study.path, "journal.ndjson"), '{"kind":"begun","at":"","key":"x"}\n{"kind":"party"}\n');
  await assert.rejects(openStudyDirectory({ ...study, ...again }), /journal\.ndjson:2 cannot be read/);
  writeFileSync(join(study.path, "study.json"), "{}");
  await assert.rejects(
    openStudyDirectory({ ...study, ...again }),
    /study\.json cannot be read: schemaVersion/,
  );
  writeFileSync(join(study.path, "study.json"), "{");
  await assert.rejects(
    openStudyDirectory({ ...study, ...again }),
    /study\.json cannot be read: it is no JSON/,
  );
});

test("two processes do not work in one directory", async (t) => {
  const study = await aStudy(t);
  const one = await openStudyDirectory({ ...study, ...first });
  t.after(() => one.close());
  await assert.rejects(
    openStudyDirectory({ ...study, ...again }),
    (error) => error instanceof LoadError && /another tokenstorm study works in/.test(error.message),
  );
});

const planWith = (sha256: string) =>
  requirePlan({
    version: 1,
    target: { urls: ["http://h:8000"] },
    workload: { kind: "dataset", file: "prompts.jsonl", sha256, bytes: 9 },
    load: { kind: "users", stages: [{ users: 1, requests: 1 }] },
  });
const [before, after] = [planWith("a".repeat(64)), planWith("b".repeat(64))];

test("a data set that was edited after a run was done ends the study, also after it was resumed", async (t) => {
  const study = await aStudy(t);
  const one = await openStudyDirectory({ ...study, ...first });
  await holdDataSets(one, before);
  await one.append(done);
  await holdDataSets(one, before);
  await assert.rejects(holdDataSets(one, after), /prompts\.jsonl was edited .*one study/);
  await one.close();
  const two = await openStudyDirectory({ ...study, ...again });
  t.after(() => two.close());
  await holdDataSets(two, before);
  await assert.rejects(
    holdDataSets(two, after),
    (error) => error instanceof LoadError && error.code === "DATASET_INVALID",
  );
});

test("a data set may be corrected until a run is done, also after an attempt that failed, and what it is then holds", async (t) => {
  const study = await aStudy(t);
  const one = await openStudyDirectory({ ...study, ...first });
  await holdDataSets(one, before);
  await one.append({ kind: "begun", key: "x/a/1" });
  await one.append({ kind: "left", key: "x/a/1", why: "it failed" });
  await one.close();
  const two = await openStudyDirectory({ ...study, ...again });
  await holdDataSets(two, after);
  await two.append(done);
  await two.close();
  const three = await openStudyDirectory({ ...study, ...again });
  t.after(() => three.close());
  await holdDataSets(three, after);
  await assert.rejects(holdDataSets(three, before), /was edited/);
});

test("a plan whose files nobody has read is held for nothing", async (t) => {
  const one = await openStudyDirectory({ ...(await aStudy(t)), ...first });
  t.after(() => one.close());
  const { workload, ...rest } = before;
  assert.equal(workload.kind, "dataset");
  const unread = { ...rest, workload: { ...workload, sha256: undefined } };
  await assert.rejects(holdDataSets(one, unread), /prompts\.jsonl was not read/);
});

test("beginning anew keeps what was there, however often", async (t) => {
  const study = await aStudy(t);
  const one = await openStudyDirectory({ ...study, ...first });
  await one.append(done);
  await one.close();
  for (const n of [1, 2]) {
    const anew = await openStudyDirectory({ ...study, ...first, restart: true });
    assert.equal(anew.done().size, 0);
    await anew.close();
    assert.ok(existsSync(join(study.path, `before-${n}`, "study.json")));
  }
  assert.match(readFileSync(join(study.path, "before-1", "journal.ndjson"), "utf8"), /x\/a\/1/);
});
