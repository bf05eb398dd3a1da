/** The most requests that a part of a load has within any time so long. */
export interface Density {
  readonly withinUs: number;
  readonly requests: number;
}

/** The shortest time that is told; each further one is twice as long. */
const FIRST_US = 1000;
/** 1 ms, doubled so often, is longer than any load. */
export const MOST_DENSITIES = 48;

/** How dense moments lie, which are in order: for 1 ms and each double of it, until all are within. Empty without moments. */
export function densityOf(momentsUs: readonly number[]): Density[] {
  const found: Density[] = [];
  if (momentsUs.length === 0) return found;
  for (let withinUs = FIRST_US; found.length < MOST_DENSITIES; withinUs *= 2) {
    const requests = mostWithin(momentsUs, withinUs);
    found.push({ withinUs, requests });
    if (requests === momentsUs.length) break;
  }
  return found;
}

/** No fewer than the most within any `lengthUs`, by the next longer time that is told; none within no time. */
export function mostByDensity(density: readonly Density[], lengthUs: number): number {
  if (lengthUs <= 0) return 0;
  return density.find(({ withinUs }) => withinUs >= lengthUs)?.requests ?? density.at(-1)?.requests ?? 0;
}

/** The most of the moments, which are in order, that lie in (t - lengthUs, t] for any t. */
export function mostWithin(momentsUs: readonly number[], lengthUs: number): number {
  let most = 0;
  let first = 0;
  for (let last = 0; last < momentsUs.length; last += 1) {
    const fromUs = (momentsUs[last] ?? 0) - lengthUs;
    while (first <= last && (momentsUs[first] ?? 0) <= fromUs) first += 1;
    if (last - first + 1 > most) most = last - first + 1;
  }
  return most;
}
