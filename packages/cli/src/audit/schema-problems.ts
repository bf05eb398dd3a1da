import type { z } from "zod";

const MOST_ISSUES = 5;

/** What a schema found, one line each, with the path of the field. */
export function schemaProblems(error: z.ZodError, prefix: string): string[] {
  return error.issues
    .slice(0, MOST_ISSUES)
    .map((issue) => `${prefix}${issue.path.map(String).join(".") || "the whole"}: ${issue.message}`);
}
