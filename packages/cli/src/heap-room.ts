/**
 * Room for the heap from the start, in MB. With V8's own small beginnings an agent collects its whole heap in the first
 * minute, in pauses of 5 to 20 ms that delay its stamps; with room it did not once in a demo (docs/measuring.md, Trust).
 * The image's entry point in docker/Dockerfile gives the same.
 */
export const HEAP_ROOM: readonly string[] = [
  "--min-semi-space-size=16",
  "--max-semi-space-size=32",
  "--initial-old-space-size=256",
];

/** Whether node was started with it: only its own command line can give it, a running process cannot. */
export function hasHeapRoom(execArgv: readonly string[] = process.execArgv): boolean {
  const given = new Set(execArgv.map(flagName));
  return HEAP_ROOM.every((flag) => given.has(flagName(flag)));
}

/** V8 takes `_` for `-`. Another size is somebody's choice. */
const flagName = (flag: string): string =>
  (flag.split("=")[0] ?? flag).replaceAll("_", "-").replace(/^--?/, "--");
