import type { ServerSample } from "@tokenstorm/core";
import { deflatePayload } from "@tokenstorm/protocol";
import {
  csvRow,
  INTERVAL_COLUMNS,
  type IntervalsOfRun,
  intervalRow,
  logHeader,
  logLines,
} from "@tokenstorm/report";

/** Lines of a log of HDR histograms, without their line ends. */
export async function* histogramLog(run: IntervalsOfRun): AsyncGenerator<string> {
  const { facts, stageNames } = run;
  const { id } = facts.record;
  yield* logHeader({ id, version: facts.version }, facts.record.start?.epochUs ?? 0);
  const base64 = (payload: Uint8Array) => Buffer.from(deflatePayload(payload)).toString("base64");
  for await (const interval of run.intervals) yield* logLines(interval, { stageNames, base64 });
}

/** Records of a CSV file of intervals, with the half of their line ends that a line of text has not: CR. */
export async function* intervalTable(run: IntervalsOfRun): AsyncGenerator<string> {
  const { facts, stageNames } = run;
  yield `${csvRow(INTERVAL_COLUMNS)}\r`;
  const samples = run.serverSamples.toSorted((a, b) => a.tUs - b.tUs);
  let next = 0;
  let from = 0;
  let server: ServerSample[] = [];
  for await (const interval of run.intervals) {
    // Several rows may be of one interval; intervals follow each other.
    if (interval.fromUs !== from || server.length === 0) {
      from = interval.fromUs;
      server = [];
      while ((samples[next]?.tUs ?? Number.POSITIVE_INFINITY) < interval.fromUs) next += 1;
      for (let i = next; (samples[i]?.tUs ?? Number.POSITIVE_INFINITY) < interval.toUs; i += 1) {
        const sample = samples[i];
        if (sample !== undefined) server.push(sample);
      }
    }
    yield `${intervalRow(interval, { run: facts.record.id, stageNames, server })}\r`;
  }
}
