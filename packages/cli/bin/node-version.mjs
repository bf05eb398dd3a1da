/** Whether this Node.js is new enough; says so where it is not. Written so that an old one can read it. */
export function isNodeNewEnough() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 18)) return true;
  process.stderr.write(`error: Node.js 20.18 or newer is needed; this is ${process.version}\n`);
  process.exitCode = 1;
  return false;
}
