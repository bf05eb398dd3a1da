import assert from "node:assert/strict";
import { test } from "node:test";
import { type Joining, joinLines, joinUrl } from "./join-lines.js";

const JOINING: Joining = {
  host: "10.0.0.5",
  port: 4300,
  passwords: { coordinator: "cccc", agent: "aaaa", operator: "oooo", viewer: "vvvv" },
  caFile: null,
  prefix: undefined,
  version: "0.1.0",
};

test("each line carries the password of its own role in the environment, and the coordinator's nowhere", () => {
  const text = joinLines(JOINING);
  const lines = text.split("\n");
  assert.ok(lines.includes("  NATS_URL='nats://agent:aaaa@10.0.0.5:4300' node tokenstorm.mjs agent"), text);
  assert.ok(
    lines.includes("  NATS_URL='nats://viewer:vvvv@10.0.0.5:4300' node tokenstorm.mjs tail --wait"),
    text,
  );
  assert.match(text, /NATS_URL='nats:\/\/operator:oooo@10\.0\.0\.5:4300' node tokenstorm\.mjs submit/);
  assert.match(
    text,
    /docker run .* -e NATS_URL='nats:\/\/agent:aaaa@10\.0\.0\.5:4300' tokenstorm:0\.1\.0 agent/,
  );
  assert.match(text, /kubectl create secret generic tokenstorm-agent /);
  assert.doesNotMatch(text, /cccc/);
});

test("lines for TLS name the authority, and an IPv6 host stands in brackets", () => {
  const text = joinLines({ ...JOINING, host: "2001:db8::5", caFile: "/etc/lab/ca.pem", prefix: "lab" });
  assert.match(
    text,
    /NATS_URL='tls:\/\/agent:aaaa@\[2001:db8::5\]:4300' NATS_CA=ca\.pem node tokenstorm\.mjs agent --subject-prefix lab$/m,
  );
  assert.match(text, /\/etc\/lab\/ca\.pem beside it as ca\.pem/);
  assert.doesNotMatch(text, /kubectl create/);
  assert.equal(joinUrl(JOINING, "viewer"), "nats://viewer:vvvv@10.0.0.5:4300");
});
