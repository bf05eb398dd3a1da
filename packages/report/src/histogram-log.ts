import { type FoldedInterval, METRICS } from "@tokenstorm/core";

/**
 * A standard log of HDR histograms, version 1.3 (HdrHistogram's `HistogramLogWriter`): one line for each interval, level and metric, with
 * a tag. Values are microseconds; Interval_Max is in ms, as the readers' usual unit for values of that size.
 */
export function logHeader(
  run: { readonly id: string; readonly version: string },
  startEpochUs: number,
): string[] {
  const start = (startEpochUs / 1e6).toFixed(3);
  return [
    `#[tokenstorm ${oneLine(run.version)}, run ${oneLine(run.id)}: values in microseconds; lengths are counts]`,
    "#[Histogram log format version 1.3]",
    `#[BaseTime: ${start} (seconds since epoch)]`,
    `#[StartTime: ${start} (seconds since epoch), ${new Date(Math.round(startEpochUs / 1000)).toISOString()}]`,
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
  ];
}

/** No comma, space or line end may stand in a tag. */
export function tagOf(stage: string, phase: string, metric: string): string {
  const level = phase === "measured" ? stage : `${stage}.${phase}`;
  return `${level}.${metric}`.replace(/[^A-Za-z0-9._-]/g, "_");
}

/**
 * An interval's lines: one for each metric that something was recorded of, due in the level (`u100.ttft`) or in another phase of it
 * (`u100.ramp.ttft`). `deflate` makes the compressed envelope of a payload; base64 is its caller's as well, since this package
 * knows no platform.
 */
export function logLines(
  interval: FoldedInterval,
  options: { readonly stageNames: readonly string[]; readonly base64: (payload: Uint8Array) => string },
): string[] {
  const { fromUs, toUs, stage, phase, histograms } = interval;
  return METRICS.flatMap((metric) => {
    const encoded = histograms.get(metric)?.encode();
    if (encoded === undefined || encoded.count === 0) return [];
    const fields = [
      `Tag=${tagOf(options.stageNames[stage] ?? String(stage), phase, metric)}`,
      (fromUs / 1e6).toFixed(3),
      ((toUs - fromUs) / 1e6).toFixed(3),
      (encoded.max / 1000).toFixed(3),
      options.base64(encoded.payload),
    ];
    return [fields.join(",")];
  });
}

const oneLine = (text: string): string => text.replace(/[\r\n\]]/g, " ");
