import { isWarning, type LiveUpdate } from "@tokenstorm/core";
import { printable, renderLive, renderLiveLine } from "@tokenstorm/report/live";
import type { Terminal } from "../terminal.js";
import { createFrame } from "./frame.js";

export const UI_KINDS = ["auto", "live", "plain", "none"] as const;
export type UiKind = (typeof UI_KINDS)[number];

/** Shows a run while it runs. */
export interface Viewer {
  update(update: LiveUpdate): void;
  /** A line that stays: what happened, beside the figures. */
  note(text: string): void;
  /** May be called twice. */
  close(): void;
}

/** `auto` draws in place on a terminal, and writes a line per interval anywhere else. */
export function createViewer(kind: UiKind, terminal: Terminal): Viewer {
  const { stderr } = terminal;
  const canDraw = stderr.isTty && process.env["TERM"] !== "dumb";
  const chosen = kind === "auto" ? (canDraw ? "live" : "plain") : kind;
  return warnOnce(viewerOf(chosen, terminal));
}

function viewerOf(kind: Exclude<UiKind, "auto">, terminal: Terminal): Viewer {
  if (kind === "none")
    return { update: () => undefined, note: (text) => terminal.say(text), close: () => undefined };
  return kind === "live" ? liveViewer(terminal) : plainViewer(terminal);
}

/** The leader repeats a warning for some seconds before a run starts: it is told as soon as it comes, once, and stays. */
function warnOnce(viewer: Viewer): Viewer {
  const told = new Set<string>();
  return {
    ...viewer,
    update: (update) => {
      for (const note of update.notes) {
        if (!isWarning(note) || told.has(note)) continue;
        told.add(note);
        viewer.note(printable(note));
      }
      viewer.update({ ...update, notes: update.notes.filter((note) => !isWarning(note)) });
    },
  };
}

function plainViewer(terminal: Terminal): Viewer {
  let last = "";
  let notes: readonly string[] = [];
  return {
    update: (update) => {
      // The leader repeats a note for some seconds; here it stays on the screen anyway.
      const news = update.stage === null ? [] : update.notes.filter((note) => !notes.includes(note));
      for (const note of news) terminal.say(`- ${printable(note)}`);
      if (update.stage !== null) notes = update.notes;
      const line = terminal.stderr.isTty
        ? renderLiveLine(update, { width: terminal.stderr.width() })
        : renderLiveLine(update);
      // The leader repeats itself while nothing moves.
      if (line !== last) terminal.say(line);
      last = line;
    },
    note: (text) => terminal.say(text),
    close: () => undefined,
  };
}

function liveViewer(terminal: Terminal): Viewer {
  const frame = createFrame(terminal);
  let latest: LiveUpdate | undefined;
  let isClosed = false;
  const draw = () => {
    if (latest === undefined || isClosed) return;
    const { stderr } = terminal;
    const height = stderr.height();
    const size = height === undefined ? { width: stderr.width() } : { width: stderr.width(), height };
    frame.draw(renderLive(latest, { ...size, colour: stderr.colour }));
  };
  process.on("SIGWINCH", draw);
  return {
    update: (update) => {
      latest = update;
      // A process without a controlling terminal hears nothing of a new size: this makes the streams look again.
      process.emit("SIGWINCH", "SIGWINCH");
    },
    note: (text) => frame.above(text),
    close: () => {
      if (isClosed) return;
      isClosed = true;
      process.off("SIGWINCH", draw);
      frame.close();
      if (latest !== undefined) terminal.say("");
    },
  };
}
