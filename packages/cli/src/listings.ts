import { READER_NAMES, type ReaderName } from "@tokenstorm/core";
import type { Heartbeat, PresentAgent, RunSummary } from "@tokenstorm/protocol";
import {
  type Column,
  formatCount,
  formatLoad,
  formatUs,
  paint,
  printable,
  renderTables,
} from "@tokenstorm/report";

export interface ListingOptions {
  readonly width: number;
  readonly colour: boolean;
}

/** A row per agent that answers. */
export function renderAgents(beats: readonly PresentAgent[], options: ListingOptions): string {
  if (beats.length === 0) return "no agent answers";
  const column = (
    title: string,
    cellOf: (beat: PresentAgent) => string,
    align: "left" | "right" = "left",
  ): Column => ({
    title,
    align,
    cells: beats.map(cellOf),
  });
  const vitals = (read: (vitals: NonNullable<Heartbeat["vitals"]>) => string) => (beat: PresentAgent) =>
    beat.vitals === null ? "-" : read(beat.vitals);
  return renderTables(
    { title: "agent", cells: beats.map((beat) => printable(beat.agent)) },
    [
      {
        title: "",
        columns: [column("state", (beat) => beat.state), column("run", (beat) => printable(beat.run ?? "-"))],
      },
      {
        title: "",
        columns: [
          column("host", (beat) => printable(beat.host)),
          column("cores", (beat) => String(beat.cores), "right"),
          column("version", (beat) => printable(beat.version)),
        ],
      },
      {
        title: "",
        columns: [
          column(
            "CPU",
            vitals((one) => formatLoad(one.cpu)),
            "right",
          ),
          column(
            "loop p99",
            vitals((one) => formatUs(one.loopDelayP99Us)),
            "right",
          ),
          column(
            "lag p99",
            vitals((one) => formatUs(one.scheduleLagP99Us)),
            "right",
          ),
        ],
      },
      ...(beats.every((beat) => beat.capacity === undefined)
        ? []
        : [
            {
              title: "carries/s",
              columns: READER_NAMES.map((reader) =>
                column(reader, (beat) => carriesOf(beat, reader), "right"),
              ),
            },
          ]),
      ...(beats.every((beat) => beat.clockErrorUs === null)
        ? []
        : [{ title: "", columns: [column("clock error", clockErrorOf, "right")] }]),
      ...(beats.every((beat) => Object.keys(beat.labels).length === 0)
        ? []
        : [{ title: "", columns: [column("labels", labelsOf)] }]),
    ],
    { width: options.width, paint: paint(options.colour) },
  ).join("\n");
}

function carriesOf({ capacity }: Heartbeat, reader: ReaderName): string {
  const found = capacity?.[reader];
  return found === undefined ? "-" : `${found.isAtLeast ? ">= " : ""}${formatCount(found.eventsPerS)}`;
}

const clockErrorOf = (beat: PresentAgent): string =>
  beat.clockErrorUs === null ? "-" : formatUs(beat.clockErrorUs);

const labelsOf = (beat: Heartbeat): string =>
  Object.entries(beat.labels)
    .map(([key, value]) => printable(`${key}=${value}`))
    .join(" ");

/** A row per run, newest first. */
export function renderRuns(rows: readonly RunSummary[], options: ListingOptions): string {
  if (rows.length === 0) return "no runs";
  const colours = paint(options.colour);
  const colourOf = (verdict: string | null) =>
    verdict === "valid" ? colours.green : verdict === "degraded" ? colours.yellow : colours.red;
  const column = (
    title: string,
    cellOf: (row: RunSummary) => string,
    align: "left" | "right" = "left",
  ): Column => ({
    title,
    align,
    cells: rows.map(cellOf),
  });
  return renderTables(
    { title: "run", cells: rows.map((row) => printable(row.id)) },
    [
      {
        title: "",
        columns: [
          column("state", (row) => row.state),
          column("verdict", (row) => (row.verdict === null ? "-" : colourOf(row.verdict)(row.verdict))),
          column("thresholds", (row) => row.thresholds ?? "-"),
        ],
      },
      {
        title: "",
        columns: [
          column("started", (row) => row.startedAt?.replace(/\.\d+Z$/, "Z") ?? "-"),
          column("agents", (row) => String(row.agents), "right"),
          column("name", (row) => printable(row.name)),
        ],
      },
    ],
    { width: options.width, paint: colours },
  ).join("\n");
}
