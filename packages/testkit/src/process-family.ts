import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A process and all that it started, and those started: an agent's may be a child with room of its own for the heap. */
export function familyOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((one) => /^\d+$/.test(one))) {
    const parent = parentOf(name);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const family = [pid];
  // Grows while it is walked.
  for (const member of family) family.push(...(children.get(member) ?? []));
  return family;
}

/** Sends it to each process of the family, the first one first; whoever has ended meanwhile is passed over. */
export function signalFamily(pid: number, signal: NodeJS.Signals): void {
  for (const member of familyOf(pid)) {
    try {
      process.kill(member, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(join("/proc", pid, "stat"), "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}
