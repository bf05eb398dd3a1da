import { type GoldenCase, goldenCase } from "./golden-case.js";
import {
  BEGUN,
  CLOSING,
  chat,
  completion,
  END_OF_BODY,
  event,
  pause,
  RED,
  RED_SKY,
  ROLE,
  SILENT,
  SKY,
  THOUGHT,
  told,
  usage,
  usageOnly,
  VLLM_HEAD,
  WORD,
  words,
  write,
} from "./golden-pieces.js";

const DONE = [...event("[DONE]"), END_OF_BODY];
const toolCall = (call: object) => chat({ tool_calls: [{ index: 0, ...call }] });

/** What events mean: tokens, their sources, usage in every place, reasoning and tools. All of them end well. */
export const COUNTS: readonly GoldenCase[] = [
  goldenCase("a role event with the first token's, and a token every 20 ms", {
    steps: [
      write(VLLM_HEAD),
      pause(250),
      write(event(ROLE, SILENT), event(RED, WORD)),
      pause(20),
      write(event(chat({ content: " evening" }), WORD)),
      pause(20),
      write(event(SKY, WORD)),
      write(event(usageOnly(3), SILENT), DONE),
    ],
    exactOutputTokens: 3,
    expect: { ...RED_SKY, usage: told(3), text: "Red evening sky" },
  }),
  goldenCase("the role in the first token's own event", {
    steps: [
      write(VLLM_HEAD),
      write(event(chat({ role: "assistant", content: "Red" }), WORD)),
      write(event(SKY, WORD), CLOSING),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("several tokens in an event, told by running usage", {
    steps: [
      write(VLLM_HEAD),
      write(event(chat({ role: "assistant", content: "" }, null, usage(0)), SILENT)),
      write(event(chat({ content: "Red sky at night" }, null, usage(4)), words(4))),
      write(event(chat({ content: ", good" }, null, usage(6)), words(2))),
      write(event(chat({ content: "" }, "stop", usage(7)), { tokens: 1, content: false })),
      write(event(usageOnly(7), SILENT), DONE),
    ],
    expect: {
      outcome: "completed",
      usage: told(7),
      source: "continuous",
      text: "Red sky at night, good",
      finish: "stop",
    },
  }),
  goldenCase("several tokens in an event, told by token ids", {
    steps: [
      write(VLLM_HEAD, event(ROLE, SILENT)),
      write(event(idsEvent("Red sky", [5, 6, 7], null), words(3))),
      write(event(idsEvent(" at night", [8, 9], "length"), words(2)), DONE),
    ],
    exactOutputTokens: 5,
    expect: { outcome: "completed", source: "continuous", text: "Red sky at night", finish: "length" },
  }),
  goldenCase("a token without text, told by its id", {
    steps: [
      write(VLLM_HEAD, event(ROLE, SILENT)),
      write(event(idsEvent("", [5], null), { tokens: 1, content: false })),
      write(event(idsEvent("é", [6], "stop"), WORD), event(usageOnly(2), SILENT), DONE),
    ],
    expect: { outcome: "completed", usage: told(2), source: "continuous", text: "é", finish: "stop" },
  }),
  goldenCase("several tokens in an event, told by the closing usage alone", {
    steps: [
      ...BEGUN,
      write(event(chat({ content: " sky at night" }, "length"), WORD)),
      write(event(usageOnly(5), SILENT), DONE),
    ],
    exactOutputTokens: 5,
    expect: { ...RED_SKY, usage: told(5), text: "Red sky at night" },
  }),
  goldenCase("no usage", {
    steps: [...BEGUN, write(event(SKY, WORD)), write(DONE)],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, usage: null, source: "events" },
  }),
  goldenCase("usage early, of the prompt alone", {
    steps: [
      write(VLLM_HEAD, event(chat({ role: "assistant", content: "" }, null, usage(0)), SILENT)),
      write(event(RED, WORD)),
      write(event(SKY, WORD), DONE),
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, usage: null, source: "events" },
  }),
  goldenCase("usage early, of the prompt alone, and again at the end", {
    steps: [
      write(VLLM_HEAD, event(chat({ role: "assistant", content: "" }, null, usage(0)), SILENT)),
      write(event(RED, WORD)),
      write(event(SKY, WORD), CLOSING),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("usage early, of the whole answer, with the role event", {
    steps: [
      write(VLLM_HEAD, event(chat({ role: "assistant", content: "" }, null, usage(2)), SILENT)),
      write(event(RED, WORD)),
      write(event(SKY, WORD), DONE),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("usage early, of the whole answer, in an event of its own", {
    steps: [
      write(VLLM_HEAD, event(usageOnly(2), SILENT), event(ROLE, SILENT)),
      write(event(RED, WORD)),
      write(event(SKY, WORD), DONE),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("running usage that counts the first token with the role event already", {
    steps: [
      write(VLLM_HEAD, event(chat({ role: "assistant", content: "" }, null, usage(1)), SILENT)),
      pause(20),
      write(event(chat({ content: "Red" }, null, usage(1)), WORD)),
      write(event(chat({ content: " sky" }, "length", usage(2)), WORD), DONE),
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, source: "continuous" },
  }),
  goldenCase("usage unasked, on every event", {
    steps: [
      write(VLLM_HEAD, event(chat({ role: "assistant", content: "" }, null, usage(0, 4)), SILENT)),
      write(event(chat({ content: "Red" }, null, usage(1, 4)), WORD)),
      write(event(chat({ content: " sky" }, "length", usage(2, 4)), WORD), DONE),
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, usage: { ...told(2), cachedPrompt: 4 }, source: "continuous" },
  }),
  goldenCase("usage on the finish event, after events without it", {
    steps: [
      ...BEGUN,
      write(event(chat({ content: " sky" }), WORD)),
      write(event(chat({ content: "" }, "stop", usage(3)), SILENT), DONE),
    ],
    exactOutputTokens: 3,
    expect: { ...RED_SKY, usage: told(3), finish: "stop" },
  }),
  goldenCase("usage on the one event that has all", {
    steps: [
      write(
        VLLM_HEAD,
        event(chat({ role: "assistant", content: "Red sky" }, "stop", usage(3)), words(3)),
        DONE,
      ),
    ],
    exactOutputTokens: 3,
    expect: { ...RED_SKY, usage: told(3), source: "continuous", finish: "stop" },
  }),
  goldenCase("usage without sense", {
    steps: [
      ...BEGUN,
      write(event(SKY, WORD), event({ choices: [], usage: { completion_tokens: -3 } }, SILENT), DONE),
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, usage: null, source: "events" },
  }),
  ...["reasoning", "reasoning_content"].map((field) =>
    goldenCase(`${field} before content`, {
      steps: [
        write(VLLM_HEAD, event(ROLE, SILENT)),
        write(event(chat({ [field]: "Hmm" }), THOUGHT)),
        write(event(chat({ [field]: ", so" }), THOUGHT)),
        write(event(RED, WORD)),
        write(event(SKY, WORD), event(usageOnly(4), SILENT), DONE),
      ],
      exactOutputTokens: 4,
      expect: { ...RED_SKY, usage: told(4) },
    }),
  ),
  goldenCase("reasoning under both names at once", {
    steps: [
      write(VLLM_HEAD, event(ROLE, SILENT)),
      write(event(chat({ reasoning: "Hmm", reasoning_content: "Hmm" }), THOUGHT)),
      write(event(chat({ content: "Red sky" }, "length"), WORD), DONE),
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, usage: null, source: "events" },
  }),
  goldenCase("reasoning under one name while the other is empty", {
    steps: [
      write(VLLM_HEAD, event(ROLE, SILENT)),
      write(event(chat({ reasoning: "", reasoning_content: "Hmm", content: null }), THOUGHT)),
      write(event(chat({ reasoning: null, reasoning_content: "", content: "Red sky" }, "length"), WORD)),
      write(CLOSING),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("nothing but reasoning", {
    steps: [
      write(VLLM_HEAD, event(ROLE, SILENT)),
      write(event(chat({ reasoning: "Hmm" }), THOUGHT)),
      write(event(chat({ reasoning: ", so" }, "length"), THOUGHT), CLOSING),
    ],
    exactOutputTokens: 2,
    expect: { ...RED_SKY, text: "" },
  }),
  goldenCase("a tool call in pieces", {
    steps: [
      write(VLLM_HEAD, event(ROLE, SILENT)),
      write(
        event(
          toolCall({ id: "call-1", type: "function", function: { name: "look", arguments: "" } }),
          THOUGHT,
        ),
      ),
      write(event(toolCall({ function: { arguments: '{"at":' } }), THOUGHT)),
      write(event(toolCall({ function: { arguments: '"sky"}' } }), THOUGHT)),
      write(event(chat({ content: "" }, "tool_calls"), SILENT), event(usageOnly(11), SILENT), DONE),
    ],
    expect: { outcome: "completed", usage: told(11), source: "usage", text: "", finish: "tool_calls" },
  }),
  goldenCase("content before a tool call", {
    steps: [
      ...BEGUN,
      write(
        event(
          toolCall({ id: "call-1", type: "function", function: { name: "look", arguments: "{}" } }),
          THOUGHT,
        ),
      ),
      write(event(chat({}, "tool_calls"), SILENT), event(usageOnly(6), SILENT), DONE),
    ],
    expect: { outcome: "completed", usage: told(6), source: "usage", text: "Red", finish: "tool_calls" },
  }),
  goldenCase("empty deltas in every form", {
    steps: [
      write(VLLM_HEAD, event(ROLE, SILENT)),
      write(event(chat({}), SILENT), event(chat({ content: null, tool_calls: [] }), SILENT)),
      write(event(RED, WORD)),
      write(event(chat({ content: "" }), SILENT)),
      write(event({ choices: [] }, SILENT), event({ choices: [{ index: 0, finish_reason: null }] }, SILENT)),
      write(event(SKY, WORD), CLOSING),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("completions", {
    steps: [
      write(VLLM_HEAD),
      write(event(completion("Red"), WORD)),
      write(event(completion(" sky", "length"), WORD)),
      write(CLOSING),
    ],
    exactOutputTokens: 2,
    expect: RED_SKY,
  }),
  goldenCase("completions with running usage and several tokens in an event", {
    steps: [
      write(VLLM_HEAD),
      write(event(completion("Red sky", null, usage(3)), words(3))),
      write(event(completion(" at night", "length", usage(5)), words(2))),
      write(event(usageOnly(5), SILENT), DONE),
    ],
    exactOutputTokens: 5,
    expect: { ...RED_SKY, usage: told(5), source: "continuous", text: "Red sky at night" },
  }),
];

function idsEvent(content: string, ids: readonly number[], finish: string | null): object {
  return { id: "a", choices: [{ index: 0, delta: { content }, finish_reason: finish, token_ids: ids }] };
}
