import type { WireRequest } from "@tokenstorm/agent";
import { judgeError, type WantedError } from "@tokenstorm/core";
import type { CheckBook } from "./check-book.js";
import { answerRecord, EXCHANGE_LIMIT_MS, generation, type Server } from "./server.js";

/** A longer list of token ids is not sent: it would have some megabytes. */
const MOST_PROMPT_IDS = 300_000;
const CHAT = "/v1/chat/completions";

export async function checkErrors(server: Server, book: CheckBook): Promise<void> {
  const { target, model, maxModelLen } = server;
  const refused = async (request: WireRequest, wanted: WantedError) => {
    const answer = await target.ask(request, { limitMs: EXCHANGE_LIMIT_MS });
    const asked = { api: "chat" as const, body: {}, id: "", request };
    book.found("errors", [judgeError(answerRecord(asked, answer, null), wanted)], answer);
  };
  await refused(target.request("POST", CHAT, { text: '{"model": ' }), { check: "bad-json", status: 400 });
  await refused(target.request("POST", CHAT, { json: { model, messages: 5 } }), {
    check: "bad-field",
    status: 400,
  });
  const stranger = { ...server, model: `${model}-that-nobody-serves` };
  await refused(generation(stranger, "chat", { fields: { max_tokens: 1 } }).request, {
    check: "unknown-model",
    status: 404,
    type: "NotFoundError",
  });
  if (maxModelLen === undefined) {
    for (const check of ["output-too-long", "prompt-too-long"])
      book.skip(`errors.${check}`, "/v1/models does not tell max_model_len");
    return;
  }
  const says = ["maximum context length", "maximum model length", "max_tokens", "max_completion_tokens"];
  await refused(generation(server, "chat", { fields: { max_tokens: maxModelLen } }).request, {
    check: "output-too-long",
    status: 400,
    says,
  });
  if (maxModelLen > MOST_PROMPT_IDS) {
    book.skip("errors.prompt-too-long", `a prompt beyond ${maxModelLen} tokens is not sent`);
    return;
  }
  // The same id over and over: any model has one this low.
  const prompt = Array.from({ length: maxModelLen + 1 }, () => 100);
  await refused(generation(server, "completions", { prompt, fields: { max_tokens: 1 } }).request, {
    check: "prompt-too-long",
    status: 400,
    says,
  });
}
