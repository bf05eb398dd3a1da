// Compiles what of the benchmarks is C++ into .cache, once for each version of the sources.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const sources = new URL("../native/", import.meta.url);
const cache = new URL("../../.cache/bench/native/", import.meta.url);
const FLAGS = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"];

/** Ends the benchmark with status 3, which means skipped, and the reason as the last line. */
export function skipAll(reason) {
  console.log(`SKIPPED: ${reason}`);
  process.exit(3);
}

export function compiler() {
  const run = spawnSync("g++", ["--version"], { encoding: "utf8" });
  return run.status === 0 ? run.stdout.split("\n", 1)[0] : null;
}

/** Path of the program; throws with the compiler's own words where it does not compile. */
export function compile(name) {
  const text = ["common.hpp", `${name}.cpp`].map((file) => readFileSync(new URL(file, sources)));
  const version = createHash("sha256").update(Buffer.concat(text)).digest("hex").slice(0, 12);
  const program = fileURLToPath(new URL(`${name}-${version}`, cache));
  if (existsSync(program)) return program;
  mkdirSync(cache, { recursive: true });
  const source = fileURLToPath(new URL(`${name}.cpp`, sources));
  const run = spawnSync("g++", [...FLAGS, "-o", program, source], { encoding: "utf8" });
  if (run.status !== 0) throw new Error(`${name}.cpp does not compile:\n${run.stderr}`);
  return program;
}
