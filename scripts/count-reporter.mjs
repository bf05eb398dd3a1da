// A reporter for node:test that writes one JSON line: how many tests passed, failed and were skipped, and why.
export default async function* countTests(source) {
  const counts = { passed: 0, failed: 0, skipped: 0, skips: [] };
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite") continue;
    if (data.skip !== undefined) {
      counts.skipped += 1;
      counts.skips.push(`${data.name}${typeof data.skip === "string" ? `: ${data.skip}` : ""}`);
    } else if (type === "test:pass") counts.passed += 1;
    else counts.failed += 1;
  }
  yield `${JSON.stringify(counts)}\n`;
}
