import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { askAddress } from "./ask-address.js";
import type { LocalAddress } from "./local-addresses.js";

const ADDRESSES: readonly LocalAddress[] = [
  { address: "10.0.0.5", family: "IPv4", device: "eth0", isLoopback: false },
  { address: "192.168.100.7", family: "IPv4", device: "wlan0", isLoopback: false },
];

async function ask(answers: string): Promise<{ chosen: string | undefined; shown: string }> {
  const input = new PassThrough();
  const output = new PassThrough();
  input.end(answers);
  const chosen = await askAddress(ADDRESSES, { input, output });
  return { chosen, shown: String(output.read()) };
}

test("an address is chosen by its number or by itself, and asked for again after a wrong answer", async () => {
  const { chosen, shown } = await ask("2\n");
  assert.equal(chosen, "192.168.100.7");
  assert.match(shown, /1 {2}10\.0\.0\.5 {7}eth0\n {2}2 {2}192\.168\.100\.7 {2}wlan0\n1-2: /);
  assert.equal((await ask("10.0.0.5\n")).chosen, "10.0.0.5");
  const again = await ask("0\nthree\n 1 \n");
  assert.equal(again.chosen, "10.0.0.5");
  assert.equal(again.shown.match(/write a number from 1 to 2/g)?.length, 2);
});

test("an input that ends without an answer chooses nothing", async () => {
  assert.equal((await ask("")).chosen, undefined);
});
