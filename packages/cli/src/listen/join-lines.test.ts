import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
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
    /^ {2}NATS_URL='nats:\/\/agent:aaaa@10\.0\.0\.5:4300' docker run .* -e NATS_URL tokenstorm:0\.1\.0 agent/m,
  );
  assert.doesNotMatch(text, /cccc/);
});

test("lines for TLS name the authority, and an IPv6 host stands in brackets", () => {
  const text = joinLines({ ...JOINING, host: "2001:db8::5", caFile: "/etc/lab/ca.pem", prefix: "lab" });
  assert.match(
    text,
    /NATS_URL='tls:\/\/agent:aaaa@\[2001:db8::5\]:4300' NATS_CA=ca\.pem node tokenstorm\.mjs agent --subject-prefix lab$/m,
  );
  assert.match(text, /\/etc\/lab\/ca\.pem beside it as ca\.pem/);
  assert.match(text, /docker run .* -e NATS_CA=\/ca\.pem -v "\$PWD\/ca\.pem:\/ca\.pem:ro" /);
  assert.match(text, /kubectl create secret .* --from-file=ca\.pem$/m);
  assert.match(text, /args: \["agent", "--wait", "--subject-prefix", "lab", /);
  assert.match(text, /NATS_CA, value: \/etc\/tokenstorm\/ca\.pem/);
  assert.equal(joinUrl(JOINING, "viewer"), "nats://viewer:vvvv@10.0.0.5:4300");
});

test("a password stands on no command line: it is assigned, or printed by the shell itself", () => {
  for (const caFile of [null, "/etc/lab/ca.pem"]) {
    const lines = joinLines({ ...JOINING, caFile }).split("\n");
    const secret = lines.filter((line) => /aaaa|oooo|vvvv/.test(line));
    assert.equal(secret.length, 5);
    for (const line of secret) {
      const [, rest] = /^ *(?:NATS_URL='[^']*' |printf %s '[^']*' \| )(.*)$/.exec(line) ?? [];
      assert.doesNotMatch(rest ?? line, /aaaa|oooo|vvvv/);
    }
  }
});

test("the pods of Kubernetes are made with the secret that they read, and are in the manifest that is pasted whole", () => {
  const text = joinLines(JOINING);
  const [, manifest] = /^kubectl apply -f - <<'END'\n(.*?)\nEND$/ms.exec(text) ?? [];
  assert.ok(manifest !== undefined, text);
  assert.ok(text.indexOf("kubectl create secret") < text.indexOf("kubectl apply"));
  const deployment = parse(manifest);
  const { containers, securityContext } = deployment.spec.template.spec;
  assert.equal(securityContext.runAsNonRoot, true);
  assert.deepEqual(
    [containers[0].image, containers[0].args],
    ["tokenstorm:0.1.0", ["agent", "--wait", "--processes=1"]],
  );
  assert.deepEqual(containers[0].env[0].valueFrom.secretKeyRef, {
    name: "tokenstorm-agent",
    key: "NATS_URL",
  });
});
