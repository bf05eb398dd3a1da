import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { childAccess, natsAccess } from "./nats-options.js";

test("flags win over the environment, and without either there is no NATS", () => {
  assert.equal(natsAccess({}, {}), undefined);
  assert.equal(natsAccess({}, { NATS_URL: "" }), undefined);
  assert.deepEqual(natsAccess({}, { NATS_URL: "nats://a, nats://b" })?.servers, ["nats://a", "nats://b"]);
  const access = natsAccess({ nats: "nats://c", natsUser: "me" }, { NATS_URL: "nats://a", NATS_USER: "you" });
  assert.deepEqual(access?.servers, ["nats://c"]);
  assert.equal(access?.user, "me");
});

test("a password is taken by the name of its variable; one that is not set is named", () => {
  const flags = { nats: "nats://h", natsUser: "ops", natsPasswordEnv: "OPS_PASSWORD" };
  assert.equal(natsAccess(flags, { OPS_PASSWORD: "x" })?.password, "x");
  assert.equal(natsAccess({ nats: "nats://h" }, { NATS_PASSWORD: "y" })?.password, "y");
  assert.throws(
    () => natsAccess(flags, {}),
    (error) =>
      error instanceof LoadError && error.code === "SECRET_MISSING" && /OPS_PASSWORD/.test(error.message),
  );
});

test("each part of TLS may come from a flag or from the environment", () => {
  const access = natsAccess(
    { nats: "tls://h", natsTlsca: "/ca.pem" },
    { NATS_CERT: "/c.pem", NATS_KEY: "/k.pem" },
  );
  assert.deepEqual(access?.tls, { caFile: "/ca.pem", certFile: "/c.pem", keyFile: "/k.pem" });
  assert.equal(natsAccess({ nats: "nats://h" }, {})?.tls, undefined);
});

test("a child process gets the same access, and no secret on its command line", () => {
  const flags = {
    nats: "nats://ops:hush-hush@h, nats://i",
    natsUser: "ops",
    natsToken: "hush",
    natsCreds: "/a.creds",
    subjectPrefix: "tt",
  };
  const { args, env } = childAccess(flags);
  assert.deepEqual(args, ["--nats-user", "ops", "--nats-creds", "/a.creds", "--subject-prefix", "tt"]);
  assert.deepEqual(env, { NATS_TOKEN: "hush", NATS_URL: flags.nats });
  const { nats: _, natsToken: __, ...onItsCommandLine } = flags;
  assert.deepEqual(natsAccess(onItsCommandLine, env), natsAccess(flags, {}));
});
