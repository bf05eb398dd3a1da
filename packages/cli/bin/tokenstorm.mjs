#!/usr/bin/env node
// Says what is wrong before anything is loaded that an old Node.js could not read.
import { existsSync } from "node:fs";
import { isNodeNewEnough } from "./node-version.mjs";

const entry = new URL("../dist/index.js", import.meta.url);
if (isNodeNewEnough()) {
  if (existsSync(entry)) {
    const { main } = await import(entry.href);
    await main(process.argv.slice(2));
  } else {
    process.stderr.write("error: tokenstorm is not built\nhint: npm install && npm run build\n");
    process.exitCode = 1;
  }
}
