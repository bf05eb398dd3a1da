import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { StudyReport } from "@tokenstorm/core";
import { findNatsServer, startNatsServer } from "@tokenstorm/protocol/nats";
import { untilHolds } from "@tokenstorm/testkit";
import { assertClearFailure, type Finished, runCli, scratch, startCli, startSimulator } from "./cli.js";

/** A study of two conditions and two repeats behind one simulator, whose switch leaves a line in `switched.log`. */
function aStudy(url: string, over: object = {}) {
  const hooks = {
    kind: "command",
    switch: ["/bin/sh", "switch.sh", "{condition}"],
    healthWaitMs: "20s",
    timeLimitMs: "20s",
  };
  return {
    version: 1,
    name: "two",
    repeats: 2,
    order: "interleaved",
    conditions: ["a", "b"].map((name) => ({ name, target: { urls: [url] }, hooks })),
    suites: [
      {
        name: "levels",
        phase: "ab",
        timeScale: 20,
        pairs: [{ a: "a", b: "b" }],
        plan: {
          workload: { inputTokens: 32, outputTokens: 64 },
          warmUp: { requests: 0 },
          load: { kind: "users", stages: [{ users: 2, requests: 12, rampUpMs: 0 }] },
        },
      },
    ],
    ...over,
  };
}

interface Written {
  readonly file: string;
  readonly folder: string;
  /** The study's directory. */
  readonly out: string;
  switches(): string[];
  write(study: object): void;
}

function written(t: TestContext, study: object): Written {
  const folder = scratch(t);
  const file = join(folder, "study.json");
  writeFileSync(join(folder, "switch.sh"), 'echo "$1" >> switched.log\n');
  const write = (changed: object) => writeFileSync(file, JSON.stringify(changed));
  write(study);
  const log = join(folder, "switched.log");
  return {
    file,
    folder,
    out: join(folder, "out"),
    write,
    switches: () => (existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : []),
  };
}

const flags = ["--ui", "plain", "--processes", "1", "--allow-hooks"];
const study = (t: TestContext, { file, out }: Written, ...more: string[]): Promise<Finished> =>
  runCli(t, ["study", file, "--out", out, ...flags, ...more], { limitMs: 240_000 });

const keysOf = (report: StudyReport) =>
  report.suites.flatMap(({ cells }) => cells.flatMap(({ runs }) => runs.map(({ key }) => key))).toSorted();
const ALL = ["levels/a/1", "levels/a/2", "levels/b/1", "levels/b/2"];

test("a study that is interrupted in a run drains it, says how to go on, and goes on where it stopped", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "2"]);
  const place = written(t, aStudy(simulator.url));
  const first = startCli(t, ["study", place.file, "--out", place.out, ...flags], { limitMs: 240_000 });
  await first.line(/^\[2\/4\] levels, b, repeat 1 of 2/);
  // The second run's directory is made when it begins to send.
  assert.ok(await untilHolds(() => readdirSync(join(place.out, "runs")).length >= 2, 60_000));
  first.signal("SIGINT");
  const stopped = await first.finished;
  assert.equal(stopped.code, 105, stopped.stderr);
  assert.match(stopped.stderr, /draining: requests in flight may finish/);
  assert.doesNotMatch(stopped.stderr, /by an error of the command/, "it was drained, not cut");
  assert.match(stopped.stderr, /it goes on with: tokenstorm study .* --allow-hooks --resume/);

  const changed = aStudy(simulator.url, { repeats: 3 });
  place.write(changed);
  assertClearFailure(await study(t, place, "--resume"), {
    code: 104,
    says: /is not what the study in .* was begun with/,
  });
  place.write(aStudy(simulator.url));
  assertClearFailure(await study(t, place), { code: 104, says: /there is a study in .* already/ });
  assertClearFailure(await study(t, place, "--resume", "--mode", "quick"), {
    code: 104,
    says: /was begun in mode default, not quick/,
  });

  const resumed = await study(t, place, "--resume", "--json");
  assert.ok([0, 110].includes(resumed.code ?? -1), resumed.stderr);
  assert.match(resumed.stderr, /[12] runs? (is|are) done/);
  const report: StudyReport = JSON.parse(resumed.stdout);
  assert.deepEqual(keysOf(report), ALL);
  const runs = report.suites.flatMap(({ cells }) => cells.flatMap((cell) => cell.runs));
  assert.equal(new Set(runs.map(({ salt }) => salt)).size, 4, "every repeat has a salt of its own");
  for (const { directory } of runs) assert.ok(existsSync(join(place.out, directory, "snapshots.ndjson")));
  // a | b, b (one switch), a; and one more for what went on.
  const switches = place.switches();
  assert.equal(switches[0], "a");
  assert.ok(switches.length >= 4, switches.join());
  const kept: StudyReport = JSON.parse(readFileSync(join(place.out, "study-report.json"), "utf8"));
  assert.deepEqual(kept, report);
});

test("a study that is killed repeats the run that was under way, and says so", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "1"]);
  const once = aStudy(simulator.url, { repeats: 1 });
  const place = written(t, {
    ...once,
    conditions: once.conditions.slice(0, 1),
    suites: [{ ...once.suites[0], pairs: [] }],
  });
  const first = startCli(t, ["study", place.file, "--out", place.out, ...flags], { limitMs: 240_000 });
  await first.line(/measured/);
  first.signal("SIGKILL");
  await first.finished;
  const resumed = await study(t, place, "--resume", "--json");
  assert.match(resumed.stderr, /levels\/a\/1 was under way when the study stopped: it is repeated/);
  assert.deepEqual(keysOf(JSON.parse(resumed.stdout)), ["levels/a/1"]);
  // Done is done: once more there is nothing to do, and the report is told again.
  const again = await study(t, place, "--resume", "--json");
  assert.match(again.stderr, /nothing is left to do/);
  assert.equal(again.stdout, resumed.stdout);
  const told = await runCli(t, ["study", place.file, "--out", place.out, "--report", "--json"]);
  assert.equal(told.stdout, resumed.stdout, "and needs no leave to run anything");
  const anew = await study(t, place, "--restart", "--dry-run");
  assert.equal(anew.code, 0);
});

test("commands of a study file run only when they are allowed, and --dry-run shows them", async (t) => {
  const place = written(t, aStudy("http://127.0.0.1:9"));
  const refused = await runCli(t, ["study", place.file, "--out", place.out]);
  assertClearFailure(refused, {
    code: 2,
    says: /runs 2 commands of its own, such as \/bin\/sh switch\.sh a/,
  });
  assert.match(refused.stderr, /give --allow-hooks/);
  assert.equal(existsSync(place.out), false, "nothing was made");
  const dry = await runCli(t, ["study", place.file, "--dry-run"]);
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /switch to b: \/bin\/sh switch\.sh b/);
  assert.match(dry.stdout, /4 runs, 3 switches of the server: more than [\d.]+ h/);
  assert.deepEqual(place.switches(), []);
});

const hookOf = (hooks: object) => ({
  conditions: [{ name: "a", target: { urls: ["http://127.0.0.1:9"] }, hooks: { kind: "command", ...hooks } }],
  suites: [{ ...aStudy("").suites[0], pairs: [] }],
});

const failing: readonly (readonly [string, object, RegExp])[] = [
  [
    "a switch that fails",
    hookOf({ switch: ["/bin/sh", "-c", "echo no such image >&2; exit 3"] }),
    /the command .* ended with code 3: no such image/,
  ],
  [
    "a switch that hangs",
    hookOf({ switch: ["sleep", "600"], timeLimitMs: 500 }),
    /was not done within 500 ms/,
  ],
  [
    "a switch that is not there",
    hookOf({ switch: ["./none-such"] }),
    /could not be started: there is no such file/,
  ],
  [
    "a server that is not healthy",
    hookOf({ switch: ["true"], healthWaitMs: 600 }),
    /127\.0\.0\.1:9\/health was not healthy within 600 ms: connection refused/,
  ],
  [
    "a server that ends before it is healthy",
    hookOf({ serve: ["/bin/sh", "-c", "echo out of memory; exit 1"] }),
    /ended with code 1 before .* answered: out of memory/,
  ],
];

for (const [what, over, says] of failing) {
  test(`${what} is one clear line, exit code 1, and how to go on`, async (t) => {
    const place = written(t, aStudy("", over));
    const result = await study(t, place);
    assertClearFailure(result, { code: 1, says });
    assert.match(result.stderr, /it goes on with: tokenstorm study/);
  });
}

test("a person switches by making the file that is named, and Ctrl-C while one is waited for is 105", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const base = aStudy(simulator.url, { repeats: 1 });
  const hooks = { kind: "manual", instructions: "turn the knob" };
  const place = written(t, { ...base, conditions: base.conditions.map((one) => ({ ...one, hooks })) });
  const running = startCli(t, ["study", place.file, "--out", place.out, "--ui", "none", "--processes", "1"], {
    limitMs: 240_000,
  });
  await running.line(/switch the server to a: turn the knob/);
  await running.line(/then make the file .*switched/);
  writeFileSync(join(place.out, "switched"), "");
  await running.line(/switch the server to b/);
  running.signal("SIGINT");
  const stopped = await running.finished;
  assert.equal(stopped.code, 105, stopped.stderr);
  assert.match(stopped.stdout, /1 of 2 runs/);
  assert.match(stopped.stderr, /it goes on with/);
});

test("where something answers already, nothing is measured in the place of what the study starts", async (t) => {
  const simulator = await startSimulator(t);
  const over = hookOf({ serve: ["sleep", "600"], healthUrl: `${simulator.url}/health` });
  const result = await study(t, written(t, aStudy("", over)));
  assertClearFailure(result, { code: 1, says: /something answers at .* already, before a was started/ });
});

test("a server of the study's own is started at the scale of its suite, and ended", async (t) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const serve = ["tokenstorm", "simulate", "--port", String(port), "--time-scale", "{timeScale}"];
  const conditions = [
    {
      name: "a",
      target: { urls: [url] },
      simulated: { profile: "llama-3.1-405b" },
      hooks: { kind: "command", serve },
    },
  ];
  const suites = [{ ...aStudy("").suites[0], pairs: [] }];
  const place = written(t, aStudy("", { conditions, suites, repeats: 1 }));
  const result = await study(t, place, "--json");
  const report: StudyReport = JSON.parse(result.stdout);
  const figures = report.suites[0]?.cells[0]?.levels[0]?.statistics;
  // Two requests at a time, 64 tokens each, steps of some 26.5 ms: told in the server's own time.
  const e2eS = (figures?.e2eP50Us.mean ?? 0) / 1e6;
  assert.ok(e2eS > 1.5 && e2eS < 6, `E2E p50 of ${e2eS} s`);
  await assert.rejects(fetch(`${url}/health`), "nothing is left running");
});

test("with --nats the agents elsewhere run it, and the reports are kept here", async (t) => {
  const found = await findNatsServer(process.env);
  assert.ok(found !== undefined, "no nats-server: set NATS_SERVER_BIN");
  const server = await startNatsServer({ bin: found.bin, dataDir: scratch(t) });
  t.after(() => server.close());
  const nats = ["--nats", server.url];
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const coordinator = startCli(t, ["coordinator", ...nats, "--no-http", "--out", scratch(t)]);
  await coordinator.line(/lead|ready|listen/i);
  const agent = startCli(t, ["agent", ...nats, "--processes", "1"]);
  await agent.line(/ready|waiting|connected|joined/i);
  const conditions = [{ name: "a", target: { urls: [simulator.url] } }];
  const suites = [{ ...aStudy("").suites[0], pairs: [] }];
  const place = written(t, aStudy("", { conditions, suites }));
  const args = ["study", place.file, "--out", place.out, "--ui", "none", "--json", ...nats];
  const result = await runCli(t, args, { limitMs: 240_000 });
  assert.ok([0, 110].includes(result.code ?? -1), result.stderr);
  const report: StudyReport = JSON.parse(result.stdout);
  assert.deepEqual(keysOf(report), ["levels/a/1", "levels/a/2"]);
  for (const { directory } of report.suites[0]?.cells[0]?.runs ?? [])
    assert.ok(existsSync(join(place.out, directory, "report.json")));
});

const PROMPTS = '{"prompt": "one"}\n{"prompt": "two"}\n';

/** The study above, each condition once, with the prompts of a file. */
function studyOfAFile(url: string): object {
  const base = aStudy(url, { repeats: 1 });
  const [suite] = base.suites;
  const workload = { kind: "dataset", file: "prompts.jsonl", outputTokens: 16 };
  return { ...base, suites: [{ ...suite, plan: { ...suite?.plan, workload } }] };
}

test("a data set that is missing or broken is told before anything is switched, and can be put right", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const place = written(t, studyOfAFile(simulator.url));
  const prompts = join(place.folder, "prompts.jsonl");
  const broken = [
    [undefined, /prompts\.jsonl cannot be read: there is no such file/],
    ['{"prompt": "one"}\n{"prompt": 2}\n', /prompts\.jsonl, line 2: prompt must be a text/],
  ] as const;
  for (const [content, says] of broken) {
    if (content !== undefined) writeFileSync(prompts, content);
    assertClearFailure(await study(t, place), { code: 104, says });
    assertClearFailure(await study(t, place, "--dry-run"), { code: 104, says });
    assert.deepEqual(place.switches(), []);
    assert.equal(existsSync(place.out), false, "nothing was made that would have to be gone on with");
  }
  writeFileSync(prompts, PROMPTS);
  assert.equal((await study(t, place, "--dry-run")).code, 0);
  const result = await study(t, place, "--json");
  assert.deepEqual(keysOf(JSON.parse(result.stdout)), ["levels/a/1", "levels/b/1"], result.stderr);
  writeFileSync(prompts, "");
  const told = await study(t, place, "--report", "--json");
  assert.equal(told.stdout, result.stdout, "a report needs no file");
});

test("a data set that is edited between two runs ends the study, which goes on once it is as it was", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const place = written(t, studyOfAFile(simulator.url));
  const prompts = join(place.folder, "prompts.jsonl");
  writeFileSync(prompts, PROMPTS);
  // Once, when the server is switched to the second condition.
  const edits = `[ "$1" = b ] && [ ! -e edited ] && touch edited && echo '{"prompt": "three"}' >> prompts.jsonl\n`;
  writeFileSync(join(place.folder, "switch.sh"), `${edits}echo "$1" >> switched.log\n`);
  assertClearFailure(await study(t, place), { code: 104, says: /prompts\.jsonl was edited since/ });
  assertClearFailure(await study(t, place, "--resume"), {
    code: 104,
    says: /prompts\.jsonl was edited since/,
  });
  assert.deepEqual(place.switches(), ["a", "b"], "the second time it was told before anything was switched");
  writeFileSync(prompts, PROMPTS);
  const resumed = await study(t, place, "--resume", "--json");
  assert.ok([0, 110].includes(resumed.code ?? -1), resumed.stderr);
  assert.deepEqual(keysOf(JSON.parse(resumed.stdout)), ["levels/a/1", "levels/b/1"]);
});

test("a run that its own threshold ends is counted, the study goes on, and ends with 99", async (t) => {
  const simulator = await startSimulator(t, ["--time-scale", "20"]);
  const base = aStudy(simulator.url, { repeats: 1 });
  const suites = base.suites.map((suite) => ({
    ...suite,
    plan: {
      ...suite.plan,
      thresholds: ["ttft.max < 1us abortOnFail"],
      load: { kind: "users", stages: [{ users: 2, durationMs: 600_000, rampUpMs: 0 }] },
    },
  }));
  const ended = await study(t, written(t, { ...base, suites }), "--json");
  assert.equal(ended.code, 99, ended.stderr);
  const report: StudyReport = JSON.parse(ended.stdout);
  assert.deepEqual(keysOf(report), ["levels/a/1", "levels/b/1"]);
});

test("a directory that cannot be used is one clear line and exit code 1", async (t) => {
  const place = written(t, aStudy("http://127.0.0.1:9"));
  assertClearFailure(await study(t, { ...place, out: "/proc/none/study" }), {
    code: 1,
    says: /cannot be written to \/proc\/none\/study/,
  });
  const full = join(place.folder, "full");
  mkdirSync(full);
  symlinkSync("/dev/full", join(full, "study.json.draft"));
  assertClearFailure(await study(t, { ...place, out: full }), {
    code: 1,
    says: /the study's directory cannot be used .*no space/i,
  });
});

test("study files that are wrong exit 104 with one line for each problem", async (t) => {
  const place = written(t, aStudy("http://h:8000", { repeat: 2 }));
  assertClearFailure(await study(t, place), { code: 104, says: /repeat: is no key of a study file/ });
  assertClearFailure(await runCli(t, ["study", join(place.folder, "none.yaml")]), {
    code: 104,
    says: /the study file .*none\.yaml cannot be read: there is no such file/,
  });
  place.write(aStudy("http://h:8000", { suites: [{ name: "x", phase: "ab", planFile: "none.yaml" }] }));
  assertClearFailure(await study(t, place), { code: 104, says: /the plan .*none\.yaml cannot be read/ });
  writeFileSync(join(place.folder, "rows.json"), "{}");
  const pin = { file: "rows.json", sha256: "0".repeat(64) };
  place.write(aStudy("http://h:8000", { publishedRows: pin }));
  assertClearFailure(await study(t, place), {
    code: 104,
    says: /the pinned file rows\.json is not what the study was written with/,
  });
  place.write(aStudy("http://h:8000"));
  assertClearFailure(await study(t, place, "--only", "level"), {
    code: 104,
    says: /"level" is no suite: did you mean levels\?/,
  });
  assertClearFailure(await study(t, place, "--resume"), {
    code: 1,
    says: /there is no study in .* to go on with/,
  });
  assertClearFailure(await study(t, place, "--resume", "--restart"), { code: 2, says: /choose one/ });
});

/** Free when it was asked for: the study starts what listens there itself. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
