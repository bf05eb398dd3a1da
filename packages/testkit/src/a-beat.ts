import type { Beacon, Heartbeat } from "@tokenstorm/protocol";

/** The beacon of a leader that has nothing to lead, changed as asked for. */
export function aBeacon(change: Partial<Beacon> = {}): Beacon {
  return {
    term: 3,
    leader: "c1",
    leaderInstance: "c1-1",
    seq: 1,
    leaderUs: 0,
    run: null,
    state: null,
    revision: 0,
    stop: "none",
    confirmed: {},
    resend: {},
    refused: [],
    givenUp: [],
    ...change,
  };
}

/** The heartbeat of an agent that waits for a run, changed as asked for. */
export function aHeartbeat(change: Partial<Heartbeat> = {}): Heartbeat {
  const agent = change.agent ?? "a1";
  return {
    agent,
    instance: `${agent}-1`,
    host: "h",
    pid: 1,
    version: "0.1.0",
    cores: 1,
    labels: {},
    state: "idle",
    run: null,
    epoch: 0,
    revision: 0,
    beaconSeq: 0,
    term: 0,
    ready: null,
    armedAttempt: 0,
    startErrorUs: null,
    stage: -1,
    stageDone: -1,
    lastCut: 0,
    lastAcked: 0,
    ledger: null,
    vitals: null,
    problem: null,
    refusals: 0,
    ...change,
  };
}
