// What Linux says of processes in /proc.
import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_S = 100;

/** All processes that a process started, and those that they started. */
export function descendants(pid) {
  const parents = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fields = stat(Number(name));
    if (fields !== null) parents.set(Number(name), Number(fields[1]));
  }
  const found = [];
  for (const [child, parent] of parents) if (isBelow(parent, pid, parents)) found.push(child);
  return found;
}

function isBelow(from, root, parents) {
  for (let pid = from; pid !== undefined && pid > 1; pid = parents.get(pid)) if (pid === root) return true;
  return false;
}

/** Null for one that has ended. */
export function rssBytes(pid) {
  const found = /VmRSS:\s+(\d+) kB/.exec(read(pid, "status") ?? "");
  return found === null ? null : Number(found[1]) * 1024;
}

/** User and system time spent so far; in steps of 10 ms. */
export function cpuS(pid) {
  const fields = stat(pid);
  return fields === null ? Number.NaN : (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** The program, or the command of ours that it runs. */
export function nameOf(pid) {
  const words = (read(pid, "cmdline") ?? "").split("\0");
  const ours = words.findIndex((word) => word.endsWith("tokenstorm.mjs"));
  return (ours === -1 ? words[0]?.split("/").at(-1) : words[ours + 1]) ?? "";
}

/** After the name, which may hold blanks. */
function stat(pid) {
  const text = read(pid, "stat");
  return text === null ? null : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return null;
  }
}
