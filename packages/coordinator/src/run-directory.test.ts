import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { smallDiskOrSkip, tempDir } from "@tokenstorm/testkit";
import { isDiskFull } from "./disk-room.js";
import { createRunDirectory, runDirectoryName } from "./run-directory.js";

test("lines are in their files, in their order, after a sync; whole files appear at once", async (t) => {
  const out = join(await tempDir(t), "not", "there", "yet");
  const directory = await createRunDirectory(out).open("2026-01-02-n-r1");
  assert.equal(directory.path, join(out, "2026-01-02-n-r1"));
  directory.appendLine("a.ndjson", "1");
  directory.appendLine("b.ndjson", "x");
  directory.appendLine("a.ndjson", "2");
  await directory.sync();
  directory.appendLine("a.ndjson", "3");
  await Promise.all([directory.sync(), directory.sync(), directory.writeFile("run.json", "{}")]);
  await directory.writeFile("run.json", "{1}");
  await directory.close();
  await directory.close();
  const read = (file: string) => readFileSync(join(directory.path, file), "utf8");
  assert.equal(read("a.ndjson"), "1\n2\n3\n");
  assert.equal(read("b.ndjson"), "x\n");
  assert.equal(read("run.json"), "{1}");
  assert.deepEqual(readdirSync(directory.path).sort(), ["a.ndjson", "b.ndjson", "run.json"]);
});

test("a directory that cannot be made is told with its place and the reason", async (t) => {
  const out = await tempDir(t);
  writeFileSync(join(out, "file"), "");
  mkdirSync(join(out, "2026-01-02-n-r1"));
  const table = [
    { folder: join(out, "file"), says: /file.*(a part of the path is a file|there already)/ },
    { folder: out, says: /2026-01-02-n-r1 cannot be written: it is there already/ },
    { folder: "/proc/nowhere", says: /\/proc\/nowhere/ },
  ];
  for (const { folder, says } of table) {
    await assert.rejects(createRunDirectory(folder).open("2026-01-02-n-r1"), (error: unknown) => {
      assert.ok(error instanceof LoadError && error.code === "RESULTS_UNREADABLE");
      assert.match(error.message, says);
      assert.match(error.hint ?? "", /--out/);
      return true;
    });
  }
});

test("a disk without room is told as such, and lines after it are not lost in silence", async (t) => {
  const directory = await createRunDirectory(await tempDir(t)).open("r");
  symlinkSync("/dev/full", join(directory.path, "a.ndjson"));
  directory.appendLine("a.ndjson", "1");
  await assert.rejects(directory.sync(), /no space is left on the disk/);
  directory.appendLine("a.ndjson", "2");
  await assert.rejects(directory.sync(), /no space is left on the disk/);
  await directory.close();
});

test("what a full disk did not take is written once there is room: every line once, whole and in its order", async (t) => {
  const disk = smallDiskOrSkip(t, 256 * 1024);
  if (disk === undefined) return;
  const directory = await createRunDirectory(join(disk.path, "out")).open("r");
  const line = (i: number) => JSON.stringify({ i, pad: "x".repeat(3000) });
  directory.appendLine("a.ndjson", line(1));
  directory.appendLine("b.ndjson", line(1));
  await directory.sync();
  disk.fill();
  for (let i = 2; i <= 20; i += 1) {
    for (const file of ["a.ndjson", "b.ndjson"]) directory.appendLine(file, line(i));
    await assert.rejects(directory.sync(), (error: unknown) => {
      assert.ok(isDiskFull(error), String(error));
      assert.match(error.message, /r cannot be written: no space is left on the disk$/);
      assert.match(error.hint ?? "", /make room/);
      return true;
    });
  }
  await assert.rejects(directory.writeFile("run.json", "x".repeat(100_000)), isDiskFull);
  disk.makeRoom();
  directory.appendLine("a.ndjson", line(21));
  directory.appendLine("b.ndjson", line(21));
  await directory.sync();
  await directory.writeFile("run.json", "{}");
  await directory.close();
  const whole = Array.from({ length: 21 }, (_, i) => `${line(i + 1)}\n`).join("");
  for (const file of ["a.ndjson", "b.ndjson"])
    assert.equal(readFileSync(join(directory.path, file), "utf8"), whole, file);
  assert.deepEqual(readdirSync(directory.path).sort(), ["a.ndjson", "b.ndjson", "run.json"]);
});

test("the name of a directory stays within its folder, whatever the run is called", () => {
  const createdAtMs = Date.UTC(2026, 10, 23, 23, 59);
  const table: readonly (readonly [string, string])[] = [
    ["chat-512", "2026-11-23-chat-512-r1"],
    ["../../etc", "2026-11-23-.._.._etc-r1"],
    ["a b/ü", "2026-11-23-a_b__-r1"],
    ["", "2026-11-23-run-r1"],
    ["x".repeat(4000), `2026-11-23-${"x".repeat(64)}-r1`],
  ];
  for (const [name, expected] of table) {
    assert.equal(runDirectoryName({ id: "r1", name, createdAtMs }), expected);
  }
  assert.match(
    runDirectoryName({ id: "r1", name: "n", createdAtMs: Number.MAX_SAFE_INTEGER }),
    /^9999-12-31-n-r1$/,
  );
});

test("a directory that another process left is opened again, read, and gone on with; a torn last line is cut off", async (t) => {
  const out = await tempDir(t);
  const store = createRunDirectory(out);
  const first = await store.reopen("run");
  first.appendLine("a.ndjson", '{"n":1}');
  first.appendLine("a.ndjson", '{"n":2}');
  await first.sync();
  await first.close();
  appendFileSync(join(out, "run", "a.ndjson"), '{"n":3,"half');
  const second = await store.reopen("run");
  const read = async (file: string) => {
    const lines: string[] = [];
    for await (const line of second.readLines(file)) lines.push(line);
    return lines;
  };
  assert.deepEqual(await read("a.ndjson"), ['{"n":1}', '{"n":2}']);
  assert.deepEqual(await read("b.ndjson"), []);
  second.appendLine("a.ndjson", '{"n":4}');
  await second.sync();
  assert.equal(readFileSync(join(out, "run", "a.ndjson"), "utf8"), '{"n":1}\n{"n":2}\n{"n":4}\n');
  await second.close();
  appendFileSync(join(out, "run", "c.ndjson"), "x".repeat(200_000));
  const third = await store.reopen("run");
  for await (const line of third.readLines("c.ndjson")) assert.fail(line.slice(0, 20));
  assert.equal(readFileSync(join(out, "run", "c.ndjson"), "utf8"), "", "a line that never ended");
  await third.close();
});
