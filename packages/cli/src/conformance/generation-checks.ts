import { judgeAnswer, judgeStream } from "@tokenstorm/core";
import type { CheckBook } from "./check-book.js";
import { type Api, answerRecord, askOn, exactly, generation, type Server, streamRecord } from "./server.js";

/** Tokens of each answer here: enough for several events, and a moment on any server. */
const TOKENS = 16;

/** A stream, and an answer in one piece after it on the same connection. */
export async function checkGeneration(server: Server, book: CheckBook, api: Api): Promise<void> {
  const connection = await server.target.open();
  let second = connection;
  try {
    const asked = generation(server, api, { fields: exactly(TOKENS) });
    const answer = await askOn(connection, asked);
    const record = streamRecord(asked, answer, { includesUsage: true, exactTokens: TOKENS });
    book.found(`${api}-stream`, judgeStream(record).findings, answer);
    const isKept = answer.keepsConnection && connection.isOpen;
    if (!isKept) {
      const why =
        answer.problem ??
        `the server closes it (connection: ${answer.headers.get("connection") ?? "not said"})`;
      book.fail("connections.keep-alive", `after the stream of ${api}: ${why}`, answer);
      second = await server.target.open();
    }
    const fields = { max_tokens: TOKENS, ignore_eos: true };
    const whole = generation(server, api, { fields });
    const wholeAnswer = await askOn(second, whole);
    const judged = judgeAnswer(answerRecord(whole, wholeAnswer, TOKENS));
    book.found(`${api}-answer`, judged.findings, wholeAnswer);
    if (isKept && wholeAnswer.status > 0)
      book.pass("connections.keep-alive", "a stream and an answer on one connection");
    else if (isKept) book.fail("connections.keep-alive", wholeAnswer.problem ?? "nothing came", wholeAnswer);
  } finally {
    connection.close();
    second.close();
  }
}
