// Preloaded into every process of a soak (NODE_OPTIONS): once a minute collects the whole heap and writes down what is
// left. RSS alone cannot tell a leak from a heap that has room and has not been collected yet.
import { appendFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const folder = process.env.LIVE_HEAP_FOLDER;
const PERIOD_MS = 60_000;

if (folder !== undefined) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  setInterval(() => {
    collect();
    const { heapUsed, external, rss } = process.memoryUsage();
    // External memory holds the buffers' too.
    appendFileSync(
      `${folder}/${process.pid}.ndjson`,
      `${JSON.stringify({ liveBytes: heapUsed + external, rss })}\n`,
    );
  }, PERIOD_MS).unref();
}
