import type { ReaderCapacity } from "@tokenstorm/core";
import {
  type Column,
  formatCount,
  formatUs,
  type Paint,
  printable,
  renderTables,
  wrap,
} from "@tokenstorm/report";
import type { Calibration, CalibrationLevel } from "./calibration-schema.js";

/** A level as it goes by. */
export function levelLine(level: CalibrationLevel): string {
  const what = `${level.reader}, ${formatCount(level.streams)} streams, ${formatCount(level.askedEventsPerS)} events/s`;
  return `${what}: ${outcomeText(level)}`;
}

function outcomeText({
  outcome,
  isClientClean,
  eventsPerS,
  reasons,
  stampErrorP90Us,
}: CalibrationLevel): string {
  switch (outcome) {
    case "clean":
      return `clean, stamps ${formatUs(stampErrorP90Us)} late at p90`;
    case "unclean":
      return `unclean: ${reasons.join(", ")}`;
    case "server-limited":
      return isClientClean
        ? `the server was the limit: at least ${formatCount(eventsPerS)} (${reasons.join(", ")})`
        : `nothing said, the server was the limit: ${reasons.join(", ")}`;
  }
}

/** Every level, a row each, and what follows from them. */
export function calibrationText(
  calibration: Calibration,
  options: { readonly width: number; readonly paint: Paint },
): string {
  const { levels, quick } = calibration;
  const column = (title: string, cellOf: (level: CalibrationLevel) => string): Column => ({
    title,
    align: "right",
    cells: levels.map(cellOf),
  });
  const table = renderTables(
    { title: "reader", cells: levels.map((level) => level.reader) },
    [
      {
        title: "",
        columns: [
          column("streams", (level) => formatCount(level.streams)),
          column("asked/s", (level) => formatCount(level.askedEventsPerS)),
          column("read/s", (level) => formatCount(level.eventsPerS)),
        ],
      },
      {
        title: "",
        columns: [
          column("late p90", (level) => formatUs(level.stampErrorP90Us)),
          column("coalesced", (level) => `${(level.coalescedShare * 100).toFixed(2)}%`),
          column("CPU", (level) => `${Math.round(level.cpu * 100)}%`),
        ],
      },
      {
        title: "",
        columns: [
          column("server p90", (level) => formatUs(level.serverLagP90Us)),
          { ...column("outcome", (level) => OUTCOME_WORDS[level.outcome]), align: "left" },
        ],
      },
    ],
    options,
  );
  const sentences = [conclusionOf(calibration), ...(quick ? [QUICK] : [])];
  return [...table, "", ...sentences.flatMap((sentence) => wrap(sentence, options))].join("\n");
}

const OUTCOME_WORDS = { clean: "clean", unclean: "unclean", "server-limited": "server late" } as const;

const QUICK =
  "This was --quick: without it levels are longer, closer to each other, and tried at 100 streams too.";

/** One sentence. */
export function conclusionOf({ host, capacity, pinned }: Calibration): string {
  const shared = pinned ? "" : " (server and client had no CPUs of their own)";
  return (
    `One agent process on ${printable(host)} carries ${carried(capacity.undici)} with undici and ` +
    `${carried(capacity.raw)} with raw${shared}.`
  );
}

function carried({ eventsPerS, isAtLeast }: ReaderCapacity): string {
  if (eventsPerS === 0) return "nothing that could be told";
  return `${isAtLeast ? "at least " : ""}${formatCount(eventsPerS)} events/s`;
}
