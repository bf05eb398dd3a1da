import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { calibrationText, LoadError, type PlanInput } from "@tokenstorm/core";
import {
  aPlan,
  HANG,
  httpHead,
  jsonAnswer,
  LAST_CHUNK,
  RESET,
  type ScriptedRequest,
  type ScriptedServer,
  type ScriptedStep,
  STREAM_HEAD,
  sseChunk,
  startScriptedServer,
  tempDir,
} from "@tokenstorm/testkit";
import { probeTarget } from "./probe.js";
import { requestHeaders, resolveApiKey, withoutKey } from "./request-headers.js";
import { createUndiciTarget } from "./undici-target.js";

const clock = {
  nowUs: () => Math.round(performance.now() * 1000),
  at: (us: number, fn: () => void) => {
    const timer = setTimeout(fn, (us - performance.now() * 1000) / 1000);
    return () => clearTimeout(timer);
  },
};
const TEMPLATE = 9;
const words = (text: string): number => text.split(" ").length;

/** A good server of model `m` that takes three tokens for two words. */
const ROUTES: Readonly<Record<string, (request: ScriptedRequest) => Iterable<ScriptedStep>>> = {
  "/v1/models": () => [jsonAnswer(200, { object: "list", data: [{ id: "m" }] })],
  "/version": () => [jsonAnswer(200, { version: "0.14.1" })],
  "/tokenize": ({ body }) => {
    const { prompt, messages } = JSON.parse(body);
    const count = prompt === undefined ? TEMPLATE + words(messages[0].content) * 1.5 : words(prompt) * 1.5;
    return [jsonAnswer(200, { count })];
  },
  "/v1/chat/completions": ({ body }) => answer(TEMPLATE + words(JSON.parse(body).messages[0].content) * 1.5),
  "/v1/completions": ({ body }) => answer(JSON.parse(body).prompt.length),
};

function answer(promptTokens: number): ScriptedStep[] {
  return [
    STREAM_HEAD,
    sseChunk({ choices: [{ index: 0, delta: { content: "Hi" }, text: "Hi", finish_reason: null }] }),
    sseChunk({ choices: [{ index: 0, delta: { content: " you" }, text: " you", finish_reason: "length" }] }),
    sseChunk({ choices: [], usage: { prompt_tokens: promptTokens, completion_tokens: 2 } }),
    sseChunk("[DONE]"),
    LAST_CHUNK,
  ];
}

async function serverWith(t: TestContext, change: typeof ROUTES = {}): Promise<ScriptedServer> {
  const routes = { ...ROUTES, ...change };
  const server = await startScriptedServer(
    (request) => routes[request.path]?.(request) ?? [jsonAnswer(404, { detail: "Not Found" })],
  );
  t.after(() => server.close());
  return server;
}

function targetOf(t: TestContext, target: PlanInput["target"], env: Record<string, string> = {}) {
  const plan = aPlan({ target, timeouts: { connectMs: 1000, ttftMs: 200 } });
  const made = createUndiciTarget({ plan, slots: 2, env }, clock);
  t.after(() => made.close());
  return made;
}

test("preflight finds the model, the version and what a word and the template cost, and leaves no socket", async (t) => {
  const server = await serverWith(t);
  const target = targetOf(t, { urls: [server.url] });
  assert.deepEqual(await target.preflight(), {
    model: "m",
    wordsPerToken: 1 / 1.5,
    templateTokens: TEMPLATE,
    serverVersion: "0.14.1",
    reader: "undici",
  });
  await server.allClosed();
  assert.equal(target.openSockets, 0);
  const test = server.requests.find(({ path }) => path === "/v1/chat/completions");
  assert.equal(test?.headers["x-request-id"], "ts-preflight-0");
  const body = JSON.parse(test?.body ?? "");
  assert.equal(body.max_tokens, 2);
  assert.equal(body.messages[0].content, "ping");
  const asked = server.requests
    .filter(({ path }) => path === "/tokenize")
    .map(({ body }) => JSON.parse(body));
  assert.deepEqual(
    asked.map(({ prompt, messages }) => prompt ?? messages[0].content),
    [calibrationText(1024), calibrationText(1024)],
  );
});

test("completions are tested with token ids, and nothing is calibrated", async (t) => {
  const server = await serverWith(t);
  const { wordsPerToken, templateTokens } = await targetOf(t, {
    urls: [server.url],
    api: "openai-completions",
  }).preflight();
  assert.deepEqual({ wordsPerToken, templateTokens }, { wordsPerToken: null, templateTokens: null });
  assert.deepEqual(
    server.requests.map(({ path }) => path),
    ["/v1/models", "/v1/completions", "/version"],
  );
  assert.ok(JSON.parse(server.requests[1]?.body ?? "").prompt.every(Number.isInteger));
});

test("without /tokenize two small chats calibrate", async (t) => {
  const server = await serverWith(t, {
    "/tokenize": () => [jsonAnswer(404, {})],
    "/version": () => [jsonAnswer(404, {})],
  });
  const found = await targetOf(t, { urls: [server.url] }).preflight();
  assert.equal(found.templateTokens, TEMPLATE);
  assert.ok(Math.abs((found.wordsPerToken ?? 0) - 1 / 1.5) < 1e-9);
  assert.equal(found.serverVersion, null);
});

test("where nothing counts tokens, the calibration is unknown", async (t) => {
  const silent = () => answer(0).filter((_, at) => at !== 3);
  const server = await serverWith(t, {
    "/tokenize": () => [jsonAnswer(404, {})],
    "/v1/chat/completions": silent,
  });
  const { wordsPerToken, templateTokens } = await targetOf(t, { urls: [server.url] }).preflight();
  assert.deepEqual({ wordsPerToken, templateTokens }, { wordsPerToken: null, templateTokens: null });
});

test("a named model needs no list of models", async (t) => {
  const server = await serverWith(t, { "/v1/models": () => [jsonAnswer(404, {})] });
  assert.equal((await targetOf(t, { urls: [server.url], model: "x" }).preflight()).model, "x");
});

test("every URL is checked, and the one at fault is named", async (t) => {
  const good = await serverWith(t);
  const other = await serverWith(t, { "/v1/models": () => [jsonAnswer(200, { data: [{ id: "other" }] })] });
  await assert.rejects(targetOf(t, { urls: [good.url, other.url] }).preflight(), (error: unknown) => {
    assert.ok(error instanceof LoadError);
    assert.match(error.message, new RegExp(`"m".*${other.url} serves other`));
    return true;
  });
});

test("the key of the environment or of a file goes out as a bearer token", async (t) => {
  const guarded = (request: ScriptedRequest) =>
    request.headers["authorization"] === "Bearer k-1"
      ? (ROUTES["/v1/models"]?.(request) ?? [])
      : [jsonAnswer(401, {})];
  const server = await serverWith(t, { "/v1/models": guarded });
  const file = join(await tempDir(t), "key");
  writeFileSync(file, "k-1\n");
  for (const key of [{ apiKeyEnv: "KEY" }, { apiKeyFile: file }]) {
    await targetOf(t, { urls: [server.url], ...key }, { KEY: "k-1" }).preflight();
  }
  assert.ok(server.requests.every(({ headers }) => headers["authorization"] === "Bearer k-1"));
});

interface Refusal {
  readonly name: string;
  readonly routes?: typeof ROUTES;
  readonly target?: Partial<PlanInput["target"]>;
  readonly code: string;
  readonly says: RegExp;
  readonly hint?: RegExp;
}

const chat = (...steps: ScriptedStep[]) => ({ "/v1/chat/completions": () => steps });
const models = (status: number, body: unknown) => ({ "/v1/models": () => [jsonAnswer(status, body)] });

const REFUSALS: readonly Refusal[] = [
  {
    name: "an unknown model",
    target: { model: "gpt" },
    code: "AGENT_NOT_READY",
    says: /unknown model "gpt": http:\S+ serves m$/,
    hint: /--model/,
  },
  {
    name: "several models and none named",
    routes: models(200, { data: [{ id: "a" }, { id: "b" }] }),
    code: "AGENT_NOT_READY",
    says: /serves a, b, and the plan names none/,
    hint: /--model/,
  },
  {
    name: "no model at all",
    routes: models(200, { data: [] }),
    code: "AGENT_NOT_READY",
    says: /serves no model/,
  },
  {
    name: "no list of models and none named",
    routes: models(404, {}),
    code: "AGENT_NOT_READY",
    says: /has no list of models/,
    hint: /--model/,
  },
  {
    name: "a list of models that is none",
    routes: {
      "/v1/models": () => [
        httpHead(200, { "content-type": "text/html", "content-length": "9" }),
        "<p>Hi\n</p",
      ],
    },
    code: "TARGET_UNREACHABLE",
    says: /\/v1\/models with status 200 and no list of models: "<p>Hi\\n<\/p"/,
  },
  {
    name: "a broken list of models",
    routes: models(500, { error: "x" }),
    code: "TARGET_UNREACHABLE",
    says: /status 500/,
  },
  {
    name: "a key wanted and none named",
    routes: models(401, {}),
    code: "SECRET_MISSING",
    says: /wants an API key \(status 401\)/,
    hint: /--api-key-env/,
  },
  {
    name: "a key that is refused",
    routes: models(403, {}),
    target: { apiKeyEnv: "KEY" },
    code: "AGENT_NOT_READY",
    says: /refuses the API key of environment variable KEY \(status 403\)/,
  },
  {
    name: "a key that only the generation refuses",
    routes: chat(jsonAnswer(401, {})),
    target: { apiKeyEnv: "KEY" },
    code: "AGENT_NOT_READY",
    says: /environment variable KEY \(status 401\)/,
  },
  {
    name: "a key that is not set",
    target: { apiKeyEnv: "NO_KEY" },
    code: "SECRET_MISSING",
    says: /environment variable NO_KEY is not set/,
  },
  {
    name: "a key file that is not there",
    target: { apiKeyFile: "/no/such/key" },
    code: "SECRET_MISSING",
    says: /\/no\/such\/key cannot be read/,
  },
  {
    name: "a JSON answer",
    routes: chat(jsonAnswer(200, { choices: [] })),
    code: "TARGET_UNREACHABLE",
    says: /answered with application\/json \(status 200\), not with an event stream: "{\\"choices\\":\[\]}"/,
  },
  {
    name: "a refused request",
    routes: chat(jsonAnswer(400, { error: { message: "no ignore_eos" } })),
    code: "TARGET_UNREACHABLE",
    says: /status 400: .*no ignore_eos/,
  },
  {
    name: "an overloaded server",
    routes: chat(jsonAnswer(503, {})),
    code: "TARGET_UNREACHABLE",
    says: /status 503/,
  },
  {
    name: "an error event",
    routes: chat(STREAM_HEAD, sseChunk({ error: { message: "engine dead" } }), LAST_CHUNK),
    code: "TARGET_UNREACHABLE",
    says: /error event: .*engine dead/,
  },
  {
    name: "a stream without output",
    routes: chat(STREAM_HEAD, sseChunk("[DONE]"), LAST_CHUNK),
    code: "TARGET_UNREACHABLE",
    says: /without output/,
  },
  {
    name: "a stream without an end",
    routes: chat(...answer(3).slice(0, 2), LAST_CHUNK),
    code: "TARGET_UNREACHABLE",
    says: /no finish_reason/,
  },
  {
    name: "events that are no JSON",
    routes: chat(STREAM_HEAD, sseChunk("hello"), LAST_CHUNK),
    code: "TARGET_UNREACHABLE",
    says: /no JSON chunk: "hello"/,
  },
  {
    name: "a connection that breaks",
    routes: chat(STREAM_HEAD, RESET),
    code: "TARGET_UNREACHABLE",
    says: /broke its answer off: /,
  },
  {
    name: "an answer that is no HTTP",
    routes: chat("SSH-2.0-x\r\n"),
    code: "TARGET_UNREACHABLE",
    says: /did not answer in HTTP/,
  },
  {
    name: "silence",
    routes: chat(HANG),
    code: "TARGET_UNREACHABLE",
    says: /gave no token of a test request in time \(ttft-timeout\)/,
  },
  {
    name: "a connection that breaks at once",
    routes: { "/v1/models": () => [RESET] },
    code: "TARGET_UNREACHABLE",
    says: /cannot reach http:\S+: /,
  },
];

for (const { name, routes, target, code, says, hint } of REFUSALS) {
  test(`preflight tells of ${name} in one line`, async (t) => {
    const server = await serverWith(t, routes);
    const made = targetOf(t, { urls: [server.url], ...target }, { KEY: "k-secret" });
    const error = await made.preflight().then(
      () => assert.fail("it passed"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof LoadError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, says);
    if (hint !== undefined) assert.match(error.hint ?? "", hint);
    assert.doesNotMatch(error.message + error.hint, /\n|k-secret/);
    await server.allClosed();
  });
}

test("close ends a preflight in progress", async (t) => {
  for (const path of ["/v1/models", "/v1/chat/completions"]) {
    const server = await serverWith(t, { [path]: () => [HANG] });
    const plan = aPlan({ target: { urls: [server.url], model: "m" } });
    const target = createUndiciTarget({ plan, slots: 1, env: {} }, clock);
    const failed = assert.rejects(target.preflight(), { code: "TARGET_UNREACHABLE" });
    await server.arrived(path === "/v1/models" ? 1 : 2);
    await target.close();
    await failed;
    assert.equal(target.openSockets, 0);
    await server.allClosed();
  }
});

test("a target that is not there is named with the reason", async (t) => {
  const server = await startScriptedServer(() => []);
  await server.close();
  await assert.rejects(targetOf(t, { urls: [server.url] }).preflight(), {
    code: "TARGET_UNREACHABLE",
    message: `cannot reach ${server.url}: connection refused (127.0.0.1:${server.port})`,
  });
  await assert.rejects(targetOf(t, { urls: ["http://no-such-host.invalid:8000"] }).preflight(), {
    code: "TARGET_UNREACHABLE",
    message: /no-such-host\.invalid/,
  });
});

test("a key with characters no header can carry is refused by its name", async (t) => {
  for (const value of ["a\nb", "grün", "a b", "  "]) {
    assert.throws(
      () => resolveApiKey(aPlan({ target: { urls: ["http://h"], apiKeyEnv: "KEY" } }).target, { KEY: value }),
      {
        code: "SECRET_MISSING",
        message: /KEY/,
      },
    );
  }
  const file = join(await tempDir(t), "key");
  writeFileSync(file, "");
  chmodSync(file, 0o600);
  assert.throws(() => resolveApiKey(aPlan({ target: { urls: ["http://h"], apiKeyFile: file } }).target, {}), {
    code: "SECRET_MISSING",
  });
});

test("headers that belong to the client, or cannot be sent, are refused", () => {
  for (const headers of [
    { "Content-Length": "3" },
    { Connection: "close" },
    { "X-Request-Id": "mine" },
    { "bad name": "x" },
    { "x-a": "a\r\nb: c" },
  ]) {
    const { target } = aPlan({ target: { urls: ["http://h"], headers } });
    assert.throws(() => requestHeaders(target, null), { code: "PLAN_INVALID", message: /target\.headers/ });
  }
});

test("probe tells all of one request", async (t) => {
  const server = await serverWith(t);
  const plan = aPlan({ target: { urls: [server.url] }, workload: { inputTokens: 30, outputTokens: 2 } });
  const result = await probeTarget({ plan, env: {}, clock, salt: "s1" });
  const { connected, sent, headers, firstEvent, firstToken, lastToken, end } = result.timelineUs;
  const order = [0, connected, sent, headers, firstEvent, firstToken, lastToken, end].map((us) => us ?? -1);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
  assert.deepEqual(result.outcome, { kind: "completed" });
  assert.equal(result.text, "Hi you");
  assert.equal(result.tokens, 2);
  assert.equal(result.events, 3);
  assert.equal(result.address, "127.0.0.1");
  assert.equal(result.finishReason, "length");
  assert.equal(result.problem, null);
  assert.deepEqual(result.asked, { promptTokens: 30, outputTokens: 2 });
  // 30 asked, 9 of them the template's; 21 tokens are 14 of its words.
  assert.equal(result.usage?.prompt, 30);
  await server.allClosed();
});

test("probe tells of a failed request as a result, with a word on why", async (t) => {
  const server = await serverWith(t, chat(jsonAnswer(500, { error: "boom" })));
  const plan = aPlan({ target: { urls: [server.url] } });
  const result = await probeTarget({ plan, env: {}, clock, salt: "s1" });
  assert.deepEqual(result.outcome, { kind: "failed", reason: "http-5xx" });
  assert.match(result.problem ?? "", /status 500: .*boom/);
  assert.equal(result.timelineUs.firstToken, null);
});

test("a key that the server repeats in its error is in no message", async (t) => {
  const key = 'sk-"echoed-0123456789-abcdefghij';
  const echo = ({ headers }: ScriptedRequest) => [
    jsonAnswer(400, { error: `no: ${headers["authorization"]}` }),
  ];
  const long = ({ headers }: ScriptedRequest) => [
    jsonAnswer(400, { error: `${"x".repeat(180)} ${headers["authorization"]}` }),
  ];
  for (const path of ["/v1/models", "/v1/chat/completions"]) {
    for (const script of [echo, long]) {
      const server = await serverWith(t, { [path]: script });
      const target = { urls: [server.url], model: "m", apiKeyEnv: "KEY" };
      const error = await targetOf(t, target, { KEY: key })
        .preflight()
        .then(
          () => assert.fail("passed"),
          (reason: unknown) => reason,
        );
      assert.ok(error instanceof LoadError);
      assert.match(error.message, /status 400.*(Bearer|xxx)/);
      assert.doesNotMatch(`${error.message} ${error.stack} ${error.hint}`, /echoed|012345/);
      const plan = aPlan({ target });
      const probed = await probeTarget({ plan, env: { KEY: key }, clock, salt: "s" }).then(
        JSON.stringify,
        String,
      );
      assert.match(probed, /status 400/);
      assert.doesNotMatch(probed, /echoed|012345/);
    }
  }
});

test("text without a key stays as it is, and a short key is taken out whole", () => {
  assert.equal(withoutKey("as it is", null), "as it is");
  assert.equal(withoutKey("as it is", { value: "sk-123456789", source: "s" }), "as it is");
  assert.equal(withoutKey("a=abc, b=abc", { value: "abc", source: "s" }), "a=***, b=***");
  assert.equal(withoutKey("sk-12345", { value: "sk-123456789", source: "s" }), "***");
});
