import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { tempDir } from "@tokenstorm/testkit";
import { calibrationPath, knownCapacity, storeCalibration } from "./calibration-file.js";
import type { Calibration } from "./calibration-schema.js";

const CAPACITY = {
  undici: { eventsPerS: 31_000, isAtLeast: false },
  raw: { eventsPerS: 52_000, isAtLeast: true },
};

const calibration: Calibration = {
  host: "h1",
  cpu: "A CPU",
  nodeMajor: 24,
  version: "0.1.0",
  cores: 8,
  measuredAt: "2026-03-14T09:26:53.589Z",
  quick: false,
  pinned: true,
  capacity: CAPACITY,
  levels: [],
};

const scratchFile = async (t: Parameters<typeof tempDir>[0]) =>
  join(await tempDir(t), "a/b/calibration.json");

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

test("what was stored is known again, and no other file is left beside it", async (t) => {
  const file = await scratchFile(t);
  await storeCalibration(file, calibration);
  assert.deepEqual(knownCapacity(file, calibration), { capacity: CAPACITY, note: null });
  assert.deepEqual(readdirSync(dirname(file)), ["calibration.json"]);
});

test("hosts share a file, and each new calibration takes the place of the host's own", async (t) => {
  const file = await scratchFile(t);
  const of = (host: string, eventsPerS: number, nodeMajor = 24): Calibration => ({
    ...calibration,
    host,
    nodeMajor,
    capacity: { ...CAPACITY, undici: { eventsPerS, isAtLeast: false } },
  });
  for (const one of [of("h1", 1), of("h2", 2), of("h1", 3), of("h1", 4, 20)])
    await storeCalibration(file, one);
  const known = (key: Calibration) => knownCapacity(file, key).capacity?.undici.eventsPerS;
  assert.deepEqual([of("h1", 0), of("h2", 0), of("h1", 0, 20)].map(known), [3, 2, 4]);
  const kept: { hosts: unknown[] } = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(kept.hosts.length, 3);
});

test("no file is no news", async (t) => {
  const folder = await tempDir(t);
  write(join(folder, "a-file"), "");
  for (const file of [join(folder, "none.json"), join(folder, "a-file/calibration.json")])
    assert.deepEqual(knownCapacity(file, calibration), { capacity: undefined, note: null });
});

const whole = (change: object) =>
  JSON.stringify({ schemaVersion: 1, hosts: [{ ...calibration, ...change }] });

const PASSED_OVER: readonly { what: string; text: string; says: RegExp }[] = [
  { what: "no JSON", text: "{", says: /JSON/ },
  { what: "an empty file", text: "", says: /JSON/ },
  { what: "another thing", text: "[1]", says: /expected object/i },
  { what: "a newer schema", text: JSON.stringify({ schemaVersion: 2, hosts: [] }), says: /schemaVersion/ },
  { what: "a figure that is none", text: whole({ capacity: { undici: 1, raw: 2 } }), says: /hosts\.0/ },
  { what: "other hosts", text: whole({ host: "h2" }), says: /of other hosts than h1/ },
  { what: "another Node.js", text: whole({ nodeMajor: 20 }), says: /Node\.js 20.*Node\.js 24/ },
  { what: "another CPU", text: whole({ cpu: "B CPU" }), says: /B CPU.*A CPU/ },
  { what: "another version", text: whole({ version: "0.0.9" }), says: /0\.0\.9.*0\.1\.0/ },
];

for (const { what, text, says } of PASSED_OVER) {
  test(`a file of ${what} is passed over with one line`, async (t) => {
    const file = await scratchFile(t);
    write(file, text);
    const { capacity, note } = knownCapacity(file, calibration);
    assert.equal(capacity, undefined);
    assert.match(note ?? "", says);
    assert.ok(note?.includes(file));
    assert.doesNotMatch(note ?? "", /\n/);
  });
}

test("a folder in the place of the file is passed over, and cannot be stored to", async (t) => {
  const folder = await tempDir(t);
  assert.match(knownCapacity(folder, calibration).note ?? "", /EISDIR/);
  await assert.rejects(storeCalibration(folder, calibration), isStoreError(folder));
});

test("a broken file is replaced, and where nothing can be written that is said", async (t) => {
  const file = await scratchFile(t);
  write(file, "{");
  await storeCalibration(file, calibration);
  assert.deepEqual(knownCapacity(file, calibration).capacity, CAPACITY);
  await assert.rejects(
    storeCalibration("/proc/none/calibration.json", calibration),
    isStoreError("/proc/none"),
  );
});

function isStoreError(place: string) {
  return (error: unknown) => {
    assert.ok(error instanceof LoadError);
    assert.match(error.message, /could not be stored/);
    assert.ok(error.message.includes(place));
    assert.match(error.hint ?? "", /--file/);
    return true;
  };
}

test("the file is the one asked for, else the variable's, else among the host's state", () => {
  const env = { HOME: "/home/x", XDG_STATE_HOME: "/state", TOKENSTORM_CALIBRATION: "/v.json" };
  assert.equal(calibrationPath(env, "/f.json"), "/f.json");
  assert.equal(calibrationPath(env), "/v.json");
  assert.equal(calibrationPath({ ...env, TOKENSTORM_CALIBRATION: "" }), "/state/tokenstorm/calibration.json");
  assert.equal(calibrationPath({ HOME: "/home/x" }), "/home/x/.local/state/tokenstorm/calibration.json");
});
