import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { type DataSetFacts, type PlanInput, type TestPlan, withDataSetFacts } from "@tokenstorm/core";
import { sha256Of } from "@tokenstorm/protocol";
import { aPlan } from "@tokenstorm/testkit";
import { Cluster } from "./testing/cluster.js";
import { checkBooks, sentBy } from "./testing/looks.js";

const LINES = new TextEncoder().encode(
  Array.from({ length: 50 }, (_, i) =>
    JSON.stringify({ prompt: `question ${i}`, output_tokens: 3 + (i % 5) }),
  ).join("\n"),
);
const FACTS = new Map<string, DataSetFacts>([
  ["q.jsonl", { sha256: sha256Of(LINES), bytes: LINES.byteLength }],
]);

const MIXTURE: PlanInput["workload"] = {
  kind: "mixture",
  of: [
    { weight: 2, name: "text", inputTokens: 30, outputTokens: { kind: "uniform", min: 2, max: 9 } },
    { weight: 1, name: "seen", inputTokens: 12, outputTokens: 4, images: { count: 2, size: "40x30" } },
    { weight: 2, name: "file", kind: "dataset", file: "q.jsonl" },
  ],
};

/** The plan as it is submitted. */
function stated(change: Partial<PlanInput>): TestPlan {
  return withDataSetFacts(aPlan({ warmUp: { requests: 0 }, ...change }), FACTS);
}

const closed: PlanInput["load"] = { kind: "users", stages: [{ users: 6, rampUpMs: 0, requests: 90 }] };
const open: PlanInput["load"] = {
  kind: "arrival-rate",
  maxInFlight: 300,
  stages: [{ fromRps: 40, durationMs: 2000 }],
};

async function bodiesOf(agents: number, load: PlanInput["load"]): Promise<Map<string, string>> {
  const cluster = new Cluster();
  await cluster.transport.dataSets.put(sha256Of(LINES), LINES);
  for (let i = 0; i < agents; i += 1) await cluster.addAgent(`a${i}`);
  await cluster.start(stated({ workload: MIXTURE, load }));
  await cluster.runTo(8_000_000);
  checkBooks(cluster);
  const bodies = new Map(sentBy(cluster, ...cluster.agents).map(({ id, body }) => [id, body]));
  await cluster.close();
  return bodies;
}

for (const [kind, load] of Object.entries({ closed, open })) {
  test(`any number of agents together send the bodies of one, of text, images and a file, ${kind}`, async () => {
    const alone = await bodiesOf(1, load);
    assert.ok(alone.size > 60, `${alone.size} requests`);
    for (const agents of [2, 3])
      assert.deepEqual(new Map([...(await bodiesOf(agents, load))].sort()), new Map([...alone].sort()));
  });
}

test("a request with images has its text first, and PNG data URLs of the asked size that no other request has", async () => {
  const bodies = [...(await bodiesOf(1, closed)).values()].map((body) => JSON.parse(body));
  const seen = bodies.filter(({ messages }) => Array.isArray(messages[0].content));
  assert.ok(seen.length > 5);
  const urls = new Set<string>();
  for (const { messages, max_tokens } of seen) {
    const [text, ...images] = messages[0].content;
    assert.deepEqual([text.type, images.length, max_tokens], ["text", 2, 4]);
    for (const image of images) {
      assert.equal(image.type, "image_url");
      urls.add(image.image_url.url);
      const png = Buffer.from(image.image_url.url.replace(/^data:image\/png;base64,/, ""), "base64");
      assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [40, 30]);
      const data: Buffer[] = [];
      for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
        if (png.toString("latin1", at + 4, at + 8) === "IDAT")
          data.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
      }
      assert.equal(inflateSync(Buffer.concat(data)).length, 30 * 11);
    }
  }
  assert.equal(urls.size, 2 * seen.length);
});

test("members of a mixture stand apart in what an agent reports, with what they asked for", async () => {
  const cluster = new Cluster();
  await cluster.transport.dataSets.put(sha256Of(LINES), LINES);
  await cluster.addAgent("a1");
  await cluster.start(stated({ workload: MIXTURE, load: closed }));
  await cluster.runTo(8_000_000);
  const parts = cluster.snapshots.flatMap(({ blocks }) => blocks.flatMap(({ work }) => work ?? []));
  const sum = (member: number, of: (part: (typeof parts)[number]) => number) =>
    parts.filter((part) => part.member === member).reduce((so, part) => so + of(part), 0);
  const offered = [0, 1, 2].map((member) => sum(member, (part) => part.offered));
  assert.equal(
    offered.reduce((so, one) => so + one),
    90,
  );
  for (const member of [0, 1, 2])
    assert.equal(
      sum(member, (part) => part.completed),
      offered[member],
    );
  assert.equal(
    sum(0, (part) => part.askedPromptTokens),
    30 * (offered[0] ?? 0),
  );
  assert.equal(
    sum(1, (part) => part.images),
    2 * (offered[1] ?? 0),
  );
  assert.equal(
    sum(1, (part) => part.askedOutputTokens),
    sum(1, (part) => part.outputTokens),
  );
  assert.equal(
    sum(2, (part) => part.promptsOfUnknownLength),
    offered[2],
  );
  assert.equal(
    sum(0, (part) => part.promptTokens),
    16 * (offered[0] ?? 0),
  );
  await cluster.close();
});

test("text alone keeps no members apart", async () => {
  const cluster = new Cluster();
  await cluster.addAgent("a1");
  await cluster.start({ load: closed });
  await cluster.runTo(3_000_000);
  assert.ok(cluster.snapshots.length > 0);
  for (const { blocks } of cluster.snapshots)
    for (const block of blocks) assert.equal("work" in block, false);
  await cluster.close();
});

const FILE = { kind: "dataset", file: "q.jsonl" } as const;

for (const [what, plan, message] of [
  [
    "a file that is not in the store",
    stated({ workload: FILE }),
    /q\.jsonl .* is not in the store of data sets/,
  ],
  ["a file without its digest", aPlan({ workload: FILE }), /names q\.jsonl without its digest/],
] as const) {
  test(`an agent is not ready for a plan with ${what}`, async () => {
    const cluster = new Cluster();
    const agent = await cluster.addAgent("a1");
    await cluster.lead();
    await cluster.submit(plan);
    await cluster.prepare();
    await cluster.clock.advanceByAsync(2_000_000);
    const { state, problem } = cluster.last(agent);
    assert.equal(state, "failed");
    assert.equal(problem?.code, "DATASET_INVALID");
    assert.match(problem?.message ?? "", message);
    await cluster.close();
  });
}

test("an agent that was handed another file than the others says another digest", async () => {
  const other = new TextEncoder().encode(new TextDecoder().decode(LINES).replace("question 3", "question x"));
  const cluster = new Cluster();
  await cluster.transport.dataSets.put(sha256Of(LINES), LINES);
  const agents = [
    await cluster.addAgent("a1"),
    await cluster.addAgent("a2", { deps: { dataSets: { get: async () => other } } }),
  ];
  await cluster.lead();
  await cluster.submit(stated({ workload: FILE, load: closed }));
  await cluster.prepare();
  await cluster.clock.advanceByAsync(2_000_000);
  const [one, two] = agents.map((agent) => cluster.last(agent).ready?.walkDigest);
  assert.ok(one !== undefined && two !== undefined);
  assert.notEqual(one, two);
  await cluster.close();
});

test("requests that the bound of memory kept from being built ahead are counted in the final", async () => {
  const finalsWith = async (aheadBytes: number) => {
    const cluster = new Cluster();
    await cluster.addAgent("a1", { deps: { options: { aheadBytes } } });
    await cluster.start({ load: closed });
    await cluster.runTo(20_000_000);
    const built = cluster.finals.map(({ builtLate }) => builtLate);
    await cluster.close();
    return built;
  };
  assert.deepEqual(await finalsWith(64 * 1024 * 1024), [0]);
  const [late] = await finalsWith(1);
  assert.ok(late !== undefined && late >= 5, `${late} built late`);
});

interface Message {
  readonly role: string;
  readonly content: string;
}

/** What user 0 sent in turn, as messages. */
async function conversationOf(options: {
  readonly agents: number;
  readonly failing?: RegExp;
  readonly thinkMs?: number;
}): Promise<{ readonly messages: readonly Message[]; readonly tUs: number; readonly id: string }[]> {
  const cluster = new Cluster();
  for (let i = 0; i < options.agents; i += 1)
    await cluster.addAgent(`a${i}`, {
      target: {
        latencyUs: () => 100_000,
        outcome: ({ id }) =>
          options.failing?.test(id) === true ? { kind: "failed", reason: "http-5xx" } : { kind: "completed" },
      },
    });
  await cluster.start({
    workload: { kind: "conversation", turns: 3, systemTokens: 12, inputTokens: 9, outputTokens: 4 },
    load: { kind: "users", thinkMs: options.thinkMs ?? 0, stages: [{ users: 4, rampUpMs: 0, requests: 20 }] },
  });
  await cluster.runTo(9_000_000);
  checkBooks(cluster);
  const sent = sentBy(cluster, ...cluster.agents).map(({ body, id, tUs }) => ({
    id,
    tUs,
    messages: JSON.parse(body).messages,
  }));
  await cluster.close();
  return sent.sort((a, b) => (a.id < b.id ? -1 : 1));
}

test("a turn carries what was said before it, with the target's real answers; after the last a new conversation begins", async () => {
  const sent = await conversationOf({ agents: 1 });
  const own = sent.filter(({ id }) => id.includes("-u0-"));
  assert.equal(own.length, 5);
  const roles = own.map(({ messages }) => messages.map(({ role }) => role[0]).join(""));
  assert.deepEqual(roles, ["su", "suau", "suauau", "su", "suau"]);
  const [first, second, third, fourth] = own;
  assert.ok(first && second && third && fourth);
  assert.deepEqual(third.messages.slice(0, 4), second.messages);
  assert.deepEqual(second.messages.slice(0, 2), first.messages);
  assert.equal(second.messages[2]?.content, `answer to "${first.id}"`);
  assert.equal(third.messages[4]?.content, `answer to "${second.id}"`);
  assert.deepEqual(fourth.messages[0], first.messages[0]);
  assert.notDeepEqual(fourth.messages[1], first.messages[1]);
});

test("a failed turn is left out of the conversation, which goes on", async () => {
  const own = (await conversationOf({ agents: 1, failing: /-u0-j1$/ })).filter(({ id }) =>
    id.includes("-u0-"),
  );
  const [first, failed, third] = own;
  assert.ok(first && failed && third);
  assert.deepEqual(
    third.messages.map(({ role }) => role),
    ["system", "user", "assistant", "user"],
  );
  assert.deepEqual(third.messages.slice(0, 3), failed.messages.slice(0, 3));
  assert.notDeepEqual(third.messages[3], failed.messages[3]);
});

test("any number of agents together hold the conversations of one", async () => {
  const alone = await conversationOf({ agents: 1 });
  assert.equal(alone.length, 20);
  const content = (sent: typeof alone) => sent.map(({ id, messages }) => ({ id, messages }));
  for (const agents of [2, 3]) assert.deepEqual(content(await conversationOf({ agents })), content(alone));
});

test("a user thinks between an answer and its next turn", async () => {
  const own = (await conversationOf({ agents: 1, thinkMs: 250 })).filter(({ id }) => id.includes("-u0-"));
  const gaps = own.slice(1).map(({ tUs }, i) => tUs - (own[i]?.tUs ?? 0));
  assert.deepEqual(gaps, [350_000, 350_000, 350_000, 350_000]);
});

const TRACE = Array.from({ length: 40 }, (_, i) =>
  JSON.stringify({
    timestamp: 50 * i + (i % 3),
    input_length: 20 + i,
    output_length: 2 + (i % 3),
    hash_ids: [0, i % 4],
  }),
).join("\n");

async function traceOf(agents: number): Promise<readonly (readonly [string, number, string])[]> {
  const data = new TextEncoder().encode(TRACE);
  const sha256 = sha256Of(data);
  const facts = new Map([
    ["t.jsonl", { sha256, bytes: data.byteLength, trace: { requests: 40, lengthMs: 976 } }],
  ]);
  const plan = aPlan({
    warmUp: { requests: 0 },
    workload: { kind: "trace", blockTokens: 10 },
    load: { kind: "trace", file: "t.jsonl", speed: 2, maxInFlight: 60 },
  });
  const cluster = new Cluster();
  await cluster.transport.dataSets.put(sha256, data);
  for (let i = 0; i < agents; i += 1) await cluster.addAgent(`a${i}`, { offsetUs: i * 1000 });
  await cluster.start(withDataSetFacts(plan, facts));
  await cluster.runTo(6_000_000);
  checkBooks(cluster);
  const sent = sentBy(cluster, ...cluster.agents).map(({ key, tUs, body }) => [key, tUs, body] as const);
  await cluster.close();
  return sent.sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

test("a trace is sent at exactly its times by any number of agents, with the bodies of one", async () => {
  const alone = await traceOf(1);
  assert.equal(alone.length, 40);
  for (const [key, tUs] of alone) {
    const k = Number(/k(\d+)$/.exec(key)?.[1]);
    assert.equal(tUs, ((50 * k + (k % 3)) * 1000) / 2, key);
  }
  for (const agents of [2, 3]) assert.deepEqual(await traceOf(agents), alone);
});
