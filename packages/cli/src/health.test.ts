import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { HEALTH_ENV, type HealthOptions, healthOfMany, tellHealth } from "./health.js";
import { CHILD_ENV } from "./interrupt.js";
import { processTerminal } from "./terminal.js";

const LIMIT_MS = 10_000;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tokenstorm-health-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const limitMs = performance.now() + LIMIT_MS;
  while (!holds()) {
    assert.ok(performance.now() < limitMs, `not within ${LIMIT_MS} ms: ${what}`);
    await turn();
  }
}

interface World extends Omit<HealthOptions, "isFit"> {
  readonly said: string[];
  readonly announced: object[];
}

function world(env: Readonly<Record<string, string>>): World {
  const said: string[] = [];
  const announced: object[] = [];
  const terminal = { ...processTerminal(), say: (text: string) => void said.push(text) };
  return { env, terminal, said, announced, announce: (message) => void announced.push(message), beatMs: 5 };
}

test("the health file is old until the command is fit, young while it is, and gone after its end", async (t) => {
  const file = join(folder(t), "health");
  let isFit = false;
  let asked = 0;
  const health = await tellHealth({
    ...world({ [HEALTH_ENV]: file }),
    isFit: () => {
      asked += 1;
      return isFit;
    },
  });
  await until(() => asked >= 3, "asked three times");
  assert.equal(statSync(file).mtimeMs, 0);
  isFit = true;
  await until(() => Math.abs(Date.now() - statSync(file).mtimeMs) < 2000, "touched");
  const before = statSync(file).mtimeMs;
  await until(() => statSync(file).mtimeMs > before, "touched again");
  await health.close();
  await health.close();
  assert.equal(existsSync(file), false);
});

test("a supervised process tells its supervisor, and leaves the file alone", async (t) => {
  const file = join(folder(t), "health");
  const child = world({ [HEALTH_ENV]: file, [CHILD_ENV]: "1" });
  const many = healthOfMany(1);
  const health = await tellHealth({ ...child, isFit: () => true });
  assert.equal(many.areFit(), false);
  await until(() => child.announced.length >= 2, "told twice");
  await health.close();
  for (const message of child.announced) many.heed(0, message);
  assert.equal(many.areFit(), true);
  assert.equal(existsSync(file), false);
});

test("without a name for it there is no file, and nothing is told", async (t) => {
  const nameless = [{}, { [HEALTH_ENV]: "" }, { [HEALTH_ENV]: "", [CHILD_ENV]: "1" }].map(world);
  const yardstick = world({ [HEALTH_ENV]: join(folder(t), "health"), [CHILD_ENV]: "1" });
  const all = await Promise.all(
    [...nameless, yardstick].map((one) => tellHealth({ ...one, isFit: () => true })),
  );
  await until(() => yardstick.announced.length >= 3, "told three times");
  for (const health of all) await health.close();
  for (const { announced, said } of nameless) assert.deepEqual([announced, said], [[], []]);
});

test("a health file that cannot be written is said, and ends nothing", async (t) => {
  const absent = world({ [HEALTH_ENV]: join(folder(t), "no-such-folder/health") });
  await (await tellHealth({ ...absent, isFit: () => true })).close();
  assert.match(absent.said.join("\n"), /^warning: the health file .*no-such-folder.* cannot be written: .+$/);

  const place = join(folder(t), "place");
  mkdirSync(place);
  const later = world({ [HEALTH_ENV]: join(place, "health") });
  const health = await tellHealth({ ...later, isFit: () => true });
  rmSync(place, { recursive: true });
  await until(() => later.said.length > 0, "said");
  await health.close();
  assert.equal(later.said.length, 1, later.said.join("\n"));
});

test("several processes are fit while each of them has said so within 5 s", () => {
  let nowMs = 1000;
  const many = healthOfMany(2, () => nowMs);
  many.heed(0, { kind: "fit" });
  for (const other of [{ kind: "ready" }, "fit", null, undefined, 7]) many.heed(1, other);
  assert.equal(many.areFit(), false);
  many.heed(1, { kind: "fit" });
  assert.equal(many.areFit(), true);
  nowMs += 4000;
  many.heed(1, { kind: "fit" });
  assert.equal(many.areFit(), true);
  nowMs += 1000;
  assert.equal(many.areFit(), false, "the first has been silent");
});
