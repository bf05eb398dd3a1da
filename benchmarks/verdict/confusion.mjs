import { judgeVitals } from "../../packages/core/dist/index.js";

/** True p90 error of an interval, in ms times f. */
const CLASSES = [
  { name: "p90 error <= 3f ms", upTo: 3 },
  { name: "3f to 10f ms", upTo: 10 },
  { name: "> 10f ms", upTo: Number.POSITIVE_INFINITY },
];
const COLOURS = ["green", "yellow", "red"];
/** Of the intervals beyond 3f ms so many must not be green. */
const NOT_GREEN_SHARE = 0.95;
/** More events without their write than that, and the errors of the others prove nothing. */
const MOST_UNMATCHED = 0.01;

/** Counts by class and colour, and what of the rule does not hold. */
export function confusion({ intervals, matched = 0, unmatched = 0 }) {
  const matrix = CLASSES.map(({ name }) => ({ name, green: 0, yellow: 0, red: 0 }));
  const greenButBad = [];
  for (const interval of intervals) {
    const { colour } = judgeVitals(interval.vitals, interval.factor);
    const relative = interval.errorP90Us / 1000 / interval.factor;
    const row = CLASSES.findIndex(({ upTo }) => relative <= upTo);
    matrix[row][colour] += 1;
    if (colour === "green" && row > 0) greenButBad.push(interval);
  }
  const [, some, most] = matrix;
  const all = (row) => row.green + row.yellow + row.red;
  const bad = all(some) + all(most);
  const notGreen = bad === 0 ? 1 : 1 - (some.green + most.green) / bad;
  const problems = [];
  if (unmatched > MOST_UNMATCHED * (matched + unmatched))
    problems.push(`${unmatched} of ${matched + unmatched} events have no write of the server's`);
  if (notGreen < NOT_GREEN_SHARE) {
    problems.push(
      `${percent(notGreen)} of the ${bad} intervals beyond 3f ms were not green, 95 % are wanted`,
    );
  }
  if (most.green > 0) problems.push(`${most.green} intervals beyond 10f ms were green, none may be`);
  return { matrix, bad, notGreen, problems, greenButBad };
}

export function matrixText(evidence, found) {
  const { seed, reader, agents, seconds, intervals, levels, unmatched = 0, sparse = [] } = evidence;
  const { matrix, bad, notGreen, problems, greenButBad } = found;
  const lines = [
    `${intervals.length} intervals of ${agents} agents in ${seconds} s, ${reader} reader, seed ${seed}`,
    ...levels.map(
      ({ name, itlMs, factor, eventsPerS }) =>
        `  ${name}: ITL ${itlMs} ms, f ${factor}, ${eventsPerS} events/s`,
    ),
    `${"true error".padEnd(20)}${COLOURS.map((colour) => colour.padStart(8)).join("")}`,
    ...matrix.map(
      (row) => row.name.padEnd(20) + COLOURS.map((colour) => String(row[colour]).padStart(8)).join(""),
    ),
    `left out: ${sparse.length} intervals with too few events for a p90; ${unmatched} events without a write`,
    `beyond 3f ms: ${bad} intervals, ${percent(notGreen)} not green (at least 95 % wanted)`,
    ...problems.map((problem) => `FAIL: ${problem}`),
    ...greenButBad.map((one) => `  green but bad: ${describe(one)}`),
  ];
  if (problems.length === 0) lines.push("the rule holds");
  return lines.join("\n");
}

function describe({ agent, seq, phase, errorP50Us, errorP90Us, errorP99Us, events, factor, vitals }) {
  const { selfProbe } = vitals;
  const probe =
    selfProbe === undefined
      ? "none"
      : `${selfProbe.p50Us}/${selfProbe.p90Us}/${selfProbe.p99Us} of ${selfProbe.count}`;
  return (
    `${agent} ${seq} (${phase}) error p50/p90/p99 ${errorP50Us}/${errorP90Us}/${errorP99Us} us of ${events} events, f ${factor.toFixed(2)}; ` +
    `probe ${probe}, loop p99 ${vitals.loopDelayP99Us} max ${vitals.loopDelayMaxUs}, lag ${vitals.scheduleLagP99Us}, ` +
    `utilisation ${vitals.utilisation.toFixed(2)}, starvation ${vitals.starvation.toFixed(2)}, coalesced ${(vitals.coalescedShare * 100).toFixed(2)} %`
  );
}

const percent = (share) => `${(share * 100).toFixed(1)} %`;
