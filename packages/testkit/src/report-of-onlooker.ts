import {
  createAggregate,
  factsOf,
  RunHistory,
  type RunRecord,
  type RunReport,
  resolveStages,
  summariseRun,
} from "@tokenstorm/core";
import { decodeEvent, decodeResult, LEADER_IN_LOG, type LogEntry, type Result } from "@tokenstorm/protocol";

export interface OnlookerOptions {
  readonly record: RunRecord;
  /** All that the log ever held of the run, in its order. */
  readonly log: readonly LogEntry[];
  /** As the leader names them in its report. */
  readonly transport: "nats" | "memory";
  readonly version: string;
  /** Each result; `isNew` where it was folded, and had not been before. */
  readonly onResult?: (entry: LogEntry, result: Result, isNew: boolean) => void;
}

/** The report of somebody who never led, and whose disk was never full: what the record and the log say by themselves. */
export function reportOfOnlooker(options: OnlookerOptions): RunReport {
  const { record, log, onResult = () => undefined } = options;
  const stages = resolveStages(record.plan);
  const aggregate = createAggregate({ stages, shards: record.shards });
  const history = new RunHistory();
  for (const entry of log) {
    const { kind, agent, data } = entry;
    if (kind === "event" && agent === LEADER_IN_LOG) history.add(decodeEvent(data));
    if (kind !== "snapshot" && kind !== "final") continue;
    const { result } = decodeResult(kind, data);
    const folded =
      result.kind === "snapshot" ? aggregate.fold(result.snapshot) : aggregate.foldFinal(result.final);
    onResult(entry, result, folded === "folded");
  }
  const findings = history.findings();
  for (const { agent, lastSeq } of findings.expected) {
    const epoch = record.shards.find((shard) => shard.agent === agent)?.epoch ?? 0;
    aggregate.expectAtLeast(agent, epoch, lastSeq);
  }
  const facts = factsOf(record, findings, options);
  return summariseRun({ facts, stages, aggregate, serverSamples: findings.serverSamples });
}
