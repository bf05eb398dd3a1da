import assert from "node:assert/strict";
import { test } from "node:test";
import {
  admitTarget,
  isAddressAllowed,
  parseTargetRule,
  type TargetPlace,
  type TargetRule,
} from "./target-rules.js";

function rulesOf(...texts: string[]): TargetRule[] {
  return texts.map((text) => {
    const rule = parseTargetRule(text);
    assert.ok(!("problem" in rule), `${text}: ${"problem" in rule ? rule.problem : ""}`);
    return rule;
  });
}

/** As an agent takes a URL of the plan apart. */
function placeOf(text: string): TargetPlace {
  const url = new URL(text);
  const scheme = url.protocol === "https:" ? "https" : "http";
  const port = url.port === "" ? { http: 80, https: 443 }[scheme] : Number(url.port);
  return { scheme, host: url.hostname.replace(/^\[|\]$/g, ""), port };
}

test("without a rule every target is allowed", () => {
  assert.equal(admitTarget([], placeOf("http://anywhere.example:1")), "allowed");
  assert.equal(isAddressAllowed([], placeOf("http://anywhere.example:1"), "192.0.2.1"), true);
});

/** Rule, targets that it allows, targets that it refuses. */
const NAMES_AND_ADDRESSES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  [
    "llm.lab.example",
    [
      "http://llm.lab.example",
      "https://llm.lab.example:8000",
      "http://LLM.Lab.Example",
      "http://llm.lab.example./v1",
    ],
    [
      "http://lab.example",
      "http://x.llm.lab.example",
      "http://xllm.lab.example",
      "http://llm.lab.example.evil.test",
      "http://llm.lab.example@evil.test",
      "http://llm.lab.example:8000@evil.test",
      "http://evil.test\\@llm.lab.example",
      "http://evil.test/llm.lab.example",
      "http://10.0.0.1",
    ],
  ],
  ["LLM.Lab.example.", ["http://llm.lab.example"], ["http://lab.example"]],
  [
    "llm.lab.example:8000",
    ["http://llm.lab.example:8000", "https://llm.lab.example:8000"],
    ["http://llm.lab.example"],
  ],
  [
    "llm.lab.example:443",
    ["https://llm.lab.example"],
    ["http://llm.lab.example", "https://llm.lab.example:8443"],
  ],
  ["llm.lab.example:80", ["http://llm.lab.example"], ["https://llm.lab.example"]],
  [
    "https://llm.lab.example",
    ["https://llm.lab.example", "https://llm.lab.example:9"],
    ["http://llm.lab.example"],
  ],
  ["HTTP://llm.lab.example:80", ["http://llm.lab.example"], ["https://llm.lab.example:80"]],
  [
    "*.lab.example",
    ["http://a.lab.example", "http://b.a.lab.example:1", "http://A.LAB.EXAMPLE."],
    ["http://lab.example", "http://.lab.example.test", "http://alab.example", "http://a.lab.example.test"],
  ],
  [
    "10.0.0.0/8",
    // Decimal, octal, hexadecimal and mapped: to a socket they are all one address.
    [
      "http://10.1.2.3",
      "http://167772161",
      "http://012.0.0.1",
      "http://0xa.0.0.1",
      "http://10.1",
      "http://[::ffff:10.9.9.9]",
    ],
    [
      "http://11.0.0.1",
      "http://9.255.255.255",
      "http://[::ffff:11.0.0.1]",
      "http://[::10.0.0.1]",
      "http://[64:ff9b::a00:1]",
    ],
  ],
  ["10.0.0.0/8:8000", ["http://10.1.2.3:8000"], ["http://10.1.2.3"]],
  [
    "127.0.0.1",
    ["http://127.0.0.1:1", "http://2130706433", "http://0x7f000001", "http://127.1"],
    ["http://127.0.0.2"],
  ],
  ["0.0.0.0/0", ["http://192.0.2.1"], ["http://[2001:db8::1]"]],
  [
    "[2001:db8::]/32",
    ["http://[2001:db8::1]", "http://[2001:0DB8:0:0:0:0:0:1]:9"],
    ["http://[2001:db9::1]", "http://10.0.0.1"],
  ],
  ["2001:db8::/32", ["http://[2001:db8:ffff::]"], ["http://[2001:db7:ffff::]"]],
  ["[::1]:8000", ["http://[::1]:8000"], ["http://[::1]", "http://127.0.0.1:8000"]],
  ["::ffff:10.0.0.0/104", ["http://10.1.2.3"], ["http://11.1.2.3"]],
  ["::/0", ["http://[2001:db8::1]"], ["http://[::ffff:10.0.0.1]", "http://10.0.0.1"]],
  ["https://[2001:db8::]/32", ["https://[2001:db8::1]"], ["http://[2001:db8::1]"]],
];

for (const [rule, allowed, refused] of NAMES_AND_ADDRESSES) {
  test(`the rule ${rule} allows what it names and nothing beside it`, () => {
    const rules = rulesOf(rule);
    for (const url of allowed) assert.equal(admitTarget(rules, placeOf(url)), "allowed", url);
    for (const url of refused) {
      const place = placeOf(url);
      assert.notEqual(admitTarget(rules, place), "allowed", url);
      // Where only an address can tell, none outside may do.
      assert.equal(isAddressAllowed(rules, place, "198.51.100.7"), false, url);
    }
  });
}

test("a name that no rule names is judged by the addresses it resolves to", () => {
  const rules = rulesOf("10.0.0.0/8", "[2001:db8::]/32", "llm.lab.example");
  const place = placeOf("http://gpu1.lab.example:8000");
  assert.equal(admitTarget(rules, place), "by-address");
  for (const address of ["10.1.2.3", "2001:db8::7", "::ffff:10.1.2.3"])
    assert.equal(isAddressAllowed(rules, place, address), true, address);
  for (const address of ["192.0.2.1", "fe80::1%eth0", "::ffff:192.0.2.1", "not an address", ""])
    assert.equal(isAddressAllowed(rules, place, address), false, address);
});

test("a name that a rule names is allowed whatever it resolves to", () => {
  const rules = rulesOf("10.0.0.0/8", "llm.lab.example");
  assert.equal(isAddressAllowed(rules, placeOf("http://llm.lab.example"), "192.0.2.1"), true);
});

test("a network that is bound to a port or a scheme allows no other name through it", () => {
  const rules = rulesOf("https://10.0.0.0/8", "11.0.0.0/8:8000");
  assert.equal(admitTarget(rules, placeOf("http://gpu1.lab.example:9000")), "refused");
  assert.equal(isAddressAllowed(rules, placeOf("http://gpu1.lab.example:8000"), "10.0.0.1"), false);
  assert.equal(isAddressAllowed(rules, placeOf("http://gpu1.lab.example:8000"), "11.0.0.1"), true);
  assert.equal(isAddressAllowed(rules, placeOf("https://gpu1.lab.example:9000"), "10.0.0.1"), true);
});

test("names alone refuse another name without a look at its addresses", () => {
  assert.equal(admitTarget(rulesOf("*.lab.example"), placeOf("http://gpu1.other.example")), "refused");
});

const NO_RULES: readonly (readonly [string, RegExp])[] = [
  ["", /names no host/],
  ["  ", /names no host/],
  ["http://", /names no host/],
  ["ftp://h", /scheme that no target has/],
  ["://h", /scheme that no target has/],
  ["http://user:pw@h", /names a user/],
  ["u@h", /names a user/],
  ["h/v1", /has a path/],
  ["http://h/", /has a path/],
  ["h/8/x", /is no rule|has a path/],
  ["h?x", /characters that no rule has/],
  ["a b", /characters that no rule has/],
  ["a,b", /characters that no rule has/],
  ["evil\\.lab.example", /characters that no rule has/],
  ["h:", /is no rule/],
  ["h:http", /is no rule/],
  ["h:0", /port that is not 1 to 65535/],
  ["h:65536", /port that is not 1 to 65535/],
  ["h/8", /behind what is no address/],
  ["*", /does not stand for the first part/],
  ["*.*.example", /does not stand for the first part/],
  ["a.*.example", /does not stand for the first part/],
  ["*lab.example", /does not stand for the first part/],
  ["*.", /does not stand for the first part/],
  ["*.lab.example/8", /behind what is no address/],
  ["-h", /no name of a host/],
  ["a..b", /no name of a host/],
  ["bücher.example", /beyond ASCII/],
  ["10.0.0", /is no address/],
  ["010.0.0.1", /is no address/],
  ["2130706433", /is no address/],
  ["0x7f.1", /is no address/],
  ["256.0.0.1", /is no address/],
  ["10.0.0.0/33", /size that is not 0 to 32/],
  ["10.1.2.3/8", /did you mean 10\.0\.0\.0\/8\?/],
  ["2001:db8::1/32", /did you mean 2001:db8:0:0:0:0:0:0\/32\?/],
  ["::/129", /size that is not 0 to 128/],
  ["::ffff:0.0.0.0/95", /size that is not 96 to 128/],
  ["[::1", /is no rule/],
  ["[10.0.0.1]", /no IPv6 address/],
  ["[h]", /no IPv6 address/],
  ["1:2:3", /no IPv6 address/],
  ["::1::", /no IPv6 address/],
  ["[fe80::1%eth0]", /no IPv6 address/],
  ["1:2:3:4:5:6:7:8:9", /no IPv6 address/],
];

test("what is no rule is refused with the reason", () => {
  for (const [text, reason] of NO_RULES) {
    const rule = parseTargetRule(text);
    assert.ok("problem" in rule, `"${text}" was taken for a rule`);
    assert.match(rule.problem, reason, `"${text}"`);
  }
});
