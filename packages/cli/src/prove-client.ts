import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  judgeProof,
  measuredWindow,
  type ProofEvidence,
  type ProofReport,
  proofEvidence,
  type RunRecord,
  resolveStages,
  type Snapshot,
  type TestPlan,
} from "@tokenstorm/core";
import { renderJson } from "@tokenstorm/report";
import type { Conducted } from "./conduct-run.js";
import { reasonOf } from "./plan-file.js";
import { PROOF_NAME_END } from "./run-directory.js";
import { readResults } from "./run-files.js";

export interface ProveOptions {
  readonly conducted: Conducted;
  /** Agent processes of the first run; null where it was no run of several processes. */
  readonly processes: number | null;
  /** Runs a plan on so many agent processes of this machine. */
  readonly runWith: (plan: TestPlan, processes: number) => Promise<Conducted | undefined>;
  readonly onNote: (text: string) => void;
}

/**
 * The last level once more with twice the agent processes, and the comparison in the report. The first run stays what it
 * was: nothing that happens here changes its verdict or its exit code, and what fails is said in the proof.
 */
export async function proveClient(options: ProveOptions): Promise<Conducted> {
  const { conducted, processes, runWith, onNote } = options;
  const { record, report } = conducted;
  if (record === null || report === null || record.state !== "completed") return conducted;
  const last = lastLevel(record.plan);
  const agents = processes ?? report.agents.length;
  const without = (why: string): ProofReport => ({
    level: last?.name ?? "",
    run: "",
    agents,
    agentsDoubled: 2 * agents,
    figures: [],
    holds: null,
    sentence: `Whether the client was the limit was not proved: ${why}.`,
  });
  let proof: ProofReport;
  if (processes === null)
    proof = without("there is no nats-server here, and one process alone cannot be doubled");
  else if (last === null) proof = without("the plan has no measured level");
  else {
    onNote(
      `--prove: level ${last.name} once more, with ${2 * processes} agent processes in place of ${processes}`,
    );
    try {
      const again = await runWith(last.plan, 2 * processes);
      proof =
        again?.record?.state === "completed"
          ? await compare(record, again.record, last)
          : without("the run with twice the agents did not complete");
    } catch (error) {
      // Whatever it was, the first run has its report.
      proof = without(reasonOf(error));
    }
  }
  const proved = { ...report, proof };
  await keep(record, proved, onNote);
  return { record, report: proved };
}

interface LastLevel {
  readonly name: string;
  readonly index: number;
  /** The level alone. */
  readonly plan: TestPlan;
}

/** Its users start over a ramp of their own: by default that of all of them. */
function lastLevel(plan: TestPlan): LastLevel | null {
  const stages = resolveStages(plan);
  const last = stages.findLast((stage) => measuredWindow(stage) !== null);
  if (last === undefined) return null;
  const { load } = plan;
  const at = last.index - (stages.length - load.stages.length);
  const name = `${plan.name ?? "run"}${PROOF_NAME_END}`;
  const of = { name, index: last.index };
  // Thresholds are the first run's.
  // With the same salt every prompt would be in the target's prefix cache already.
  const { salt: _salt, ...unsalted } = plan;
  const rest = { ...unsalted, name, thresholds: [] };
  if (load.kind === "users") {
    const stage = load.stages[at];
    if (stage === undefined) return null;
    const { rampUpMs: _, ...level } = stage;
    return { ...of, name: last.name, plan: { ...rest, load: { ...load, stages: [level] } } };
  }
  const stage = load.stages[at];
  if (stage === undefined) return null;
  return { ...of, name: last.name, plan: { ...rest, load: { ...load, stages: [stage] } } };
}

async function compare(first: RunRecord, again: RunRecord, { name, index }: LastLevel): Promise<ProofReport> {
  const stages = resolveStages(again.plan);
  const only = stages.findLast((stage) => measuredWindow(stage) !== null);
  const single = await evidenceOf(first, index);
  const doubled = await evidenceOf(again, only?.index ?? index);
  return judgeProof({ level: name, run: again.id, single, doubled });
}

/** Throws RESULTS_UNREADABLE naming file and line. */
function evidenceOf(record: RunRecord, stage: number): Promise<ProofEvidence> {
  return proofEvidence(stage, snapshotsOf(join(record.result?.directory ?? "", "snapshots.ndjson")));
}

async function* snapshotsOf(file: string): AsyncGenerator<Snapshot> {
  for await (const result of readResults(file)) if (result.kind === "snapshot") yield result.snapshot;
}

/** Beside the run's other files, so that `report` shows it too. */
async function keep(
  record: RunRecord,
  report: NonNullable<Conducted["report"]>,
  onNote: ProveOptions["onNote"],
): Promise<void> {
  const directory = record.result?.directory ?? "";
  if (directory === "") return;
  try {
    const draft = join(directory, ".report.json.draft");
    await writeFile(draft, `${renderJson(report)}\n`);
    await rename(draft, join(directory, "report.json"));
  } catch (error) {
    onNote(`the proof could not be kept in ${directory}: ${reasonOf(error)}`);
  }
}
