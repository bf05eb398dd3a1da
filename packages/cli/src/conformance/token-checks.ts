import type { WireAnswer } from "@tokenstorm/agent";
import {
  excerpt,
  type JudgedStream,
  judgeContinuous,
  judgeReturnedIds,
  judgeStream,
  judgeUtf8,
  type StreamRecord,
} from "@tokenstorm/core";
import type { CheckBook } from "./check-book.js";
import {
  type Api,
  type Asked,
  ask,
  exactly,
  generation,
  roomFor,
  type Server,
  streamRecord,
} from "./server.js";

const TOKENS = 16;
const MIN_TOKENS = 8;
/** So long an answer may become that is to end by itself. */
const STOP_TOKENS = 512;
const UTF8_TOKENS = 96;

/** By chat where that works: some models have no template, and their counts can be looked at all the same. */
export async function checkTokens(server: Server, book: CheckBook): Promise<void> {
  const api = book.hasFailed("chat-stream.head") ? "completions" : "chat";
  await checkUnasked(server, book, api);
  await checkContinuous(server, book, api);
  await checkMinTokens(server, book);
  await checkStop(server, book, api);
  await checkIds(server, book);
  await checkUtf8(server, book, api);
}

interface Streamed {
  readonly asked: Asked;
  readonly answer: WireAnswer;
  readonly record: StreamRecord;
  readonly judged: JudgedStream;
}

/** Undefined where there was no stream: the check has failed with that. */
async function streamFor(
  { server, book, check }: { readonly server: Server; readonly book: CheckBook; readonly check: string },
  asked: Asked,
): Promise<Streamed | undefined> {
  const answer = await ask(server, asked);
  const record = streamRecord(asked, answer, { includesUsage: true, exactTokens: null });
  const judged = judgeStream(record);
  const bad = judged.findings.find(
    ({ check: part, fault }) => fault !== null && ["head", "json", "end"].includes(part),
  );
  if (bad !== undefined) book.fail(check, `the request for it failed: ${bad.fault}`, answer);
  return bad === undefined ? { asked, answer, record, judged } : undefined;
}

async function checkUnasked(server: Server, book: CheckBook, api: Api): Promise<void> {
  const check = "tokens.no-usage-unasked";
  const fields = { max_tokens: TOKENS, ignore_eos: true, stream: true };
  const streamed = await streamFor({ server, book, check }, generation(server, api, { fields }));
  if (streamed === undefined) return;
  const count = streamed.judged.chunks.filter(({ usage }) => usage != null).length;
  if (count === 0) book.pass(check, "no usage");
  else book.pass(check, `usage came unasked, on ${count} events: --enable-force-include-usage does that`);
}

async function checkContinuous(server: Server, book: CheckBook, api: Api): Promise<void> {
  const check = "tokens.continuous-usage";
  const fields = {
    ...exactly(TOKENS),
    stream_options: { include_usage: true, continuous_usage_stats: true },
  };
  const streamed = await streamFor({ server, book, check }, generation(server, api, { fields }));
  if (streamed !== undefined)
    book.found("tokens", [judgeContinuous(streamed.judged.chunks)], streamed.answer);
}

async function checkMinTokens(server: Server, book: CheckBook): Promise<void> {
  const check = "tokens.min-tokens";
  const fields = { ...exactly(TOKENS), ignore_eos: false, min_tokens: MIN_TOKENS };
  const streamed = await streamFor({ server, book, check }, generation(server, "completions", { fields }));
  if (streamed === undefined) return;
  const generated = streamed.judged.usage?.completion_tokens;
  if (generated == null) book.skip(check, "there is no usage to tell how many tokens were generated");
  else if (generated >= MIN_TOKENS && generated <= TOKENS)
    book.pass(check, `${generated} of ${MIN_TOKENS} to ${TOKENS}`);
  else
    book.fail(check, `${generated} tokens, and ${MIN_TOKENS} to ${TOKENS} were asked for`, streamed.answer);
}

async function checkStop(server: Server, book: CheckBook, api: Api): Promise<void> {
  const check = "tokens.stop";
  const fields = { ...exactly(roomFor(server, STOP_TOKENS)), ignore_eos: false };
  const prompt = server.prompt("Answer with the one word yes.");
  const streamed = await streamFor({ server, book, check }, generation(server, api, { prompt, fields }));
  if (streamed === undefined) return;
  const { finishReason, usage } = streamed.judged;
  const generated = usage?.completion_tokens ?? 0;
  if (finishReason === "length")
    book.skip(check, `the answer did not end by itself within ${generated} tokens`);
  else if (finishReason !== "stop")
    book.fail(check, `the finish_reason is ${finishReason ?? "none"}`, streamed.answer);
  else if (generated > roomFor(server, STOP_TOKENS)) book.fail(check, `${generated} tokens`, streamed.answer);
  else book.pass(check, `stop after ${generated} tokens`);
}

/** Asks for the ids of a text first, so that those of the prompt are ids of this model. */
async function checkIds(server: Server, book: CheckBook): Promise<void> {
  const check = "tokens.returned-ids";
  const fields = { ...exactly(TOKENS), return_token_ids: true };
  const streamed = await streamFor({ server, book, check }, generation(server, "completions", { fields }));
  if (streamed === undefined) {
    book.skip("tokens.prompt-ids", "the request for token ids failed");
    return;
  }
  const { chunks, usage } = streamed.judged;
  const found = judgeReturnedIds(chunks, usage);
  if (found === undefined) book.skip(check, "the server returns no token ids");
  else book.found("tokens", [found], streamed.answer);
  const told = chunks.flatMap(({ choices, prompt_token_ids: own }) => [
    ...(own ?? []),
    ...choices.flatMap(({ prompt_token_ids: ids }) => ids ?? []),
  ]);
  const ids = told.length > 0 ? told : await tokenized(server);
  if (ids.length === 0)
    book.skip("tokens.prompt-ids", "no token ids of this model are known: no return_token_ids, no /tokenize");
  else await checkPromptIds(server, book, ids);
}

async function tokenized(server: Server): Promise<readonly number[]> {
  const { target } = server;
  const json = { model: server.model, prompt: server.prompt("Tell me about a storm at sea.") };
  const answer = await target.ask(target.request("POST", "/tokenize", { json }), { limitMs: 10_000 });
  try {
    const parsed: { tokens?: unknown } = JSON.parse(answer.body.toString("utf8"));
    return Array.isArray(parsed.tokens) ? parsed.tokens.filter((id) => Number.isInteger(id)) : [];
  } catch {
    return [];
  }
}

async function checkPromptIds(server: Server, book: CheckBook, ids: readonly number[]): Promise<void> {
  const check = "tokens.prompt-ids";
  const asked = generation(server, "completions", { prompt: ids, fields: exactly(TOKENS) });
  const streamed = await streamFor({ server, book, check }, asked);
  if (streamed === undefined) return;
  const counted = streamed.judged.usage?.prompt_tokens;
  if (counted === undefined) book.skip(check, "there is no usage to tell how long the prompt was");
  else if (counted === ids.length) book.pass(check, `${counted} of ${ids.length}`);
  else book.fail(check, `prompt_tokens is ${counted}, and the prompt has ${ids.length} ids`, streamed.answer);
}

async function checkUtf8(server: Server, book: CheckBook, api: Api): Promise<void> {
  const check = "tokens.utf8";
  const prompt = server.prompt(
    "Write these again and again: \u{1f30a}\u{1f329}\u{fe0f} \u5d50\u306e\u6d77 \u0431\u0443\u0440\u044f",
  );
  const asked = generation(server, api, { prompt, fields: exactly(UTF8_TOKENS) });
  const streamed = await streamFor({ server, book, check }, asked);
  if (streamed === undefined) return;
  const { chunks, output } = streamed.judged;
  const found = judgeUtf8(streamed.record, chunks);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what ASCII means.
  const isPlain = /^[\x00-\x7f]*$/.test(output);
  if (found.fault === null && isPlain)
    book.skip(check, `the answer had no character of several bytes: ${excerpt(output)}`);
  else book.found("tokens", [found], streamed.answer);
}
