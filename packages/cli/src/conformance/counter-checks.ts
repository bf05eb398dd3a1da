import { judgeAnswer, judgeStream } from "@tokenstorm/core";
import type { CheckBook } from "./check-book.js";
import { pause, type Scrape, scrape, scrapeUntil } from "./scrape.js";
import { answerRecord, ask, exactly, generation, type Server, streamRecord } from "./server.js";

const REST_LIMIT_MS = 5_000;
/** Two pages that far apart with the same counters: nobody uses the server. */
const REST_MS = 300;
/** Counters may be written a moment after the answer. */
const COUNTERS_LIMIT_MS = 3_000;
const TOKENS = 16;

/** The page of a server that nobody uses; a string says why there is none. */
export async function pageAtRest(server: Server): Promise<Scrape | string> {
  const endsUs = server.clock.nowUs() + REST_LIMIT_MS * 1000;
  for (;;) {
    const still = await scrapeUntil(server, ({ running, waiting }) => running + waiting === 0, REST_LIMIT_MS);
    if (still === undefined) return "/metrics was not to be had";
    await pause(server, REST_MS);
    const again = await scrape(server);
    if (again.kind === "none") return again.why;
    const { scrape: page } = again;
    const isSame =
      page.generationTokens === still.scrape.generationTokens &&
      page.promptTokens === still.scrape.promptTokens;
    if (isSame && page.running + page.waiting === 0) return page;
    if (server.clock.nowUs() >= endsUs)
      return `somebody else uses the server: ${page.running} requests run and ${page.waiting} wait`;
  }
}

/** A stream and an answer in one piece of each kind, and what the counters make of them. */
export async function checkExact(server: Server, book: CheckBook): Promise<void> {
  const check = "metrics.exact";
  const before = await pageAtRest(server);
  if (typeof before === "string") {
    book.skip(check, before);
    return;
  }
  let promptTokens = 0;
  let generationTokens = 0;
  let successes = 0;
  const apis = (["chat", "completions"] as const).filter((api) => !book.hasFailed(`${api}-stream.head`));
  if (apis.length === 0) {
    book.skip(check, "neither chat nor completions give an answer to hold the counters against");
    return;
  }
  for (const api of apis) {
    const streamed = generation(server, api, { fields: exactly(TOKENS) });
    const answer = await ask(server, streamed);
    const record = streamRecord(streamed, answer, { includesUsage: true, exactTokens: TOKENS });
    const whole = generation(server, api, { fields: { max_tokens: TOKENS, ignore_eos: true } });
    const wholeAnswer = await ask(server, whole);
    for (const usage of [
      judgeStream(record).usage,
      judgeAnswer(answerRecord(whole, wholeAnswer, TOKENS)).usage,
    ]) {
      if (usage === null) {
        book.skip(check, "an answer has no usage to hold the counters against");
        return;
      }
      promptTokens += usage.prompt_tokens;
      generationTokens += usage.completion_tokens ?? 0;
      successes += 1;
    }
  }
  const grown = (page: Scrape) => ({
    prompt_tokens_total: [page.promptTokens - before.promptTokens, promptTokens],
    generation_tokens_total: [page.generationTokens - before.generationTokens, generationTokens],
    "request_success_total (stop and length)": [page.successes - before.successes, successes],
  });
  const isExact = (page: Scrape) =>
    Object.values(grown(page)).every(([counted, answered]) => counted === answered);
  const after = await scrapeUntil(server, isExact, COUNTERS_LIMIT_MS);
  if (after === undefined) book.skip(check, "/metrics was not to be had again");
  else if (after.isAsWanted)
    book.pass(check, `${successes} answers: ${promptTokens} prompt and ${generationTokens} generated tokens`);
  else {
    const wrong = Object.entries(grown(after.scrape))
      .filter(([, [counted, answered]]) => counted !== answered)
      .map(([name, [counted, answered]]) => `${name} grew by ${counted}, and the answers have ${answered}`);
    book.fail(check, `${wrong.join("; ")} (or somebody else used the server)`, after.scrape.answer);
  }
}

export async function checkMonotone(server: Server, book: CheckBook, first: Scrape): Promise<void> {
  const check = "metrics.monotone";
  const last = await scrape(server);
  if (last.kind === "none") {
    book.fail(check, `at the end /metrics was not to be had: ${last.why}`, last.answer);
    return;
  }
  const { counters, answer } = last.scrape;
  const fallen = [...first.counters].filter(([series, value]) => (counters.get(series) ?? 0) < value);
  const [worst] = fallen;
  if (worst === undefined) book.pass(check, `${counters.size} series`);
  else
    book.fail(
      check,
      `${worst[0]} was ${worst[1]} and is ${counters.get(worst[0]) ?? "gone"}${fallen.length > 1 ? `, and ${fallen.length - 1} more fell` : ""}`,
      answer,
    );
}
