// Checks a report against the simulator's truth log alone; imports nothing of the project.
//   node scripts/check-truth.mjs REPORT.json TRUTH.jsonl
// It looks at the last level of a closed load without think time: the time integral of open requests over its window,
// tokens and requests over the run (exact) and in the window (0.5 %), and how many requests each user completed in it.
// A server in steps ends several requests at once, and writes a token of each user at once. What is due before an edge of
// the window can be received behind it, and what is written before it read behind it: so much may count or not. By the
// log a request was due after its user's previous one had ended, and before it was received.
import { createReadStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [reportFile, truthFile] = process.argv.slice(2);
if (reportFile === undefined || truthFile === undefined) {
  console.error("usage: check-truth.mjs REPORT.json TRUTH.jsonl");
  process.exit(2);
}
const report = JSON.parse(readFileSync(reportFile, "utf8"));
const level = report.stages.at(-1);

let header;
const requests = [];
for await (const line of createInterface({ input: createReadStream(truthFile) })) {
  if (line === "") continue;
  const entry = JSON.parse(line);
  if (header === undefined) header = entry;
  else if (entry.kind === "request" && entry.id.startsWith(`ts-${report.run.id}-`)) requests.push(entry);
}

const toMonotonic = (epochUs) => epochUs - header.epochUs + header.monotonicUs;
const from = toMonotonic(level.windowStartEpochUs);
const to = from + level.windowMs * 1000;

/** The most by which a read is later than its write, and two processes of one machine differ in their clocks, us. */
const MARGIN_US = 10_000;

let integralUs = 0;
let outputTokens = 0;
let finished = 0;
const windowTokens = { least: 0, most: 0 };
const windowRequests = { least: 0, most: 0 };
const completedByUser = new Map();
const lastEndByUser = new Map();
requests.sort((a, b) => a.receivedUs - b.receivedUs);

/** Adds what happened at some moment between these two: to `least` if surely in the window, to `most` if maybe. */
function tally(count, earliestUs, latestUs, by) {
  if (latestUs >= from - MARGIN_US && earliestUs < to + MARGIN_US) count.most += by;
  if (earliestUs >= from + MARGIN_US && latestUs < to - MARGIN_US) count.least += by;
}

for (const request of requests) {
  integralUs += Math.max(0, Math.min(request.endUs, to) - Math.max(request.receivedUs, from));
  const user = /-u(\d+)-j\d+$/.exec(request.id)?.[1];
  tally(windowRequests, lastEndByUser.get(user) ?? request.receivedUs, request.receivedUs, 1);
  if (user !== undefined) lastEndByUser.set(user, request.endUs);
  if (request.finishReason !== "abort") {
    finished += 1;
    outputTokens += request.outputTokens;
  }
  let at = 0;
  for (const [i, delta] of request.writesUs.entries()) {
    at += delta;
    tally(windowTokens, at, at, request.writeTokens?.[i] ?? 1);
  }
  if (user !== undefined && request.receivedUs >= from && request.endUs <= to) {
    completedByUser.set(user, (completedByUser.get(user) ?? 0) + 1);
  }
}
const openMean = integralUs / (to - from);
const users = level.users ?? 0;
const fewest = users === 0 ? 0 : completedByUser.size < users ? 0 : Math.min(...completedByUser.values());
const oursWindowTokens = (level.rates.outputTokensPerS * level.windowMs) / 1000;

const problems = [];
const facts = [];
function check(name, truth, ours, holds) {
  facts.push(`${holds ? "ok  " : "FAIL"} ${name}: truth ${truth}, report ${ours}`);
  if (!holds) problems.push(name);
}
const within = (a, b, share) => Math.abs(a - b) <= share * Math.abs(b);
const between = (a, { least, most }, share) => a >= least * (1 - share) && a <= most * (1 + share);
const range = ({ least, most }) => (least === most ? `${least}` : `${least} to ${most}`);

check(
  "mean open requests in the window",
  openMean.toFixed(2),
  level.inFlight.mean.toFixed(2),
  openMean >= 0.98 * users && within(level.inFlight.mean, openMean, 0.015),
);
check("mean in-flight asked for", users, level.inFlight.mean.toFixed(2), level.inFlight.mean >= 0.99 * users);
check(
  "requests completed over the run",
  finished,
  report.totals.requests.completed,
  finished === report.totals.requests.completed,
);
check(
  "output tokens over the run",
  outputTokens,
  report.totals.tokens.output,
  outputTokens === report.totals.tokens.output,
);
check(
  "output tokens in the window",
  range(windowTokens),
  Math.round(oursWindowTokens),
  between(oursWindowTokens, windowTokens, 0.005),
);
check(
  "requests begun in the window",
  range(windowRequests),
  level.requests.offered,
  between(level.requests.offered, windowRequests, 0.005),
);
check("fewest requests that a user completed in the window", fewest, level.completedPerUserMin, fewest >= 2);

for (const fact of facts) console.log(fact);
if (problems.length > 0) {
  console.error(`${problems.length} of ${facts.length} do not hold`);
  process.exit(1);
}
