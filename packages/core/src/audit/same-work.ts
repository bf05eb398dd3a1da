import { AUDIT_LIMITS, type Bound, type ClaimedRow } from "./audit-types.js";
import { type Figure, product } from "./figure.js";
import { say, sayAtMost, sayShare } from "./say.js";

/** Throughput times latency: in flight times the work of a request, in one statistic for all rows of a group. */
interface Work {
  readonly row: ClaimedRow;
  readonly amount: Figure;
}

interface Measure {
  readonly name: string;
  readonly isMean: boolean;
  readonly of: (row: ClaimedRow) => Figure | undefined;
}

/**
 * A bound on the mean in flight from the other rows of a group, which is said to ask the same work of every request.
 * Throughput x latency = in flight x work per request, so each row shows work per *claimed* request; where a label is
 * larger than what was in flight that quotient falls. Rows that agree on the highest quotient are the yardstick; one row
 * alone is none.
 */
export function sameWorkBounds(rows: readonly ClaimedRow[]): ReadonlyMap<ClaimedRow, Bound> {
  const groups = new Map<string, ClaimedRow[]>();
  for (const row of rows) {
    if (row.group === undefined) continue;
    const members = groups.get(row.group);
    if (members === undefined) groups.set(row.group, [row]);
    else members.push(row);
  }
  return new Map([...groups.values()].flatMap((members) => boundsOfGroup(members)));
}

function boundsOfGroup(rows: readonly ClaimedRow[]): [ClaimedRow, Bound][] {
  const measure = commonMeasure(rows);
  if (measure === undefined) return [];
  const works = rows.flatMap((row): Work[] => {
    const amount = measure.of(row);
    return amount === undefined ? [] : [{ row, amount }];
  });
  const claims = works.flatMap(({ row, amount }) =>
    row.concurrency === undefined || row.concurrency === 0
      ? []
      : [{ row, perRequest: amount.value / row.concurrency }],
  );
  const highest = Math.max(0, ...claims.map((claim) => claim.perRequest));
  const yardstick = claims.filter(
    ({ perRequest }) => perRequest >= highest * (1 - AUDIT_LIMITS.sameWorkShare),
  );
  if (yardstick.length < 2) return [];
  // The least of those that agree: it gives every row the most in flight.
  const perRequest = Math.min(...yardstick.map((one) => one.perRequest));
  const names = yardstick.map(({ row }) => say(row.concurrency ?? 0)).join(", ");
  const slack = AUDIT_LIMITS.sameWorkShare;
  return works.map(({ row, amount }) => {
    const ratio = amount.high / perRequest;
    const value = ratio * (1 + slack);
    const assuming = measure.isMean
      ? ""
      : ", assuming that the mean stands to the percentile as it does there";
    const because = [
      `Little's law allows ${sayAtMost(value)} on average if each request was the same work${assuming}:`,
      `${measure.name} is ${say(amount.value)} here and ${say(perRequest)} for each request in flight`,
      `in the rows that claim ${names}, which makes ${say(ratio)}, and ${sayShare(slack)} are granted`,
    ].join(" ");
    return [row, { value, rule: "same-work", because }];
  });
}

/** Two to agree and one to judge. */
const FEWEST_ROWS = 3;

/** The measure that most rows have; of several, the first. */
function commonMeasure(rows: readonly ClaimedRow[]): Measure | undefined {
  const percentiles = rows.flatMap((row) => row.latencyS.percentiles.map((one) => one.percentile));
  const ranked = [...new Set(percentiles)].sort((a, b) => b - a);
  const latencies = [
    { name: "mean latency", isMean: true, of: (row: ClaimedRow) => row.latencyS.mean },
    ...ranked.map((percentile) => ({
      name: `p${percentile}`,
      isMean: false,
      of: (row: ClaimedRow) => row.latencyS.percentiles.find((one) => one.percentile === percentile)?.value,
    })),
  ];
  const rates = [
    { name: "requests/s", of: (row: ClaimedRow) => row.requestsPerS },
    { name: "output tok/s", of: (row: ClaimedRow) => row.outputTokensPerS },
    { name: "total tok/s", of: (row: ClaimedRow) => row.totalTokensPerS },
  ];
  const measures = latencies.flatMap((latency) =>
    rates.map(
      (rate): Measure => ({
        name: `${rate.name} x ${latency.name}`,
        isMean: latency.isMean,
        of: (row) => {
          const [perS, seconds] = [rate.of(row), latency.of(row)];
          return perS === undefined || seconds === undefined ? undefined : product(perS, seconds);
        },
      }),
    ),
  );
  const known = measures.map((measure) => ({
    measure,
    count: rows.filter((row) => measure.of(row) !== undefined).length,
  }));
  const most = Math.max(0, ...known.map((one) => one.count));
  return most < FEWEST_ROWS ? undefined : known.find((one) => one.count === most)?.measure;
}
