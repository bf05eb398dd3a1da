import type { WireAnswer, WireConnection } from "@tokenstorm/agent";
import type { CheckBook } from "./check-book.js";
import { type Scrape, scrapeUntil } from "./scrape.js";
import { type Asked, ask, askOn, contentTypeOf, exactly, generation, type Server } from "./server.js";

const STREAMS = 8;
const STREAM_TOKENS = 32;
/** So long a stream that is left would go on. */
const ABORT_TOKENS = 4096;
const GAUGE_LIMIT_MS = 5_000;
const ABORT_LIMIT_MS = 10_000;
/** vLLM writes its gauges after a step; without another request there may be none. */
const BEFORE_NUDGE_MS = 2_000;

/** Streams asked for at one moment, each on a connection of its own that was open before. */
export async function checkParallel(server: Server, book: CheckBook): Promise<void> {
  const connections: WireConnection[] = [];
  try {
    for (let i = 0; i < STREAMS; i += 1) connections.push(await server.target.open());
    const answers = await Promise.all(
      connections.map((connection) =>
        askOn(connection, generation(server, "completions", { fields: exactly(STREAM_TOKENS) })),
      ),
    );
    judgeParallel(answers, book);
  } finally {
    for (const connection of connections) connection.close();
  }
}

function judgeParallel(answers: readonly WireAnswer[], book: CheckBook): void {
  const bad = answers.find(
    ({ status, problem, pieces }) => status !== 200 || problem !== null || pieces.length === 0,
  );
  if (bad !== undefined) {
    const why = `one of ${STREAMS} at once failed: ${bad.problem ?? `status ${bad.status}`}`;
    book.fail("connections.parallel", why, bad);
    book.skip("connections.headers-first", why);
    return;
  }
  const firstUs = (answer: WireAnswer) => answer.pieces[0]?.tUs ?? 0;
  const withHeaders = answers.filter((answer) => answer.headersUs === firstUs(answer));
  const [one] = answers;
  if (withHeaders.length === answers.length)
    book.fail(
      "connections.headers-first",
      `in all of ${answers.length} streams the headers came in one read with the first event: time to headers is time to the first token`,
      one,
    );
  else
    book.pass(
      "connections.headers-first",
      `before the first event in ${answers.length - withHeaders.length} of ${answers.length}`,
    );
  const firstEndUs = Math.min(...answers.map(({ endUs }) => endUs));
  const late = answers.filter((answer) => firstUs(answer) >= firstEndUs);
  if (late.length === 0)
    book.pass("connections.parallel", `${answers.length} at once, each had begun before one was over`);
  else
    book.fail(
      "connections.parallel",
      `${late.length} of ${answers.length} streams had no event before another was over: they are served in turn`,
      late[0],
    );
}

/** Hangs up in the middle of a long stream, and looks whether the engine lets it go. */
export async function checkAbort(server: Server, book: CheckBook, idle: Scrape | null): Promise<void> {
  const check = "connections.abort";
  if (idle === null) return;
  const room = server.maxModelLen === undefined ? ABORT_TOKENS : Math.floor(server.maxModelLen / 2);
  const asked = generation(server, "completions", { fields: exactly(Math.min(ABORT_TOKENS, room)) });
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
