import type { RunFacts } from "../run/facts.js";
import type {
  RequestCounts,
  RunReport,
  ServerCheck,
  ServerLatencyCheck,
  TokenCounts,
} from "../run/report.js";
import type { FoldedBlock } from "./aggregate.js";
import { createHistogram } from "./hdr-histogram.js";
import { timesBetween } from "./server-window.js";

/**
 * The target's counts beside the client's. They are of the same requests, so they are equal but for requests that did
 * not complete: of each, the target may have counted a whole answer that the client never saw. The client can never
 * have more.
 */
export function serverChecks(totals: {
  readonly requests: RequestCounts;
  readonly tokens: TokenCounts;
  readonly server: RunReport["totals"]["server"];
  /** Every interval and sample of the client is in its sums. */
  readonly isWhole: boolean;
  /** Longest lengths that the plan asks for, tokens; null where nothing bounds them. */
  readonly longest: { readonly prompt: number | null; readonly output: number | null };
}): ServerCheck[] {
  const { requests, tokens, server, isWhole, longest } = totals;
  const { failed, cancelled, unknown, censored, staleRetries } = requests;
  const open = failed + cancelled + unknown + censored + staleRetries;
  const isCountedByEvents = (tokens.sources["events"] ?? 0) > 0;
  const check = (of: ServerCheck["of"], theirs: number | null, ours: number, each: number | null) => {
    if (theirs === null) return [];
    const isCounted = of === "successes" || (!isCountedByEvents && tokens.source !== "none");
    const isComparable = isWhole && isCounted;
    const tolerance = !isComparable ? null : open === 0 ? 0 : each === null ? null : Math.ceil(open * each);
    const apart = theirs - ours;
    const agrees = server.exact && tolerance !== null ? apart >= 0 && apart <= tolerance : null;
    const because = !isWhole
      ? "intervals of the client are missing"
      : !isCounted
        ? "the client counted events, which are no tokens"
        : tolerance === null
          ? `${open} requests did not complete, and none says how long one is`
          : open === 0
            ? "every request completed"
            : `${open} requests did not complete`;
    return [{ of, server: theirs, client: ours, tolerance, because, agrees }];
  };
  return [
    ...check("output", server.output, tokens.output, tokens.askedOutputMean === null ? null : longest.output),
    ...check("prompt", server.prompt, tokens.prompt, longestPrompt(tokens, longest.prompt)),
    ...check("successes", server.successes, requests.completed, 1),
  ];
}

/** The longest prompt that was asked for, in the target's own tokens: template and tokeniser make all of them longer. */
function longestPrompt({ promptMean, askedPromptMean }: TokenCounts, longest: number | null): number | null {
  if (promptMean === null || askedPromptMean === null || longest === null) return null;
  return promptMean + Math.max(0, longest - askedPromptMean) * Math.max(1, promptMean / askedPromptMean);
}

/** The target's mean TTFT and E2E beside the client's, of all requests of the run; none without quiescent scrapes. */
export function serverLatencyChecks(
  { serverBefore, serverAfter }: Pick<RunFacts, "serverBefore" | "serverAfter">,
  blocks: readonly FoldedBlock[],
): ServerLatencyCheck[] {
  if (serverBefore?.quiescent !== true || serverAfter?.quiescent !== true) return [];
  return (["ttft", "e2e"] as const).flatMap((of) => {
    const theirs = timesBetween(serverBefore.counters, serverAfter.counters, of);
    const ours = createHistogram();
    for (const { histograms } of blocks) {
      const one = histograms.get(of);
      if (one !== undefined) ours.merge(one);
    }
    if (theirs === null || ours.count === 0) return [];
    const clientMeanUs = ours.sum / ours.count;
    return [
      {
        of,
        serverMeanUs: theirs.meanUs,
        serverCount: theirs.count,
        clientMeanUs,
        clientCount: ours.count,
        differenceUs: clientMeanUs - theirs.meanUs,
      },
    ];
  });
}
