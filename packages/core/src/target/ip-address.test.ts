import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopbackHost } from "./ip-address.js";

test("loopback is what only this host reaches", () => {
  for (const host of ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "::1", "[::1]", "::ffff:127.0.0.1"])
    assert.ok(isLoopbackHost(host), host);
  for (const host of ["127.0.0.1.example", "10.0.0.1", "0.0.0.0", "::", "localhost.example", "127"])
    assert.ok(!isLoopbackHost(host), host);
});
