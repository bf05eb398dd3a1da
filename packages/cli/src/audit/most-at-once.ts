/** Most spans, each a start and a length, that overlap at a moment. */
export function mostAtOnce(spans: readonly (readonly [number, number])[]): number {
  const edges = spans.flatMap(([start, length]) => [
    { at: start, step: 1 },
    { at: start + length, step: -1 },
  ]);
  // One that begins where another ends counts beside it: the bound may be too high, never too low.
  edges.sort((a, b) => a.at - b.at || b.step - a.step);
  let now = 0;
  let most = 0;
  for (const { step } of edges) {
    now += step;
    most = Math.max(most, now);
  }
  return most;
}
