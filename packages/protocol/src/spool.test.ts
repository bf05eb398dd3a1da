import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { decodeSpool, encodeSpool, type SpoolEntry } from "./spool.js";

const entry = (seq: number, data: Uint8Array): SpoolEntry => ({
  run: "r1",
  agent: "a1",
  epoch: 3,
  kind: "snapshot",
  seq,
  data,
});

test("a spool file gives back exactly the bytes that were spooled", () => {
  const entries = [
    entry(1, new Uint8Array([0, 255, 10, 13])),
    entry(2, new Uint8Array()),
    { ...entry(2, new Uint8Array(3000).fill(7)), kind: "final" as const },
  ];
  assert.deepEqual(decodeSpool(encodeSpool(entries), "x"), entries);
  assert.deepEqual(decodeSpool(encodeSpool([]), "x"), []);
});

test("a spool file that is cut off or is something else names the line and is refused", () => {
  const whole = encodeSpool([entry(1, new Uint8Array(40)), entry(2, new Uint8Array(40))]);
  for (const [bytes, says] of [
    [whole.subarray(0, whole.length - 20), /spool\.ndjson:2/],
    [Buffer.from("{}\n"), /spool\.ndjson:1/],
    [Buffer.from("\u0000\u0001"), /spool\.ndjson:1/],
    [Buffer.from(JSON.stringify({ ...entry(1, new Uint8Array()), v: 2, data: "" })), /spool\.ndjson:1/],
  ] as const) {
    assert.throws(
      () => decodeSpool(bytes, "spool.ndjson"),
      (error) =>
        error instanceof LoadError && error.code === "RESULTS_UNREADABLE" && says.test(error.message),
    );
  }
});
