import type { ClaimedRow } from "@tokenstorm/core";

/** What a file claims, and how it was read. */
export interface ClaimedResults {
  /** The form in words: `table separated by commas`, `vllm bench serve JSON`. */
  readonly form: string;
  readonly rows: readonly ClaimedRow[];
  /** Which column, or which field of the form, was read as what. */
  readonly mapping: string;
  /** Columns that nothing was read from. */
  readonly unused: readonly string[];
}

/** Everything that keeps a text from being read as results; the caller knows the file's name. */
export class ResultsProblem extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "ResultsProblem";
    this.problems = problems;
  }
}
