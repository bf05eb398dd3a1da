import { h } from "../dom.js";

/** The words of the page, as they are measured. */
const DEFINITIONS: readonly (readonly [string, string])[] = [
  [
    "in flight",
    "From the call that hands a request's last byte to the kernel to the read of its answer's last byte. The mean is weighted by time, over all agents.",
  ],
  [
    "level",
    "A part of the run at one load. Its measured window begins after ramp and settling time; rates and in flight are of that window alone.",
  ],
  ["TTFT", "Sent to the first token: content, text, reasoning or tool call. The role chunk is none."],
  [
    "ITL",
    "Time between two arrivals of tokens, divided by the tokens of the second; counted once per token.",
  ],
  ["TPOT", "Of a completed request: first to last token, divided by its tokens less one."],
  ["E2E", "Sent to the end of the answer, completed requests. From the due time it is called response."],
  [
    "output tok/s",
    "Output tokens counted when received, by the server's usage; prompt tokens are never added.",
  ],
  ["per user", "Output tok/s divided by the mean requests in flight."],
  [
    "success",
    "Status 200 and an event stream with output, a finish reason and no error event. Beside the share stands its one-sided lower bound at 95 % (Clopper and Pearson).",
  ],
  [
    "95 % interval of a rate",
    "Student's t over ten equal parts of the window. It speaks of this run, not of the next one: repeats say that.",
  ],
  [
    "95 % interval of a percentile",
    "By order statistics. None for ITL, since the gaps of one answer depend on each other, and none where the sample is too small.",
  ],
  [
    "≥",
    "Requests that were cut unfinished count with the age they had reached, and could move the figure up.",
  ],
  [
    "green, yellow, red",
    "Whether the agent's own process could have spoilt what it measured in an interval: event-loop delay, self-probe, schedule lag, utilisation, coalesced reads, starvation, descriptors and ports against limits that grow with the level's median ITL.",
  ],
  [
    "verdict",
    "Valid: nothing is missing and no interval is red. Degraded: what is named under it. Invalid: more than 1 % red or unknown, or the run did not complete.",
  ],
];

export function definitions(): HTMLElement {
  return h(
    "dl",
    { class: "facts definitions" },
    DEFINITIONS.map(([word, meaning]) => [h("dt", {}, word), h("dd", {}, meaning)]),
  );
}
