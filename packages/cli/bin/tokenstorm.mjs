#!/usr/bin/env node
// Says what is wrong before anything is loaded that an old Node.js could not read.
import { existsSync } from "node:fs";

const [major, minor] = process.versions.node.split(".").map(Number);
const entry = new URL("../dist/index.js", import.meta.url);
if (major < 20 || (major === 20 && minor < 18)) {
  process.stderr.write(`error: Node.js 20.18 or newer is needed; this is ${process.version}\n`);
  process.exitCode = 1;
} else if (!existsSync(entry)) {
  process.stderr.write("error: tokenstorm is not built\nhint: npm install && npm run build\n");
  process.exitCode = 1;
} else {
  const { main } = await import(entry.href);
  await main(process.argv.slice(2));
}
