// Prints the manifest that `coordinator --listen` tells people to paste into kubectl, cut out of the very lines:
// node scripts/printed-manifest.mjs plain|tls. Needs a build.
import { joinLines } from "../packages/cli/dist/listen/join-lines.js";

const caFile = process.argv[2] === "tls" ? "ca.pem" : null;
const passwords = { coordinator: "c", agent: "a", operator: "o", viewer: "v" };
const place = { host: "10.0.0.5", port: 4222, version: "0.1.0" };
const text = joinLines({ ...place, passwords, caFile, prefix: caFile === null ? undefined : "lab" });
const [, manifest] = /^kubectl apply -f - <<'END'\n(.*?)\nEND$/ms.exec(text) ?? [];
if (manifest === undefined) throw new Error(`no manifest is among the printed lines:\n${text}`);
console.log(manifest);
