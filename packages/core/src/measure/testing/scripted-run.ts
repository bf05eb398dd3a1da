import type { Shard } from "../../load/keys.js";
import type { ResolvedStage } from "../../load/stages.js";
import type { DropReason } from "../outcome.js";
import type { Recorder, RecorderOptions, RequestEnd, RequestSample } from "../recorder.js";
import type { Final, Snapshot } from "../snapshot.js";
import { createRecorder } from "../stamped-recorder.js";
import type { Vitals } from "../vitals.js";

export interface ScriptedEvent {
  readonly tUs: number;
  readonly tokens: number;
  readonly content: boolean;
  readonly sameRead: boolean;
}

/** One request with everything that will happen to it, for tests that compute what a recorder must say. */
export interface ScriptedRequest {
  readonly stage: number;
  readonly user: number | null;
  readonly dueUs: number;
  readonly drop: { readonly tUs: number; readonly reason: DropReason } | null;
  readonly beginUs: number | null;
  readonly connectUs: number | null;
  readonly sentUs: number | null;
  readonly headersUs: number | null;
  readonly events: readonly ScriptedEvent[];
  readonly staleRetry: boolean;
  readonly end: { readonly tUs: number; readonly how: RequestEnd } | null;
}

export interface ScriptedRun {
  readonly stages: readonly ResolvedStage[];
  /** As they come to be; those from `commit.stage` on are known only at `commit.tUs`. */
  readonly startsUs: readonly number[];
  readonly commit: { readonly tUs: number; readonly stage: number } | null;
  readonly done: readonly { readonly stage: number; readonly tUs: number }[];
  readonly stopUs: number | null;
  readonly intervalUs: number;
  readonly graceUs: number;
  readonly slos: RecorderOptions["slos"];
  readonly requests: readonly ScriptedRequest[];
  readonly finishUs: number;
  /** URLs of the plan: users, or arrivals in their order, go to them in turn; 1 without it. */
  readonly urls?: number;
  /** Members of the workload, kept apart: users, or arrivals in their order, are of them in turn. */
  readonly members?: number;
}

export const IDLE_VITALS: Omit<Vitals, "scheduleLagP99Us" | "coalescedShare"> = {
  loopDelayP99Us: 500,
  loopDelayMaxUs: 900,
  utilisation: 0.2,
  cpu: 0.2,
  starvation: 0,
  gcUs: 0,
  throttledUs: 0,
  rssBytes: 50_000_000,
  openSockets: 1,
  descriptors: 20,
  descriptorLimit: 1024,
};

export interface Played {
  readonly snapshots: readonly Snapshot[];
  readonly final: Final;
}

/** Plays the part of a run that belongs to one agent: users, or arrivals in their order, modulo the number of agents. */
export function play(
  run: ScriptedRun,
  agent: { readonly id: string; readonly epoch: number; readonly shard: Shard },
): Played {
  const snapshots: Snapshot[] = [];
  const recorder = createRecorder({
    run: "r",
    agent: agent.id,
    epoch: agent.epoch,
    shard: agent.shard,
    stages: run.stages,
    stageStartsUs: run.startsUs.map((startUs, stage) => (isLater(run, stage) ? null : startUs)),
    intervalUs: run.intervalUs,
    gracePeriodUs: run.graceUs,
    slos: run.slos,
    urls: run.urls ?? 1,
    keepsWork: run.members !== undefined,
    vitals: () => IDLE_VITALS,
    onSnapshot: (snapshot) => snapshots.push(snapshot),
  });
  const own = run.requests.filter(
    (request, index) => (request.user ?? index) % agent.shard.count === agent.shard.index,
  );
  const actions = [
    ...controlActions(run, recorder),
    ...own.flatMap((request) => requestActions(request, recorder, placeOf(run, request))),
  ];
  // Sorting is stable: what happens to one request stays in order, and control comes first at its moment.
  actions.sort((a, b) => a.tUs - b.tUs);
  for (const action of actions) action.act();
  const final = recorder.finish(run.finishUs, { startErrorUs: 10, evicted: 0, reader: "scripted" });
  return { snapshots, final };
}

/** Index of the URL that a request of the run goes to. */
export function urlOf({ requests, urls = 1 }: ScriptedRun, request: ScriptedRequest): number {
  return urls === 1 ? 0 : (request.user ?? requests.indexOf(request)) % urls;
}

/** Index of the workload's member that a request of the run is of. */
export function memberOf({ requests, members = 1 }: ScriptedRun, request: ScriptedRequest): number {
  return (request.user ?? requests.indexOf(request)) % members;
}

interface Place {
  readonly url: number;
  readonly member: number;
}

const placeOf = (run: ScriptedRun, request: ScriptedRequest): Place => ({
  url: urlOf(run, request),
  member: memberOf(run, request),
});

interface Action {
  readonly tUs: number;
  readonly act: () => void;
}

function isLater(run: ScriptedRun, stage: number): boolean {
  return run.commit !== null && stage >= run.commit.stage;
}

function controlActions(run: ScriptedRun, recorder: Recorder): Action[] {
  const { commit, stopUs } = run;
  const actions: Action[] = run.done
    .filter(({ tUs }) => stopUs === null || tUs < stopUs)
    .map(({ stage, tUs }) => ({ tUs, act: () => recorder.stageDone(stage, tUs) }));
  if (commit !== null && (stopUs === null || commit.tUs < stopUs)) {
    actions.push({ tUs: commit.tUs, act: () => recorder.commitStageStarts(run.startsUs, commit.tUs) });
  }
  if (stopUs !== null) actions.push({ tUs: stopUs, act: () => recorder.stop(stopUs) });
  return actions;
}

function requestActions(request: ScriptedRequest, recorder: Recorder, place: Place): Action[] {
  let sample: RequestSample;
  const actions: Action[] = [];
  const add = (tUs: number | null, act: (tUs: number) => void) => {
    if (tUs !== null) actions.push({ tUs, act: () => act(tUs) });
  };
  const { stage, dueUs, user, connectUs, events, drop, end } = request;
  add(dueUs, () => {
    sample = recorder.offer({ stage, dueUs, user, askedPromptTokens: 7, askedOutputTokens: 9, ...place });
  });
  if (drop !== null) add(drop.tUs, (tUs) => recorder.drop(sample, tUs, drop.reason));
  add(request.beginUs, (tUs) => {
    recorder.begin(sample, tUs);
    if (connectUs !== null) recorder.connected(sample, connectUs);
    if (request.staleRetry) recorder.staleRetry(sample);
  });
  add(request.sentUs, (tUs) => recorder.sent(sample, tUs));
  add(request.headersUs, (tUs) => recorder.headers(sample, tUs));
  for (const { tUs, tokens, content, sameRead } of events) {
    add(tUs, () => recorder.event(sample, tUs, tokens, content, sameRead));
  }
  if (end !== null) add(end.tUs, (tUs) => recorder.end(sample, tUs, end.how));
  return actions;
}
