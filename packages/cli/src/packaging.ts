import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Put in place of this name by scripts/bundle.sh, in the single file alone; nothing defines it elsewhere. */
declare const TOKENSTORM_SINGLE_FILE_VERSION: string;

const isSingleFile = typeof TOKENSTORM_SINGLE_FILE_VERSION === "string";

/** The version of this command, which is that of every package of the workspace. */
export const VERSION: string = isSingleFile ? TOKENSTORM_SINGLE_FILE_VERSION : manifestVersion();

/** The file that node runs to be this command: the start of the package, or the single file, which is this very one. */
export const COMMAND_FILE: string = fileURLToPath(
  isSingleFile ? import.meta.url : new URL("../bin/tokenstorm.mjs", import.meta.url),
);

function manifestVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest)
    return String(manifest.version);
  return "0.0.0";
}
