// A reporter for node:test that writes one JSON line: how many tests passed, failed and were skipped, which failed with
// what, and why some were skipped.
export default async function* countTests(source) {
  const counts = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite") continue;
    if (data.skip !== undefined) {
      counts.skipped += 1;
      counts.skips.push(`${data.name}${typeof data.skip === "string" ? `: ${data.skip}` : ""}`);
    } else if (type === "test:pass") counts.passed += 1;
    else {
      counts.failed += 1;
      counts.failures.push(`${data.name}: ${onOneLine(data.details.error)}`);
    }
  }
  yield `${JSON.stringify(counts)}\n`;
}

/** The runner wraps what a test threw. An assertion's message has a line for each value, so all go into one. */
function onOneLine(error) {
  const thrown = error?.cause ?? error;
  return String(thrown?.message ?? thrown)
    .replace(/\s+/g, " ")
    .slice(0, 300);
}
