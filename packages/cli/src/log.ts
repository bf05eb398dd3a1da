import { printable } from "@tokenstorm/report/columns";
import pino, { type Logger } from "pino";
import type { Terminal } from "./terminal.js";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Logs of the long-running commands, on stderr: lines to read on a terminal, JSON anywhere else, so that whatever
 * collects them can take them apart.
 */
export function createLog(
  terminal: Terminal,
  options: { readonly level: LogLevel; readonly name: string },
): Logger {
  const settings = { level: options.level, base: { name: options.name } };
  const write = (line: string) => {
    if (terminal.stderr.isTty) terminal.say(readableLine(line, terminal.stderr.colour));
    else terminal.draw(line);
  };
  return pino(settings, { write });
}

const LEVEL_NAMES: Readonly<Record<number, string>> = {
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};
const LEVEL_COLOURS: Readonly<Record<number, number>> = { 40: 33, 50: 31, 60: 31 };
const ESCAPE = String.fromCharCode(27);
const SHOWN_APART = new Set(["level", "time", "msg", "name"]);

/** `22:10:04 warn  text key=value` out of a line of JSON. */
export function readableLine(json: string, colour: boolean): string {
  const entry = parseLine(json);
  if (entry === undefined) return json.trimEnd();
  const level = Number(entry["level"]);
  const time = new Date(Number(entry["time"])).toISOString().slice(11, 19);
  const more = Object.entries(entry)
    .filter(([key]) => !SHOWN_APART.has(key))
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const name = (LEVEL_NAMES[level] ?? "info").padEnd(5);
  const code = LEVEL_COLOURS[level];
  const shown = colour && code !== undefined ? `${ESCAPE}[${code}m${name}${ESCAPE}[39m` : name;
  return `${time} ${shown} ${[printable(String(entry["msg"] ?? "")), ...more.map(printable)].join(" ")}`;
}

/** A line of pino's, or undefined where it is none. */
export function parseLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === "object" && entry !== null ? { ...entry } : undefined;
  } catch {
    return undefined;
  }
}
