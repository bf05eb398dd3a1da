/** Major, minor and patch, and whether something precedes the release (rc, dev: a nightly build). */
export interface EngineVersion {
  readonly parts: readonly [number, number, number];
  readonly isBeforeRelease: boolean;
}

/** Reads `0.14.1`, `v0.15.0rc2.dev12+gabc`, `0.14.1+rocm641` (PEP 440). Undefined for what is no version. */
export function parseEngineVersion(text: string): EngineVersion | undefined {
  const found = /^v?(\d+)\.(\d+)(?:\.(\d+))?(.*)$/.exec(text.trim());
  if (found === null) return undefined;
  const [, major, minor, patch, rest = ""] = found;
  const isBeforeRelease = /(^|[^a-z])(a|b|rc|dev)\d*/i.test(rest.split("+")[0] ?? "");
  return { parts: [Number(major), Number(minor), Number(patch ?? 0)], isBeforeRelease };
}

/**
 * Whether a version is at least another. Undefined for a build on the way to that very release: a change may be in it
 * or not.
 */
export function isAtLeast(version: EngineVersion, least: EngineVersion): boolean | undefined {
  for (const [i, part] of version.parts.entries()) {
    const other = least.parts[i] ?? 0;
    if (part !== other) return part > other;
  }
  return version.isBeforeRelease && !least.isBeforeRelease ? undefined : true;
}

/** `0.14.1` and `0.14.0rc1` are of `0.14`. */
export function isOfSeries(version: EngineVersion, series: EngineVersion): boolean {
  return version.parts[0] === series.parts[0] && version.parts[1] === series.parts[1];
}
