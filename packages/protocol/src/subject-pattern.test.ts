import assert from "node:assert/strict";
import { test } from "node:test";
import { property } from "@tokenstorm/testkit";
import { isSubject, isSubjectPattern, matchesSubject } from "./subject-pattern.js";

test("patterns take the subjects that NATS's rules give them", () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ["a.b", "a.b", true],
    ["a.b", "a.b.c", false],
    ["a.b.c", "a.b", false],
    ["a.*", "a.b", true],
    ["a.*", "a", false],
    ["a.*", "a.b.c", false],
    ["*.b", "a.b", true],
    ["a.>", "a.b.c", true],
    ["a.>", "a", false],
    [">", "a", true],
    ["*", "a.b", false],
    ["a.*.>", "a.b", false],
    ["a.*.>", "a.b.c", true],
  ];
  for (const [pattern, subject, expected] of table)
    assert.equal(matchesSubject(pattern, subject), expected, `${pattern} and ${subject}`);
});

test("what is no subject or no pattern is known", () => {
  for (const good of ["a", "a.b-c_d", "$JS.API"]) assert.ok(isSubject(good) && isSubjectPattern(good), good);
  for (const wild of ["*", ">", "a.*.b", "a.>"]) assert.ok(!isSubject(wild) && isSubjectPattern(wild), wild);
  for (const bad of ["", ".", "a.", ".a", "a..b", "a b", "a.>.b", "a*", "a.b>"])
    assert.ok(!isSubject(bad) && !isSubjectPattern(bad), bad);
});

property(
  "a subject takes itself, and with any token as a star, and with any end as the rest",
  300,
  (random) => {
    const tokens = Array.from({ length: random.int(1, 6) }, () => random.pick(["a", "b", "hb", "v1"]));
    const subject = tokens.join(".");
    const starred = tokens.map((token) => (random.bool() ? "*" : token));
    assert.ok(matchesSubject(starred.join("."), subject));
    const kept = random.int(0, tokens.length - 1);
    assert.ok(matchesSubject([...starred.slice(0, kept), ">"].join("."), subject));
    assert.ok(!matchesSubject([...starred, ">"].join("."), subject));
    assert.ok(!matchesSubject(starred.slice(0, -1).join("."), subject));
  },
);
