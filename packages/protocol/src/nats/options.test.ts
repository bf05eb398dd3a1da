import assert from "node:assert/strict";
import { test } from "node:test";
import { LEADER_LIMITS } from "@tokenstorm/core";
import { connectionOptions, natsOptionsFromEnv, parseServer } from "./options.js";

test("the environment names of the NATS command line are read; an empty one is none", () => {
  assert.deepEqual(natsOptionsFromEnv({ NATS_USER: "", PATH: "/bin" }), {
    servers: [],
    user: undefined,
    password: undefined,
    token: undefined,
    credsFile: undefined,
    nkeyFile: undefined,
    inboxPrefix: undefined,
  });
  assert.deepEqual(
    natsOptionsFromEnv({
      NATS_URL: "nats://a:1, nats://b:2",
      NATS_USER: "u",
      NATS_PASSWORD: "p",
      NATS_TOKEN: "t",
      NATS_CREDS: "/c",
      NATS_NKEY: "/n",
      NATS_INBOX_PREFIX: "_INBOX_me",
      NATS_CA: "/ca.pem",
      NATS_CERT: "/cert.pem",
      NATS_KEY: "/key.pem",
    }),
    {
      servers: ["nats://a:1", "nats://b:2"],
      user: "u",
      password: "p",
      token: "t",
      credsFile: "/c",
      nkeyFile: "/n",
      inboxPrefix: "_INBOX_me",
      tls: { caFile: "/ca.pem", certFile: "/cert.pem", keyFile: "/key.pem" },
    },
  );
});

test("addresses are read with their port, user and password, and shown without", () => {
  const table = {
    "nats://h:1": ["h", 1, undefined, undefined, "nats://h:1"],
    "h:1": ["h", 1, undefined, undefined, "nats://h:1"],
    h: ["h", 4222, undefined, undefined, "nats://h:4222"],
    "127.0.0.1": ["127.0.0.1", 4222, undefined, undefined, "nats://127.0.0.1:4222"],
    "nats://[::1]:5": ["::1", 5, undefined, undefined, "nats://[::1]:5"],
    "tls://u:p%40ss@h:80": ["h", 80, "u", "p@ss", "tls://h:80"],
  };
  for (const [text, expected] of Object.entries(table)) {
    const { host, port, user, password, shown } = parseServer(text);
    assert.deepEqual([host, port, user, password, shown], expected, text);
  }
  for (const bad of ["", "http://h:1", "nats://", "nats://h:x", "nats://h:1/path", "ws://h:1"])
    assert.throws(() => parseServer(bad), { code: "BUS_UNAVAILABLE", message: /is no address/ }, bad);
});

test("what is no address is refused without a word of the password in it", () => {
  const table = {
    "nats://u:s3cr3t@h:x": '"nats://...@..."',
    "nats://u:s3cr3t@h:1/path": '"nats://...@h:1/path"',
    "u:s3cr3t@h:1/path": '"...@h:1/path"',
    "http://u:s3cr3t@h": '"http://...@h"',
    "nats://u:s3c/r3t@h:1": '"nats://...@h:1"',
    "nats://u:s3cr3t%@h:1": '"nats://...@h:1"',
    "nats://u:s3cr3t": '"nats://..."',
    "u:s3cr3t": '"..."',
    "nats://h:1/path": '"nats://h:1/path"',
  };
  for (const [text, shown] of Object.entries(table))
    assert.throws(() => parseServer(text), { message: `${shown} is no address of a NATS server` }, text);
});

test("a name alone before the @ is a token; options go before what the address holds", async () => {
  const base = { servers: [], name: "n", role: "agent" } as const;
  const from = async (url: string, more: object = {}) => {
    const { user, pass, token } = await connectionOptions({ ...base, ...more }, [parseServer(url)]);
    return { user, pass, token };
  };
  assert.deepEqual(await from("nats://s3cr3t@h"), { user: undefined, pass: undefined, token: "s3cr3t" });
  assert.deepEqual(await from("nats://u:p@h"), { user: "u", pass: "p", token: undefined });
  assert.deepEqual(await from("nats://u:p@h", { user: "x", password: "y" }), {
    user: "x",
    pass: "y",
    token: undefined,
  });
  assert.deepEqual(await from("nats://h", { token: "t" }), { user: undefined, pass: undefined, token: "t" });
});

test("the connection never gives up and sees a dead link in seconds", async () => {
  const options = await connectionOptions({ servers: [], name: "n", role: "agent" }, [
    parseServer("tls://[::1]:5"),
  ]);
  assert.equal(options.maxReconnectAttempts, -1);
  assert.ok((options.pingInterval ?? 0) * ((options.maxPingOut ?? 0) + 1) <= 15_000);
  // What dies in its handshake is noticed by this alone, up to a second after the last heartbeat.
  const { timeout = Number.POSITIVE_INFINITY, reconnectTimeWait = 0, reconnectJitter = 0 } = options;
  assert.ok(1000 + timeout + reconnectTimeWait + reconnectJitter < LEADER_LIMITS.lostUs / 1000);
  assert.equal(options.noAsyncTraces, true);
  assert.deepEqual(options.servers, ["[::1]:5"]);
  assert.ok(options.tls !== undefined);
});
