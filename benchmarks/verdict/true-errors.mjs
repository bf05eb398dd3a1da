import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseTruthLog } from "../../packages/simulator/dist/index.js";

/** Agent's stamp less the server's of each event with tokens, by agent and the time of the agent's stamp. */
export function trueErrors({ truthFile, stampsFolder }) {
  const log = parseTruthLog(readFileSync(truthFile, "utf8").split("\n"));
  const truth = new Map(log.requests.map((request) => [request.id, request]));
  const byAgent = new Map();
  let unmatched = 0;
  for (const file of readdirSync(stampsFolder)) {
    const agent = file.replace(/-\d+\.jsonl$/, "");
    const found = byAgent.get(agent) ?? { readUs: [], errorUs: [] };
    byAgent.set(agent, found);
    for (const line of readFileSync(join(stampsFolder, file), "utf8").split("\n")) {
      if (line === "") continue;
      const request = JSON.parse(line);
      if (request.kind === "end" && request.missed > 0)
        throw new Error(`${file}: ${request.missed} events missed`);
      if (request.kind !== "request") continue;
      const written = truth.get(request.id);
      if (written === undefined) unmatched += request.eventsUs.length;
      else unmatched += match(request, written, found);
    }
  }
  for (const [agent, { readUs, errorUs }] of byAgent) {
    const order = readUs.map((_, i) => i).sort((a, b) => readUs[a] - readUs[b]);
    byAgent.set(agent, { readUs: order.map((i) => readUs[i]), errorUs: order.map((i) => errorUs[i]) });
  }
  return {
    unmatched,
    matched: [...byAgent.values()].reduce((sum, { readUs }) => sum + readUs.length, 0),
    /** Sorted errors of what the agent stamped in [fromUs, toUs). */
    between: (agent, fromUs, toUs) => {
      const { readUs, errorUs } = byAgent.get(agent) ?? { readUs: [], errorUs: [] };
      const from = lowerBound(readUs, fromUs);
      return errorUs.slice(from, lowerBound(readUs, toUs)).sort((a, b) => a - b);
    },
  };
}

/** By tokens: an event belongs to the write that carried its last one. Returns how many events found none. */
function match(request, { writesUs, writeTokens }, found) {
  let readUs = 0;
  let readTokens = 0;
  let write = 0;
  let writtenTokens = writeTokens[0] ?? 0;
  for (const [i, stepUs] of request.eventsUs.entries()) {
    readUs += stepUs;
    readTokens += request.tokens?.[i] ?? 1;
    while (writtenTokens < readTokens && write + 1 < writesUs.length) writtenTokens += writeTokens[++write];
    if (writtenTokens < readTokens) return request.eventsUs.length - i;
    found.readUs.push(readUs);
    found.errorUs.push(readUs - writesUs[write]);
  }
  return 0;
}

function lowerBound(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
