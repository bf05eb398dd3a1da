// Holds a client's stamps against those that the server took just before it wrote.
import { readFileSync } from "node:fs";
import { quantile } from "./figures.mjs";

/** Two tokens that a client sees closer than this together were one read to it, or as good as one. */
const SHARED_US = 100;
/** ... though the server wrote them at least so far apart. */
const APART_US = 1000;

/**
 * Delays of tokens that the server wrote within the client's window, us: of every token and of first tokens alone. `shared` is the
 * share of gaps that vanished: under 0.1 ms at the client, at least 1 ms at the server.
 */
export function judge({ truthFile, stampsFile, fromUs, toUs }) {
  const truth = new Map(lines(truthFile).map(({ id, us }) => [id, us]));
  const delays = [];
  const firsts = [];
  const gaps = [];
  const trueGaps = [];
  let shared = 0;
  for (const { id, us } of lines(stampsFile)) {
    const written = truth.get(id);
    if (written === undefined) throw new Error(`the server knows no request ${id}`);
    if (us.length > written.length) throw new Error(`${id}: more tokens were read than written`);
    for (let i = 0; i < us.length; i++) {
      if (written[i] < fromUs || written[i] >= toUs) continue;
      delays.push(us[i] - written[i]);
      if (i === 0) firsts.push(us[i] - written[i]);
      else {
        gaps.push(us[i] - us[i - 1]);
        trueGaps.push(written[i] - written[i - 1]);
        if (us[i] - us[i - 1] < SHARED_US && written[i] - written[i - 1] >= APART_US) shared++;
      }
    }
  }
  return {
    tokens: delays.length,
    delayUs: percentiles(delays),
    firstDelayUs: percentiles(firsts),
    itlP50Us: percentiles(gaps).p50,
    trueItlP50Us: percentiles(trueGaps).p50,
    shared: gaps.length === 0 ? 0 : shared / gaps.length,
  };
}

function lines(file) {
  const text = readFileSync(file, "utf8").trimEnd();
  return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line));
}

function percentiles(values) {
  const sorted = Float64Array.from(values).sort();
  return { p50: quantile(sorted, 0.5), p90: quantile(sorted, 0.9), p99: quantile(sorted, 0.99) };
}
