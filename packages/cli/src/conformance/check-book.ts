import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { WireAnswer } from "@tokenstorm/agent";
import {
  type CheckOutcome,
  type CheckResult,
  CONFORMANCE_CHECKS,
  type ContractFinding,
  LoadError,
} from "@tokenstorm/core";
import { makeFolder } from "../run-directory.js";

interface Entry {
  readonly outcome: CheckOutcome;
  readonly seen: string;
  readonly answer: WireAnswer | undefined;
}

/** Keeps what came of each check. A check that failed once has failed, whatever comes after. */
export class CheckBook {
  readonly #entries = new Map<string, Entry>();

  pass(id: string, seen: string): void {
    this.#enter(id, { outcome: "passed", seen, answer: undefined });
  }

  /** `answer` is the exchange that shows it. */
  fail(id: string, seen: string, answer?: WireAnswer): void {
    this.#enter(id, { outcome: "failed", seen, answer });
  }

  skip(id: string, why: string): void {
    this.#enter(id, { outcome: "skipped", seen: why, answer: undefined });
  }

  /** Enters what was found of one exchange under the names of a group. */
  found(group: string, findings: readonly ContractFinding[], answer: WireAnswer): void {
    for (const { check, fault, seen } of findings) {
      if (fault === null) this.pass(`${group}.${check}`, seen);
      else this.fail(`${group}.${check}`, fault, answer);
    }
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  hasFailed(id: string): boolean {
    return this.#entries.get(id)?.outcome === "failed";
  }

  /**
   * Every check of the contract with what came of it; one that was not reached says so. Writes the bytes of failed ones
   * to the folder. Throws LoadError where that cannot be done.
   */
  async results(evidenceFolder: string | undefined, shown: (text: string) => string): Promise<CheckResult[]> {
    const results: CheckResult[] = [];
    for (const check of CONFORMANCE_CHECKS) {
      const entry = this.#entries.get(check.id) ?? this.#notReached(check.id);
      const { outcome, answer } = entry;
      const evidence =
        evidenceFolder === undefined || answer === undefined || outcome !== "failed"
          ? null
          : await writeEvidence(evidenceFolder, check.id, answer, shown);
      results.push({ ...check, outcome, seen: shown(entry.seen), evidence });
    }
    return results;
  }

  #enter(id: string, entry: Entry): void {
    const before = this.#entries.get(id);
    if (before?.outcome === "failed" || (before?.outcome === "passed" && entry.outcome === "skipped")) return;
    this.#entries.set(id, entry);
  }

  /** A check that an earlier one of its group made pointless. */
  #notReached(id: string): Entry {
    const group = id.split(".")[0] ?? "";
    const cause = CONFORMANCE_CHECKS.find((one) => one.id.startsWith(`${group}.`) && this.hasFailed(one.id));
    const seen = cause === undefined ? "it was not reached" : `${cause.id} failed before it could be made`;
    return { outcome: "skipped", seen, answer: undefined };
  }
}

async function writeEvidence(
  folder: string,
  id: string,
  answer: WireAnswer,
  shown: (text: string) => string,
): Promise<string> {
  const file = join(folder, `${id}.answer`);
  try {
    await makeFolder(folder);
    await writeFile(join(folder, `${id}.request`), answer.request);
    // Some servers repeat a key in what they say of it.
    await writeFile(file, Buffer.from(shown(answer.received.toString("latin1")), "latin1"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LoadError("RESULTS_UNREADABLE", `the evidence cannot be written to ${folder}: ${why}`, {
      cause,
    });
  }
  return file;
}
