import { setImmediate as nextTurn } from "node:timers/promises";
import { createRecorder, type RequestEnd, type ResolvedStage } from "@tokenstorm/core";
import { encodeFinal, encodeSnapshot } from "@tokenstorm/protocol";

const INTERVALS = 60;
const REQUESTS = 20;
const TOKENS = 30;
const INTERVAL_US = 1_000_000;

const STAGE: ResolvedStage = {
  kind: "rate",
  index: 0,
  name: "rehearsal",
  isWarmUp: false,
  fromRps: REQUESTS,
  toRps: REQUESTS,
  durationUs: INTERVALS * INTERVAL_US,
};

const END: RequestEnd = {
  outcome: { kind: "completed" },
  usage: { prompt: 64, cachedPrompt: 0, output: TOKENS },
  tokenSource: "continuous",
  finish: "length",
};

const VITALS = {
  loopDelayP99Us: 0,
  loopDelayMaxUs: 0,
  utilisation: 0,
  cpu: 0,
  starvation: 0,
  gcUs: 0,
  throttledUs: 0,
  rssBytes: 0,
  openSockets: 0,
  descriptors: 0,
  descriptorLimit: 0,
};

/**
 * Books and codes a minute of made-up requests, and throws it away: code that V8 has not compiled yet took up to 17 ms
 * for one of the first intervals, on the path of real tokens. A third of a second of CPU when cold; called while nothing is
 * measured. Others get their turn after each interval: eight agents that rehearsed on two busy cores would else be silent
 * for longer than a leader waits for a heartbeat. Returns the bytes that were coded.
 */
export async function rehearse(): Promise<number> {
  let bytes = 0;
  const recorder = createRecorder({
    run: "rehearsal",
    agent: "rehearsal",
    epoch: 1,
    stages: [STAGE],
    stageStartsUs: [0],
    intervalUs: INTERVAL_US,
    gracePeriodUs: INTERVAL_US,
    slos: undefined,
    vitals: () => VITALS,
    onSnapshot: (snapshot) => {
      bytes += encodeSnapshot(snapshot).byteLength;
    },
  });
  for (let interval = 0; interval < INTERVALS; interval++) {
    for (let request = 0; request < REQUESTS; request++) {
      const dueUs = interval * INTERVAL_US + request * 40_000;
      const sample = recorder.offer({
        stage: 0,
        dueUs,
        user: null,
        askedPromptTokens: 64,
        askedOutputTokens: TOKENS,
      });
      recorder.begin(sample, dueUs + 100);
      recorder.connected(sample, 500);
      recorder.sent(sample, dueUs + 700);
      recorder.headers(sample, dueUs + 1_000);
      for (let token = 0; token < TOKENS; token++) {
        recorder.event(sample, dueUs + 2_000 + token * (1_000 + request), 1, true, false);
      }
      recorder.end(sample, dueUs + 35_000, END);
    }
    recorder.advance((interval + 1) * INTERVAL_US);
    await nextTurn();
  }
  const facts = { startErrorUs: 0, evicted: 0, reader: "rehearsal" };
  return bytes + encodeFinal(recorder.finish(INTERVALS * INTERVAL_US, facts)).byteLength;
}
