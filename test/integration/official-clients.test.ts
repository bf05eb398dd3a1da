import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createUndiciTarget, probeTarget, type RequestSink } from "@tokenstorm/agent";
import { createWorkload, type RequestEnd, type RequestSpec, type SyntheticTextInput } from "@tokenstorm/core";
import { type SimulatorOptions, startSimulator } from "@tokenstorm/simulator";
import {
  aPlan,
  GOLDEN_REQUEST,
  goldenCases,
  realGoldenClock,
  startGoldenServer,
  TickingClock,
} from "@tokenstorm/testkit";
import { type Asked, type Reader, type Reading, readWithAiSdk, readWithOpenAi } from "./official-clients.js";

const OFFICIAL: readonly (readonly [string, Reader])[] = [
  ["openai", readWithOpenAi],
  ["ai", readWithAiSdk],
];

interface WellFormed {
  readonly name: string;
  readonly simulator?: SimulatorOptions;
  readonly workload?: SyntheticTextInput;
}

/** What the simulator can send that is right, each over both APIs. It makes no tool calls and no reasoning. */
const WELL_FORMED: readonly WellFormed[] = [
  { name: "a token in each event" },
  { name: "seven tokens in each event", simulator: { streamInterval: 7 } },
  { name: "words of two to four bytes a letter", simulator: { multiByteText: true } },
  {
    name: "words of many bytes, several in each event",
    simulator: { multiByteText: true, streamInterval: 3 },
  },
  {
    name: "an answer that ends by itself",
    simulator: { naturalStopMedian: 20 },
    workload: { ignoreEos: false, outputTokens: 400 },
  },
  { name: "a single token", workload: { outputTokens: 1 } },
  { name: "cached tokens told apart", simulator: { promptTokensDetails: true } },
];

for (const api of ["openai-chat", "openai-completions"] as const) {
  for (const { name, simulator: options, workload } of WELL_FORMED) {
    test(`the official clients read from the simulator what the agent reads: ${name}, ${api}`, async (t) => {
      const simulator = await startSimulator({ timeScale: 20, ...options });
      t.after(() => simulator.close());
      const plan = aPlan({
        target: { urls: [simulator.url], api, model: simulator.model },
        workload: { inputTokens: 40, outputTokens: 60, ...workload },
      });
      const salt = "official";
      const ours = await probeTarget({ plan, env: {}, clock: realGoldenClock, salt });
      const { calibration, requestId, asked: length } = ours;
      const key = { kind: "closed", stage: 0, user: 0, j: 0 } as const;
      const { prompt, ignoreEos } = createWorkload(plan, { salt, calibration }).requestFor(key);
      assert.equal(ours.outcome.kind, "completed");
      assert.ok(ours.text.length > 0);
      const expected: Reading = {
        kind: "accepted",
        text: ours.text,
        finish: ours.finishReason,
        usage: { prompt: ours.usage?.prompt ?? -1, output: ours.usage?.output ?? -1 },
      };
      const asked: Asked = {
        url: simulator.url,
        api,
        model: simulator.model,
        prompt: promptOf(prompt),
        maxTokens: length.outputTokens,
        ignoreEos,
        // The simulator makes its words from the prompt and this.
        requestId,
      };
      for (const [client, read] of OFFICIAL) assert.deepEqual(await read(asked), expected, client);
    });
  }
}

function promptOf(prompt: RequestSpec["prompt"]): string | number[] {
  assert.ok(prompt.kind !== "messages");
  return prompt.kind === "text" ? prompt.text : [...prompt.ids];
}

/** Golden cases end as they say they end; what an official client makes of one that it reads otherwise stands here. */
const READ_OTHERWISE: Readonly<Record<string, readonly string[]>> = {
  // Usage of the prompt alone says zero tokens of an answer that has some: not believed by us.
  "usage early, of the prompt alone": ["openai", "ai"],
  "usage without sense": ["openai", "ai"],
  // The end of the last event is not seen.
  "lines that end in CR": ["ai"],
  "[DONE] with blanks around it": ["openai", "ai"],
  "a connection closed after [DONE], without the last chunk": ["openai", "ai"],
};

test("the official clients read the golden streams as they should be read, five apart", async (t) => {
  const wellFormed = goldenCases.filter(
    ({ expect, staleDeath }) => expect.outcome === "completed" && staleDeath === null,
  );
  assert.ok(wellFormed.length > 50, `${wellFormed.length} cases`);
  const otherwise: Record<string, string[]> = {};
  for (const example of wellFormed) {
    const { text, finish, usage } = example.expect;
    for (const [client, read] of OFFICIAL) {
      const found = await play(t, example.name, read);
      const isSame =
        found.kind === "accepted" &&
        found.text === (text ?? found.text) &&
        found.finish === finish &&
        found.usage?.output === usage?.output &&
        found.usage?.prompt === usage?.prompt;
      if (!isSame) otherwise[example.name] = [...(otherwise[example.name] ?? []), client];
    }
  }
  assert.deepEqual(otherwise, READ_OTHERWISE);
});

type Verdict = "accepts" | "refuses";
type BrokenRow = readonly [name: string, agent: string, openai: Verdict, ai: Verdict];

/** Broken streams, one column for each client. `accepts`: it ends as if all were well, with what it has. */
const BROKEN: readonly BrokenRow[] = [
  // name                                                                  agent           openai     ai
  ["an error event in mid-stream", "error-event", "refuses", "refuses"],
  ["[DONE] after an error event", "error-event", "refuses", "refuses"],
  ["an error event after a good end", "error-event", "accepts", "refuses"],
  ["no finish reason", "no-finish", "accepts", "refuses"],
  ["finish reason abort", "no-finish", "accepts", "accepts"],
  ["a body that the closed connection ends, without a finish", "no-finish", "accepts", "refuses"],
  ["a clean close at token 3", "stream-broken", "refuses", "refuses"],
  ["a reset at token 3", "stream-broken", "refuses", "refuses"],
  ["status 200 with a JSON error", "not-a-stream", "accepts", "refuses"],
  ["status 200 with a whole JSON answer where a stream was asked for", "not-a-stream", "accepts", "refuses"],
  ["status 200 with a stream within JSON's content type", "not-a-stream", "accepts", "accepts"],
  ["truncated JSON in a closed event", "bad-frame", "refuses", "refuses"],
  ["truncated JSON at the end of the body", "bad-frame", "accepts", "refuses"],
  ["a last event without its empty line", "bad-frame", "accepts", "refuses"],
  ["a choice that is null as data", "bad-frame", "accepts", "refuses"],
  ["garbage instead of events", "empty", "accepts", "refuses"],
  ["no output, but a finish reason and [DONE]", "empty", "accepts", "accepts"],
  ["[DONE] and nothing else", "empty", "accepts", "refuses"],
  ["a shorter answer than asked for", "wrong-length", "accepts", "accepts"],
];

for (const [name, reason, openai, ai] of BROKEN) {
  test(`of ${name} the agent makes ${reason}; openai ${openai} it, ai ${ai} it`, async (t) => {
    assert.equal(await agentsVerdict(t, name), reason);
    const verdict = async (read: Reader): Promise<Verdict> =>
      (await play(t, name, read)).kind === "accepted" ? "accepts" : "refuses";
    assert.deepEqual([await verdict(readWithOpenAi), await verdict(readWithAiSdk)], [openai, ai]);
  });
}

const FAULTS = [
  ["error-event:3", "error-event", "refuses", "refuses"],
  ["no-finish:3", "no-finish", "accepts", "refuses"],
  ["close:3", "stream-broken", "refuses", "refuses"],
  ["reset:3", "stream-broken", "refuses", "refuses"],
  ["garbage:3", "bad-frame", "refuses", "refuses"],
  ["not-sse", "not-a-stream", "accepts", "refuses"],
  ["http-500", "http-5xx", "refuses", "refuses"],
] as const;

for (const [fault, reason, ...officials] of FAULTS) {
  test(`of the simulator's ${fault} the agent makes ${reason}; openai ${officials[0]} it, ai ${officials[1]} it`, async (t) => {
    const simulator = await startSimulator({ timeScale: 20 });
    t.after(() => simulator.close());
    const { url, model } = simulator;
    const headers = { "x-sim-fault": fault };
    const plan = aPlan({ target: { urls: [url], model, headers }, workload: { outputTokens: 20 } });
    const { outcome } = await probeTarget({ plan, env: {}, clock: realGoldenClock, salt: "official" });
    assert.equal(outcome.kind === "failed" ? outcome.reason : outcome.kind, reason);
    const api = "openai-chat";
    const asked: Asked = {
      url,
      api,
      model,
      prompt: "hi",
      maxTokens: 20,
      ignoreEos: true,
      requestId: "r",
      headers,
    };
    const found = [];
    for (const [, read] of OFFICIAL)
      found.push((await read(asked)).kind === "accepted" ? "accepts" : "refuses");
    assert.deepEqual(found, officials);
  });
}

function goldenServer(t: TestContext, name: string) {
  const example = goldenCases.find((one) => one.name === name);
  assert.ok(example !== undefined, `no golden case ${name}`);
  const clock = new TickingClock();
  // These clients tell of nothing in between; a turn of the event loop lets them read each write alone.
  const beforeStep = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
  return startGoldenServer(example, { clock, beforeStep }).then((server) => {
    t.after(() => server.close());
    return server;
  });
}

async function play(t: TestContext, name: string, read: Reader): Promise<Reading> {
  const { url } = await goldenServer(t, name);
  const isChat = !name.includes("completions");
  return read({
    url,
    api: isChat ? "openai-chat" : "openai-completions",
    model: "m",
    prompt: isChat ? "hi" : [1, 2],
    maxTokens: 5,
    ignoreEos: true,
    requestId: GOLDEN_REQUEST,
  });
}

/** Reason of the failure, or how else it ended. */
async function agentsVerdict(t: TestContext, name: string): Promise<string> {
  const { url } = await goldenServer(t, name);
  const plan = aPlan({ target: { urls: [url], model: "m" } });
  const target = createUndiciTarget({ plan, slots: 1, env: {} }, realGoldenClock);
  t.after(() => target.close());
  const nothing = () => undefined;
  const { outcome } = await new Promise<RequestEnd>((resolve) => {
    const sink: RequestSink = {
      onConnected: nothing,
      onSent: nothing,
      onHeaders: nothing,
      onEvent: nothing,
      onStaleRetry: nothing,
      onEnd: (_, end) => resolve(end),
    };
    const key = { kind: "closed", stage: 0, user: 0, j: 0 } as const;
    const exactOutputTokens = name === "a shorter answer than asked for" ? 3 : null;
    target.send(0, { key, id: GOLDEN_REQUEST, url: 0, body: Buffer.from("{}"), exactOutputTokens }, sink);
  });
  return outcome.kind === "failed" ? outcome.reason : outcome.kind;
}
