// Where scripts/bundle.sh begins. Nothing but the check is evaluated before the check has been made.
import { isNodeNewEnough } from "./node-version.mjs";

if (isNodeNewEnough()) {
  const { main } = await import("../dist/index.js");
  await main(process.argv.slice(2));
}
