import type { WireAnswer, WireConnection } from "@tokenstorm/agent";
import type { CheckBook } from "./check-book.js";
import { type Scrape, scrapeUntil } from "./scrape.js";
import {
  type Asked,
  ask,
  askOn,
  contentTypeOf,
  exactly,
  generation,
  roomFor,
  type Server,
} from "./server.js";

const STREAMS = 8;
const STREAM_TOKENS = 192;
/** Of the prompt that is to take the server a moment. */
const LONG_PROMPT_WORDS = 2000;
/** A busy client may read late what came early: one try that shows it is enough. */
const TRIES = 3;
/** So long a stream that is left would go on. */
const ABORT_TOKENS = 4096;
const GAUGE_LIMIT_MS = 5_000;
const ABORT_LIMIT_MS = 10_000;
/** vLLM writes its gauges after a step; without another request there may be none. */
const BEFORE_NUDGE_MS = 2_000;

/** Streams asked for at one moment, each on a connection of its own that was open before. */
export async function checkParallel(server: Server, book: CheckBook): Promise<void> {
  const check = "connections.parallel";
  for (let tries = 1; ; tries += 1) {
    const answers = await streamsAtOnce(server);
    const bad = answers.find(
      ({ status, problem, pieces }) => status !== 200 || problem !== null || pieces.length === 0,
    );
    if (bad !== undefined) {
      book.fail(check, `one of ${STREAMS} at once failed: ${bad.problem ?? `status ${bad.status}`}`, bad);
      return;
    }
    const firstEndUs = Math.min(...answers.map(({ endUs }) => endUs));
    const late = answers.filter(({ pieces }) => (pieces[0]?.tUs ?? 0) >= firstEndUs);
    if (late.length === 0) {
      book.pass(check, `${STREAMS} at once, each had begun before one was over`);
      return;
    }
    if (tries === TRIES) {
      const why = `${late.length} of ${STREAMS} streams had no event before another was over`;
      book.fail(check, `${why}: they are served in turn`, late[0]);
      return;
    }
  }
}

async function streamsAtOnce(server: Server): Promise<readonly WireAnswer[]> {
  const connections: WireConnection[] = [];
  try {
    for (let i = 0; i < STREAMS; i += 1) connections.push(await server.target.open());
    const fields = exactly(roomFor(server, STREAM_TOKENS));
    return await Promise.all(
      connections.map((connection) => askOn(connection, generation(server, "completions", { fields }))),
    );
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** Streams with a long prompt, alone: their first token takes a while, and their headers do not. */
export async function checkHeadersFirst(server: Server, book: CheckBook): Promise<void> {
  const check = "connections.headers-first";
  const words = Math.min(LONG_PROMPT_WORDS, Math.floor((server.maxModelLen ?? LONG_PROMPT_WORDS) / 8));
  for (let tries = 1; ; tries += 1) {
    const prompt = server.prompt(Array.from({ length: words }, (_, i) => `storm${i}`).join(" "));
    const answer = await ask(server, generation(server, "completions", { prompt, fields: exactly(2) }));
    const [first] = answer.pieces;
    if (answer.status !== 200 || answer.headersUs === null || first === undefined) {
      book.fail(check, `the request for it failed: ${answer.problem ?? `status ${answer.status}`}`, answer);
      return;
    }
    const aheadUs = first.tUs - answer.headersUs;
    if (aheadUs > 0) {
      book.pass(check, `${(aheadUs / 1000).toFixed(1)} ms before the first event`);
      return;
    }
    if (tries === TRIES) {
      const why = `in ${TRIES} of ${TRIES} streams the headers came in one read with the first event`;
      book.fail(check, `${why}: time to headers is time to the first token`, answer);
      return;
    }
  }
}

/** Hangs up in the middle of a long stream, and looks whether the engine lets it go. */
export async function checkAbort(server: Server, book: CheckBook, idle: Scrape | null): Promise<void> {
  const check = "connections.abort";
  if (idle === null) return;
  const asked = generation(server, "completions", { fields: exactly(roomFor(server, ABORT_TOKENS)) });
  const connection = await server.target.open();
  const begun = begins(connection, asked);
  const status = await begun.first;
  if (status !== 200) {
    connection.close();
    book.fail(check, `the request for it failed: status ${status}`, await begun.answer);
    return;
  }
  const { running, successes } = idle;
  const shown = await scrapeUntil(server, (page) => page.running > running, GAUGE_LIMIT_MS);
  connection.close();
  const answer = await begun.answer;
  if (answer.problem === null) book.skip(check, "the stream was over before it could be left");
  else if (shown?.isAsWanted !== true)
    book.fail(
      check,
      `num_requests_running stayed at ${shown?.scrape.running ?? "nothing"} while a stream was open`,
      answer,
    );
  else await judgeAbort(server, book, { answer, running, successes });
}

interface Begun {
  /** The status once a piece of the body has come, or the answer is over. */
  readonly first: Promise<number>;
  readonly answer: Promise<WireAnswer>;
}

function begins(connection: WireConnection, asked: Asked): Begun {
  let status = 0;
  let told: (status: number) => void = () => undefined;
  const first = new Promise<number>((resolve) => {
    told = resolve;
  });
  const answer = askOn(connection, asked, {
    onHead: (found) => {
      status = found;
    },
    onPiece: () => told(status),
  });
  void answer.then((whole) => told(whole.status));
  return { first, answer };
}

async function judgeAbort(
  server: Server,
  book: CheckBook,
  left: { readonly answer: WireAnswer; readonly running: number; readonly successes: number },
): Promise<void> {
  const check = "connections.abort";
  const isBack = (page: Scrape) => page.running <= left.running;
  const alone = await scrapeUntil(server, isBack, BEFORE_NUDGE_MS);
  if (alone?.isAsWanted === true) {
    const counted = alone.scrape.successes - left.successes;
    if (counted > 0) book.fail(check, `the stream that was left counts as ${counted} success`, left.answer);
    else book.pass(check, `num_requests_running is ${alone.scrape.running} again, and no success is counted`);
    return;
  }
  await ask(server, generation(server, "completions", { fields: { max_tokens: 1 } }));
  const nudged = await scrapeUntil(server, isBack, ABORT_LIMIT_MS - BEFORE_NUDGE_MS);
  // The one that was just asked for counts.
  const counted = (nudged?.scrape.successes ?? 0) - left.successes - 1;
  if (nudged?.isAsWanted !== true)
    book.fail(
      check,
      `num_requests_running is ${nudged?.scrape.running ?? "not to be had"} ${ABORT_LIMIT_MS / 1000} s after the client hung up, and was ${left.running} before`,
      left.answer,
    );
  else if (counted > 0)
    book.fail(check, `the stream that was left counts as ${counted} success`, left.answer);
  else
    book.pass(
      check,
      "num_requests_running is back only after another request: the gauge is written after a step alone",
    );
}

/** Only where a key goes along: what is asked without it is refused. */
export async function checkKey(server: Server, book: CheckBook): Promise<void> {
  const check = "errors.no-key";
  const { target } = server;
  if (!target.hasKey) {
    book.skip(check, "no key was named (--api-key-env)");
    return;
  }
  const request = target.request("GET", "/v1/models", { withKey: false });
  const answer = await target.ask(request, { limitMs: 10_000 });
  if (answer.status === 401) book.pass(check, `401 ${contentTypeOf(answer)}`);
  else book.fail(check, `status ${answer.status} without a key`, answer);
}
