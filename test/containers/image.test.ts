import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { docker, imageOrSkip, runProgram, TEST_IMAGE } from "@tokenstorm/testkit/containers";
import { scratch } from "../integration/cli.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const SECRET = "planted-2f1c9a77e4";

test("what lies in the checkout or the environment of whoever builds it is not in the image", async (t) => {
  if ((await imageOrSkip(t)) === undefined) return;
  const checkout = scratch(t);
  for (const folder of ["dist", "docker", "runs"]) mkdirSync(join(checkout, folder));
  for (const file of ["docker/Dockerfile", ".dockerignore"])
    copyFileSync(join(root, file), join(checkout, file));
  for (const file of [".env", "docker/.env", "runs/plan.yaml", "dist/key.pem"])
    writeFileSync(join(checkout, file), `TOKEN=${SECRET}\n`);
  const env = { NATS_PASSWORD: SECRET, TOKENSTORM_HTTP_TOKEN: SECRET, NPM_TOKEN: SECRET };
  const bundled = await runProgram(
    process.execPath,
    [join(root, "scripts/bundle.mjs"), join(checkout, "dist/tokenstorm.mjs")],
    { env },
  );
  assert.equal(bundled.code, 0, bundled.stderr);
  const built = await runProgram(
    "docker",
    [
      "build",
      "--file",
      join(checkout, "docker/Dockerfile"),
      "--build-arg",
      "VERSION=1",
      "--tag",
      TEST_IMAGE,
      checkout,
    ],
    { env, limitMs: 180_000 },
  );
  assert.equal(built.code, 0, built.stderr);
  assert.ok(!(await docker("history", "--no-trunc", TEST_IMAGE)).includes(SECRET));
  assert.ok(!(await docker("inspect", TEST_IMAGE)).includes(SECRET));
  assert.equal(await imageHas(TEST_IMAGE, SECRET), false, "a layer has it");
  assert.equal(
    await imageHas(TEST_IMAGE, "Node.js 20.18 or newer is needed"),
    true,
    "the search finds what is there",
  );
});

/** Whether any layer, or the image's own description, has these words. */
async function imageHas(image: string, words: string): Promise<boolean> {
  const wanted = Buffer.from(words);
  const saving = spawn("docker", ["save", image], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(saving, "exit");
  let isFound = false;
  let tail = Buffer.alloc(0);
  for await (const chunk of saving.stdout) {
    const bytes = Buffer.concat([tail, Buffer.from(chunk)]);
    isFound ||= bytes.includes(wanted);
    tail = bytes.subarray(-wanted.length);
  }
  assert.deepEqual(await ended, [0, null]);
  return isFound;
}

test("the image says what it is, and nothing of when it was made", async (t) => {
  if ((await imageOrSkip(t)) === undefined) return;
  const { Config: config } = JSON.parse(await docker("inspect", "--format", "{{json .}}", TEST_IMAGE));
  const labels = config.Labels;
  assert.equal(labels["org.opencontainers.image.title"], "tokenstorm");
  assert.equal(labels["org.opencontainers.image.licenses"], "Apache-2.0");
  assert.equal(labels["org.opencontainers.image.created"], undefined);
  const version = await docker("run", "--rm", "--read-only", TEST_IMAGE, "--version");
  assert.equal(labels["org.opencontainers.image.version"], version);
  assert.deepEqual(
    [config.User, config.StopSignal, config.ExposedPorts],
    ["1000:1000", "SIGTERM", undefined],
  );
  const help = await docker("run", "--rm", "--read-only", TEST_IMAGE);
  assert.match(help, /^Usage: tokenstorm/);
  const wrong = await runProgram("docker", ["run", "--rm", "--read-only", TEST_IMAGE, "agent", "--no-such"]);
  assert.equal(wrong.code, 2, wrong.stderr);
});
