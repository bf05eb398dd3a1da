import assert from "node:assert/strict";
import { test } from "node:test";
import { findPlace, parseListen } from "./listen-place.js";
import { type LocalAddress, localAddresses } from "./local-addresses.js";

const LOOPBACK: LocalAddress = { address: "127.0.0.1", family: "IPv4", device: "lo", isLoopback: true };
const ETH0: LocalAddress = { address: "10.0.0.5", family: "IPv4", device: "eth0", isLoopback: false };
const ETH1: LocalAddress = { address: "2001:db8::5", family: "IPv6", device: "eth1", isLoopback: false };
const ANY = { host: undefined, port: 4222, advertise: undefined };

test("an address to listen on may have a port, and IPv6 may stand in brackets", () => {
  const table: Readonly<Record<string, readonly [string | undefined, number] | undefined>> = {
    "10.0.0.5": ["10.0.0.5", 4222],
    "10.0.0.5:4300": ["10.0.0.5", 4300],
    "127.0.0.1:0": ["127.0.0.1", 0],
    "host-3.lab:4222": ["host-3.lab", 4222],
    "::1": ["::1", 4222],
    "[::1]": ["::1", 4222],
    "[2001:db8::5]:1": ["2001:db8::5", 1],
    auto: [undefined, 4222],
    "auto:99": [undefined, 99],
    "10.0.0.5:65536": undefined,
    "10.0.0.5:": undefined,
    ":4222": undefined,
    "[10.0.0.5]": undefined,
    "nats://10.0.0.5": undefined,
    "user@host": undefined,
    "a b": undefined,
    "": undefined,
  };
  for (const [text, expected] of Object.entries(table)) {
    const parsed = parseListen(text);
    assert.deepEqual(parsed === undefined ? undefined : [parsed.host, parsed.port], expected, text);
  }
});

test("the only address of a host is taken; several are not guessed at", () => {
  assert.deepEqual(findPlace(ANY, [LOOPBACK, ETH0]), {
    kind: "place",
    place: { host: "10.0.0.5", port: 4222, advertised: "10.0.0.5" },
  });
  assert.deepEqual(findPlace(ANY, [LOOPBACK, ETH0, ETH1]), { kind: "several", addresses: [ETH0, ETH1] });
  assert.equal(findPlace(ANY, [LOOPBACK]).kind, "none");
});

test("listening everywhere needs one address to be told to others", () => {
  const everywhere = { ...ANY, host: "0.0.0.0" };
  assert.equal(findPlace(everywhere, [LOOPBACK, ETH0, ETH1]).kind, "several");
  assert.deepEqual(findPlace(everywhere, [LOOPBACK, ETH0]), {
    kind: "place",
    place: { host: "0.0.0.0", port: 4222, advertised: "10.0.0.5" },
  });
  assert.deepEqual(findPlace({ ...everywhere, advertise: "nat.example" }, [LOOPBACK, ETH0, ETH1]), {
    kind: "place",
    place: { host: "0.0.0.0", port: 4222, advertised: "nat.example" },
  });
});

test("an address of another host is refused, with those of this one", () => {
  const found = findPlace({ ...ANY, host: "10.0.0.6" }, [LOOPBACK, ETH0]);
  assert.ok(found.kind === "none");
  assert.match(found.problem, /10\.0\.0\.6 is no address of this host/);
  assert.match(found.hint, /127\.0\.0\.1, 10\.0\.0\.5/);
});

test("addresses that need a zone to be reached are not listed", () => {
  const netmask = { netmask: "", mac: "", cidr: null, internal: false };
  const found = localAddresses({
    eth0: [
      { ...netmask, address: "fe80::1", family: "IPv6", scopeid: 2 },
      { ...netmask, address: "10.0.0.5", family: "IPv4" },
    ],
  });
  assert.deepEqual(
    found.map((one) => one.address),
    ["10.0.0.5"],
  );
});
