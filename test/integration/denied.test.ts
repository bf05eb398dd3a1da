import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type NatsRole, rolePermissions } from "@tokenstorm/protocol/nats";
import { assertClearFailure, type Finished, runCli, scratch } from "./cli.js";
import { startAgent, startCoordinator, startNats, type TestNats } from "./cluster.js";

/** From the start of the process to its end, on a machine that does other things too. */
const SOON_MS = 15_000;
const ROLES = ["coordinator", "agent", "operator", "viewer"] as const;
/** Besides the roles, a user who may do nothing at all. */
const USERS = [
  ...ROLES.map((role) => ({ user: role, password: role, ...rolePermissions(role) })),
  { user: "nobody", password: "nobody", publish: [], subscribe: [] },
  // An operator of a hand-written configuration that leaves one subject out.
  ...Object.entries({
    "no-heartbeats": "ts.v1.hb.*",
    "no-beacon": "ts.v1.beacon",
    "no-live": "ts.v1.live.*",
  }).map(([user, left]) => {
    const { publish, subscribe } = rolePermissions("operator");
    return { user, password: user, publish, subscribe: subscribe.filter((one) => one !== left) };
  }),
  {
    user: "no-hint",
    password: "no-hint",
    ...rolePermissions("operator"),
    publish: rolePermissions("operator").publish.filter((one) => one !== "ts.v1.hint"),
  },
];

const as = (nats: TestNats, user: string, password = user) => ({
  NATS_URL: nats.url,
  NATS_USER: user,
  NATS_PASSWORD: password,
});

const PLAN = JSON.stringify({
  version: 1,
  target: { urls: ["http://127.0.0.1:1"], model: "m" },
  load: { kind: "users", stages: [{ users: 1, durationMs: 1000 }] },
});

interface Case {
  readonly args: readonly string[];
  /** Whose users may not do it. */
  readonly denied: readonly (NatsRole | "nobody" | "no-heartbeats" | "no-beacon" | "no-live")[];
}

const cases = (out: string): readonly Case[] => [
  { args: ["submit", "-"], denied: ["agent", "viewer", "nobody"] },
  {
    args: ["submit", "-", "--wait", "--ui", "none"],
    denied: ["agent", "viewer", "nobody", "no-beacon", "no-live"],
  },
  { args: ["run", "-", "--ui", "none", "--out", out], denied: ["agent", "viewer", "nobody"] },
  { args: ["stop", "r1"], denied: ["agent", "viewer", "nobody"] },
  { args: ["stop"], denied: ["viewer", "nobody"] },
  { args: ["runs"], denied: ["viewer", "nobody"] },
  { args: ["report", "--nats", "URL"], denied: ["agent", "viewer", "nobody"] },
  { args: ["agents"], denied: ["agent", "viewer", "nobody", "no-heartbeats", "no-beacon"] },
  { args: ["tail"], denied: ["agent", "nobody"] },
  { args: ["agent", "--id", "x", "--processes", "1"], denied: ["operator", "viewer", "nobody"] },
  { args: ["agent", "--id", "y", "--processes", "2"], denied: ["operator", "viewer", "nobody"] },
  { args: ["coordinator", "--out", out], denied: ["agent", "operator", "viewer", "nobody"] },
];

async function cluster(t: TestContext): Promise<TestNats | undefined> {
  const nats = await startNats(t, USERS);
  if (nats === undefined) return undefined;
  await startCoordinator(t, nats, ["--out", scratch(t)], { env: as(nats, "coordinator") });
  return nats;
}

/** Says what fails instead of failing: one look shows the whole table. */
function complaint(name: string, result: Finished, tookMs: number, says: RegExp): string | undefined {
  try {
    assertClearFailure(result, { code: 1, says });
    assert.match(result.stderr, /^hint: /m, `no hint: ${result.stderr}`);
    assert.equal(result.stderr.match(/^error: /gm)?.length, 1, `not one line of error: ${result.stderr}`);
    assert.ok(tookMs < SOON_MS, `took ${tookMs} ms`);
    return undefined;
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function tried(t: TestContext, nats: TestNats, args: readonly string[], env: Record<string, string>) {
  const from = performance.now();
  const words = args.map((word) => (word === "URL" ? nats.url : word));
  const result = await runCli(t, words, { env, input: PLAN, limitMs: 2 * SOON_MS });
  return { result, tookMs: performance.now() - from };
}

/** A few at a time: each is a process. */
async function inBatches<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += 4)
    results.push(...(await Promise.all(items.slice(at, at + 4).map(work))));
  return results;
}

test("what a user's role does not allow is one clear line with a hint, and exit code 1, within seconds", {
  timeout: 300_000,
}, async (t) => {
  const nats = await cluster(t);
  if (nats === undefined) return;
  const tries = cases(scratch(t)).flatMap(({ args, denied }) => denied.map((user) => ({ args, user })));
  const complaints = await inBatches(tries, async ({ args, user }) => {
    const { result, tookMs } = await tried(t, nats, args, as(nats, user));
    const name = `${args.join(" ")} as ${user}`;
    return complaint(name, result, tookMs, /^error: .*(NATS|user|allow|may not|denied|refuses)/m);
  });
  assert.deepEqual(
    complaints.filter((one) => one !== undefined),
    [],
  );
});

test("a wrong password is one clear line with a hint, whatever the command", {
  timeout: 120_000,
}, async (t) => {
  const nats = await startNats(t, USERS);
  if (nats === undefined) return;
  const complaints = await inBatches(cases(scratch(t)), async ({ args }) => {
    const { result, tookMs } = await tried(t, nats, args, as(nats, "operator", "wrong"));
    return complaint(
      args.join(" "),
      result,
      tookMs,
      /^error: NATS at .* refuses this user: authorization violation/m,
    );
  });
  assert.deepEqual(
    complaints.filter((one) => one !== undefined),
    [],
  );
});

test("a hint that is denied is told, and the command does its work all the same", {
  timeout: 60_000,
}, async (t) => {
  const nats = await cluster(t);
  if (nats === undefined) return;
  const env = as(nats, "no-hint");
  const submitted = await runCli(t, ["submit", "-", "--json"], { env, input: PLAN });
  const { run }: { run: string } = JSON.parse(submitted.stdout);
  const stopped = await runCli(t, ["stop", run], { env });
  for (const { code, stderr } of [submitted, stopped]) {
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^warning: NATS does not allow this user to publish to ts\.v1\.hint/m);
  }
});

test("what a role allows works", { timeout: 120_000 }, async (t) => {
  const nats = await cluster(t);
  if (nats === undefined) return;
  const agent = await startAgent(t, nats, ["--id", "a"], { env: as(nats, "agent") });
  const operator = as(nats, "operator");
  const submitted = await runCli(t, ["submit", "-", "--json"], { env: operator, input: PLAN });
  assert.equal(submitted.code, 0, submitted.stderr);
  const { run }: { run: string } = JSON.parse(submitted.stdout);
  for (const args of [["agents"], ["runs"], ["tail", run, "--ui", "plain"], ["stop", run]]) {
    const result = await runCli(t, args, { env: operator });
    assert.equal(result.code, 0, `${args.join(" ")}: ${result.stderr}`);
  }
  agent.signal("SIGTERM");
  assert.equal((await agent.finished).code, 0);
});
