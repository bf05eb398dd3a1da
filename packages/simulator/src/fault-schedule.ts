import { LoadError } from "@tokenstorm/core";
import { FAULT_KINDS, type Fault, parseFault } from "./faults.js";
import { uniformAt } from "./random.js";

/** Something that goes wrong for a while. */
export interface FaultWindow {
  /** Seconds since the simulator began to listen, of the wall and not of the engine. */
  readonly fromS: number;
  readonly toS: number;
  /** Share of the requests received meanwhile; of `refuse` it is 1. */
  readonly rate: number;
  /** `refuse`: nobody listens on the port, idle connections are closed, open streams go on. */
  readonly fault: Fault | { readonly kind: "refuse" };
}

const ENTRY = /^(\d+(?:\.\d+)?)s?\.\.(\d+(?:\.\d+)?)s?:([a-z0-9-]+)(?:=([0-9.]+))?((?:[:;].+)?)$/;
const EXAMPLE = "write FROM..TO:KIND=RATE in seconds, such as 10..20:reset=0.05;after=5 or 30..32:refuse";

/**
 * Reads entries `FROM..TO:KIND[=RATE][;after=N]`, separated by commas or line ends; `#` begins a comment. Without a rate every
 * request has the fault. Throws LoadError PLAN_INVALID that names the entry.
 */
export function parseFaultSchedule(text: string): FaultWindow[] {
  return text
    .split(/\n/)
    .flatMap((line) => line.replace(/#.*$/, "").split(","))
    .map((entry) => entry.replaceAll(/\s+/g, ""))
    .filter((entry) => entry !== "")
    .map(parseEntry);
}

/** Whether a text is a schedule and not the name of a file with one. */
export function isFaultSchedule(text: string): boolean {
  return /^\s*\d+(\.\d+)?s?\.\./.test(text);
}

function parseEntry(entry: string): FaultWindow {
  const [, from, to, kind = "", rateText, argument = ""] = ENTRY.exec(entry) ?? [];
  if (from === undefined || to === undefined) throw invalid(entry, "it is no entry", EXAMPLE);
  const [fromS, toS, rate] = [Number(from), Number(to), Number(rateText ?? 1)];
  if (!(toS > fromS)) throw invalid(entry, `it ends at ${toS} s, not after ${fromS} s`);
  if (!(rate >= 0 && rate <= 1)) throw invalid(entry, `the rate ${rateText} is not between 0 and 1`);
  if (kind === "refuse") {
    if (rateText === undefined && argument === "") return { fromS, toS, rate: 1, fault: { kind } };
    throw invalid(entry, "refuse takes neither a rate nor an argument: nobody listens");
  }
  const fault = parseFault(kind + argument);
  if (fault !== undefined) return { fromS, toS, rate, fault };
  if (FAULT_KINDS.some((known) => known === kind))
    throw invalid(entry, `${argument} is not its argument`, EXAMPLE);
  throw invalid(entry, `there is no fault ${kind}`, `one of ${FAULT_KINDS.join(", ")}, refuse`);
}

/** The fault of request number `ordinal`, received so long after the start: of several windows the first that hits. */
export function scheduledFault(
  windows: readonly FaultWindow[],
  seed: number,
  request: { readonly ordinal: number; readonly sinceStartUs: number },
): Fault | undefined {
  for (const [index, { fromS, toS, rate, fault }] of windows.entries()) {
    const isOpen = request.sinceStartUs >= fromS * 1e6 && request.sinceStartUs < toS * 1e6;
    if (!isOpen || fault.kind === "refuse") continue;
    if (uniformAt((seed ^ 0x2c1b3c6d) + index, request.ordinal) < rate) return fault;
  }
  return undefined;
}

function invalid(entry: string, problem: string, hint?: string): LoadError {
  return new LoadError("PLAN_INVALID", `fault schedule, ${entry}: ${problem}`, { hint });
}
