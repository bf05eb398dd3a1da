import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { natsServerOrSkip, TEST_CERTIFICATE, TEST_KEY } from "@tokenstorm/testkit";
import { docker, imageOrSkip, LABEL_FLAG } from "@tokenstorm/testkit/containers";
import { type Running, runCli, scratch, startCli, startProcess, startSimulator } from "../integration/cli.js";

const STOP_LIMIT_S = 60;

test("the docker line that coordinator --listen prints joins agents, as it is", {
  timeout: 300_000,
}, async (t) => {
  const image = await imageOrSkip(t);
  if (image === undefined || (await natsServerOrSkip(t)) === undefined) return;
  await t.test("without TLS", (t) => pasteAndRun(t, image, []));
  await t.test("with TLS", (t) => {
    const tls = ["--listen-tlscert", "ca.pem", "--listen-tlskey", "key.pem", "--listen-tlsca", "ca.pem"];
    return pasteAndRun(t, image, tls);
  });
});

async function pasteAndRun(t: TestContext, image: string, tls: readonly string[]): Promise<void> {
  const folder = scratch(t);
  writeFileSync(join(folder, "ca.pem"), TEST_CERTIFICATE);
  writeFileSync(join(folder, "key.pem"), TEST_KEY);
  const listen = ["coordinator", "--listen", "127.0.0.1:0", "--data", "data", "--out", "runs", "--http", "0"];
  const coordinator = startCli(t, [...listen, ...tls], { cwd: folder });
  const id = await pasteDockerLine(t, coordinator, { image, folder });
  const simulator = await startSimulator(t, ["--time-scale", "10"]);
  const [, operatorUrl = ""] =
    /NATS_URL='([^']*)'/.exec(await coordinator.line(/ node tokenstorm\.mjs submit /)) ?? [];
  writeFileSync(join(folder, "plan.yaml"), planFor(simulator.url));
  // It waits for an agent, and nobody else has started one.
  const submitted = await runCli(t, ["submit", "plan.yaml", "--wait", "--json"], {
    cwd: folder,
    env: { NATS_URL: operatorUrl, ...(tls.length > 0 ? { NATS_CA: "ca.pem" } : {}) },
  });
  const said = `${submitted.stderr}\n${await docker("logs", id)}`;
  assert.ok([0, 110].includes(submitted.code ?? -1), said);
  const { completeness, totals } = JSON.parse(submitted.stdout);
  assert.ok(totals.requests.completed > 0);
  assert.equal(completeness.samplesMerged, completeness.samplesRecorded);
  await docker("stop", "--time", String(STOP_LIMIT_S), id);
  assert.equal(await docker("inspect", "--format", "{{.State.ExitCode}}", id), "0");
}

/** Pastes it with what a test must add: its own build of the image, and the label by which leftovers are found. */
async function pasteDockerLine(
  t: TestContext,
  coordinator: Running,
  { image, folder }: { readonly image: string; readonly folder: string },
): Promise<string> {
  const printed = await coordinator.line(/^ *NATS_URL='[^']*' docker run /);
  const line = printed
    .replace(/ tokenstorm:\S+ /, ` ${image} `)
    .replace(" docker run ", ` docker run ${LABEL_FLAG} `);
  const { code, stdout, stderr } = await startProcess(t, ["/bin/sh", "-c", line], { cwd: folder }).finished;
  assert.equal(code, 0, `${line}\n${stderr}`);
  const id = stdout.trim();
  t.after(() => docker("rm", "--force", "--volumes", id));
  return id;
}

function planFor(target: string): string {
  return JSON.stringify({
    version: 1,
    target: { urls: [target] },
    warmUp: { requests: 0 },
    agents: { min: 1 },
    load: { kind: "users", stages: [{ users: 8, rampUpMs: 0, settleMs: 0, durationMs: 2000 }] },
  });
}
