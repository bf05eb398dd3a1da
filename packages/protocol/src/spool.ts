import { LoadError } from "@tokenstorm/core";
import { z } from "zod";

const Line = z.object({
  v: z.literal(1),
  run: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  agent: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  epoch: z.int().min(0),
  kind: z.enum(["snapshot", "final"]),
  seq: z.int().min(0),
  /** The bytes that went, or should have gone, into the log; base64. */
  data: z.base64(),
});

/** One result that nobody confirmed, as it was coded for the log. */
export interface SpoolEntry {
  readonly run: string;
  readonly agent: string;
  readonly epoch: number;
  readonly kind: "snapshot" | "final";
  readonly seq: number;
  readonly data: Uint8Array;
}

/** A spool file: one JSON line for each result that an agent could not deliver. `report --add` folds it in. */
export function encodeSpool(entries: readonly SpoolEntry[]): Uint8Array {
  const lines = entries.map(({ run, agent, epoch, kind, seq, data }) => {
    const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
    return `${JSON.stringify({ v: 1, run, agent, epoch, kind, seq, data: base64 })}\n`;
  });
  return Buffer.from(lines.join(""), "utf8");
}

/** Reads a spool file back. Throws RESULTS_UNREADABLE naming the line. */
export function decodeSpool(bytes: Uint8Array, name: string): SpoolEntry[] {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8").split("\n");
  return lines.flatMap((line, index) =>
    line.trim() === "" ? [] : [decodeLine(line, `${name}:${index + 1}`)],
  );
}

function decodeLine(line: string, place: string): SpoolEntry {
  const parsed = Line.safeParse(parseJson(line, place));
  if (!parsed.success)
    throw new LoadError(
      "RESULTS_UNREADABLE",
      `${place} is no spooled result: ${z.prettifyError(parsed.error)}`,
      {
        hint: "give the file as the agent wrote it",
      },
    );
  const { v: _, data, ...entry } = parsed.data;
  return { ...entry, data: new Uint8Array(Buffer.from(data, "base64")) };
}

function parseJson(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new LoadError("RESULTS_UNREADABLE", `${place} is no JSON`, {
      hint: "the file may have been cut off while it was written",
      cause,
    });
  }
}
