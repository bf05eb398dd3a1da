import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { requireLent, type SecretGuard } from "./secret-guard.js";

const open: SecretGuard = { allowed: [], reserved: ["OPS_PASSWORD", "/etc/nats/agent.creds"], agent: "a1" };
const bounded: SecretGuard = { ...open, allowed: ["VLLM_KEY", "/run/secrets/key"] };

function refusal(guard: SecretGuard, wanted: { apiKeyEnv?: string; apiKeyFile?: string }): string | null {
  try {
    requireLent(wanted, guard);
    return null;
  } catch (error) {
    assert.ok(error instanceof LoadError && error.code === "AGENT_NOT_READY", String(error));
    return error.message;
  }
}

test("an agent lends plans any key but those that it is itself let in by", () => {
  for (const apiKeyEnv of ["VLLM_KEY", "NATSKEY", "MY_NATS_URL"])
    assert.equal(refusal(open, { apiKeyEnv }), null, apiKeyEnv);
  for (const apiKeyEnv of ["NATS_URL", "NATS_PASSWORD", "TOKENSTORM_HTTP_TOKEN", "OPS_PASSWORD"])
    assert.match(refusal(open, { apiKeyEnv }) ?? "", /agent a1 does not give the environment variable/);
  assert.equal(refusal(open, { apiKeyFile: "/run/secrets/key" }), null);
  for (const apiKeyFile of ["/etc/nats/agent.creds", "/etc/nats/../nats/agent.creds", "/proc/self/environ"])
    assert.match(refusal(open, { apiKeyFile }) ?? "", /does not give the file/, apiKeyFile);
  assert.equal(refusal(open, {}), null);
});

test("with --allow-secret it lends those alone, and says which", () => {
  assert.equal(refusal(bounded, { apiKeyEnv: "VLLM_KEY" }), null);
  assert.equal(refusal(bounded, { apiKeyFile: "/run/secrets/./key" }), null);
  assert.match(
    refusal(bounded, { apiKeyEnv: "AWS_SECRET" }) ?? "",
    /it lends plans VLLM_KEY, \/run\/secrets\/key$/,
  );
  assert.match(refusal(bounded, { apiKeyFile: "/etc/shadow" }) ?? "", /does not give the file \/etc\/shadow/);
  const careless: SecretGuard = { ...open, allowed: ["NATS_URL", "/proc/1/environ"] };
  assert.notEqual(refusal(careless, { apiKeyEnv: "NATS_URL" }), null);
  assert.notEqual(refusal(careless, { apiKeyFile: "/proc/1/environ" }), null);
});
