/** Milliseconds of one step by the number of sequences that get a token in it, ascending. */
export type StepTable = readonly (readonly [sequences: number, stepMs: number])[];

/**
 * Piecewise linear between the points, extrapolated with the last slope; below the first point its value.
 * No sequence costs nothing: a step that only carries on a prompt is charged by its prompt tokens alone.
 */
export function decodeStepMs(table: StepTable, sequences: number): number {
  const first = table[0];
  if (first === undefined || sequences <= 0) return 0;
  let [x0, y0] = first;
  if (sequences <= x0) return y0;
  let slope = 0;
  for (let i = 1; i < table.length; i++) {
    const [x1, y1] = table[i] ?? first;
    slope = (y1 - y0) / (x1 - x0);
    if (sequences <= x1) break;
    if (i < table.length - 1) [x0, y0] = [x1, y1];
  }
  return y0 + slope * (sequences - x0);
}
