import { parseDocument } from "yaml";
import { firstLine, unreadable } from "./plan-file.js";

/** What YAML or JSON says, unchecked. `name` is that of the file, for people. Throws PLAN_INVALID. */
export function parseYaml(text: string, name: string): unknown {
  if (text.trim() === "") throw unreadable(name, "it is empty");
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => firstLine(error.message));
    throw unreadable(name, `it is neither YAML nor JSON\n${problems.join("\n")}`);
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw unreadable(name, firstLine(cause instanceof Error ? cause.message : String(cause)), cause);
  }
}
