import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LoadError } from "@tokenstorm/core";
import { isFaultSchedule, parseFaultSchedule, scheduledFault } from "./fault-schedule.js";
import { drawFault, parseFault } from "./faults.js";
import { type Simulator, startSimulator } from "./simulator.js";
import { RawClient } from "./testing/raw-client.js";
import { parseTruthLog, type TruthLog } from "./truth-log.js";

const CHAT = "/v1/chat/completions";
const BODY = {
  messages: [{ role: "user", content: "red sky" }],
  stream: true,
  max_tokens: 8,
  ignore_eos: true,
};

test("a fault is written with a colon or by the argument's name", () => {
  const cases = [
    ["reset", { kind: "reset", argument: 1 }],
    ["reset:5", { kind: "reset", argument: 5 }],
    ["reset;after=5", { kind: "reset", argument: 5 }],
    [" stall ; after = 0 ", { kind: "stall", argument: 0 }],
    ["slow-headers;ms=250", { kind: "slow-headers", argument: 250 }],
    ["slow-headers", { kind: "slow-headers", argument: 1000 }],
    ["http-429;retry-after=7", { kind: "http-429", argument: 7 }],
    ["reset;ms=5", undefined],
    ["reset;5", undefined],
    ["reset:x", undefined],
    ["reset:1:2", undefined],
    ["reset:10000000", undefined],
    ["quake", undefined],
    ["", undefined],
  ] as const;
  for (const [text, fault] of cases) assert.deepEqual(parseFault(text), fault, text);
});

test("a schedule is read from a line or a file, and each wrong entry is named", () => {
  const text = "10..20:reset=0.05;after=5, 1.5s..2s:http-429\n# the pause\n30..32:refuse # nobody\n";
  assert.deepEqual(parseFaultSchedule(text), [
    { fromS: 10, toS: 20, rate: 0.05, fault: { kind: "reset", argument: 5 } },
    { fromS: 1.5, toS: 2, rate: 1, fault: { kind: "http-429", argument: 1 } },
    { fromS: 30, toS: 32, rate: 1, fault: { kind: "refuse" } },
  ]);
  assert.deepEqual(["10..20:reset", " 1.5s..2:stall", "faults.txt", "10-20.txt"].map(isFaultSchedule), [
    true,
    true,
    false,
    false,
  ]);
  for (const [entry, problem] of [
    ["10..5:reset", /10\.\.5:reset: it ends at 5 s, not after 10 s/],
    ["1..2:quake", /there is no fault quake/],
    ["1..2:reset=2", /the rate 2 is not between 0 and 1/],
    ["1..2:reset=0.1;ms=4", /;ms=4 is not its argument/],
    ["1..2:refuse=0.5", /neither a rate nor an argument/],
    ["soon:reset", /it is no entry/],
  ] as const) {
    assert.throws(
      () => parseFaultSchedule(`0..1:stall\n${entry}`),
      (error) => error instanceof LoadError && error.code === "PLAN_INVALID" && problem.test(error.message),
      entry,
    );
  }
});

test("rates and windows strike as often as they say, by the seed and the request alone", () => {
  const windows = parseFaultSchedule("1..2:reset=0.3,0..10:stall=0.1");
  const seed = 20_260_807;
  const count = { reset: 0, stall: 0, none: 0 };
  for (let ordinal = 1; ordinal <= 10_000; ordinal++) {
    const kind = scheduledFault(windows, seed, { ordinal, sinceStartUs: 1.5e6 })?.kind;
    count[kind === "reset" || kind === "stall" ? kind : "none"]++;
  }
  assert.ok(Math.abs(count.reset - 3000) < 150, `seed ${seed}: ${count.reset} resets`);
  assert.ok(Math.abs(count.stall - 700) < 90, `seed ${seed}: ${count.stall} stalls of those left`);
  const at = (sinceStartUs: number) =>
    [...Array(2000).keys()].some(
      (ordinal) => scheduledFault(windows, seed, { ordinal, sinceStartUs })?.kind === "reset",
    );
  assert.deepEqual([at(999_999), at(1e6), at(1_999_999), at(2e6)], [false, true, true, false]);
  const drawn = [...Array(10_000).keys()].filter(
    (n) => drawFault({ drop: 0.02 }, seed, n)?.kind === "drop",
  ).length;
  assert.ok(Math.abs(drawn - 200) < 45, `seed ${seed}: ${drawn} drops`);
});

/** Runs `body` against a simulator whose truth log is read afterwards. */
async function withTruth(
  options: Parameters<typeof startSimulator>[0],
  body: (simulator: Simulator) => Promise<void>,
): Promise<TruthLog> {
  const folder = mkdtempSync(join(tmpdir(), "faults-"));
  const truthLogFile = join(folder, "truth.jsonl");
  const simulator = await startSimulator({ decodeStepMs: [[1, 2]], truthLogFile, ...options });
  try {
    await body(simulator);
  } finally {
    await simulator.close();
  }
  const log = parseTruthLog(readFileSync(truthLogFile, "utf8").split("\n"));
  rmSync(folder, { recursive: true });
  return log;
}

test("a header asks for a fault, which the truth log names with who asked", async () => {
  const log = await withTruth({ faults: { stall: 1 } }, async (simulator) => {
    const ask = async (fault: string, read: (client: RawClient) => Promise<void>) => {
      const client = await RawClient.open(simulator.port);
      client.post(CHAT, BODY, { "X-Fault": fault, "X-Request-Id": fault });
      await read(client);
      client.close();
    };
    await ask("http-429;retry-after=7", async (client) => {
      const { status, headers } = await client.answer();
      assert.deepEqual([status, headers.get("retry-after")], [429, "7"]);
    });
    for (const status of [500, 502, 503, 504]) {
      await ask(`http-${status}`, async (client) => assert.equal((await client.answer()).status, status));
    }
    await ask("drop", async (client) => {
      assert.equal(await client.closed, "reset");
      assert.equal(client.received, "");
    });
    await ask("reset;after=3", async (client) => {
      // libuv tells a reset that comes together with bytes as an end; the truth log says what was written.
      await client.closed;
      assert.doesNotMatch(client.received, /DONE/);
    });
    await ask("slow-headers;ms=1", async (client) => assert.equal((await client.answer()).status, 200));
    await ask("error-event;after=2", async (client) =>
      assert.match((await client.answer()).chunks.at(-2) ?? "", /"error":/),
    );
    await ask("quake", async (client) =>
      assert.match((await client.answer()).body, /x-fault: quake is not a fault/),
    );
  });
  const told = [...log.rejections, ...log.requests].map(({ id, fault, faultBy, status }) => [
    id,
    fault,
    faultBy,
    status,
  ]);
  assert.deepEqual(told, [
    ["http-429;retry-after=7", "http-429", "header", 429],
    ["http-500", "http-500", "header", 500],
    ["http-502", "http-502", "header", 502],
    ["http-503", "http-503", "header", 503],
    ["http-504", "http-504", "header", 504],
    ["drop", "drop", "header", 0],
    ["quake", undefined, undefined, 400],
    ["reset;after=3", "reset", "header", 200],
    ["slow-headers;ms=1", "slow-headers", "header", 200],
    ["error-event;after=2", "error-event", "header", 200],
  ]);
});

test("a reset strikes after as many tokens as it says", async () => {
  const log = await withTruth({}, async (simulator) => {
    const client = await RawClient.open(simulator.port);
    client.post(CHAT, BODY, { "X-Fault": "reset;after=3" });
    await client.closed;
  });
  assert.deepEqual(
    log.requests.map(({ writesUs, finishReason }) => [writesUs.length, finishReason]),
    [[3, "error"]],
  );
});

test("a schedule strikes while its window is open, and says so in the truth log", async () => {
  const log = await withTruth(
    { faultSchedule: parseFaultSchedule("0..3600:no-finish") },
    async (simulator) => {
      const client = await RawClient.open(simulator.port);
      client.post(CHAT, BODY);
      assert.doesNotMatch((await client.answer()).body, /"finish_reason":"/);
      client.close();
    },
  );
  assert.deepEqual(
    log.requests.map(({ fault, faultBy }) => [fault, faultBy]),
    [["no-finish", "schedule"]],
  );
});

test("while connections are refused nobody listens, idle ones are closed, and open streams go on", async () => {
  const log = await withTruth(
    { decodeStepMs: [[1, 50]], faultSchedule: parseFaultSchedule("0.3..1.5:refuse") },
    async (simulator) => {
      const idle = await RawClient.open(simulator.port);
      const busy = await RawClient.open(simulator.port);
      busy.post(CHAT, { ...BODY, max_tokens: 30 });
      assert.equal(await idle.closed, "end");
      await assert.rejects(RawClient.open(simulator.port), /ECONNREFUSED/);
      let again: RawClient | undefined;
      while (again === undefined) {
        again = await RawClient.open(simulator.port).catch(() => undefined);
        await new Promise(setImmediate);
      }
      again.post(CHAT, { ...BODY, max_tokens: 1 });
      assert.equal((await again.answer()).status, 200);
      assert.equal((await busy.answer()).chunks.length, 32, "role, 30 tokens and [DONE]");
      again.close();
      busy.close();
    },
  );
  assert.deepEqual(
    log.refusals.map(({ state }) => state),
    ["begin", "end"],
  );
});
