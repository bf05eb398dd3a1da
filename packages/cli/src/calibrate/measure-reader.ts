import { get } from "node:http";
import {
  createVitals,
  openStampedLoad,
  rehearse,
  type StampedLoad,
  type StampedWindow,
} from "@tokenstorm/agent";
import {
  carriedRate,
  judgeLevel,
  judgeVitals,
  nextRate,
  type RateLadder,
  type ReaderName,
  type VitalsJudgement,
  vitalsFactor,
} from "@tokenstorm/core";
import { systemClock } from "@tokenstorm/protocol";
import type { CalibrationLevel } from "./calibration-schema.js";
import { TOKENS_PER_ANSWER } from "./null-answer.js";
import { stepUsOf } from "./null-server.js";
import { percentile, stampErrorsUs, stepLagsUs } from "./stamp-errors.js";
import { decodeWrites } from "./write-log.js";

/** Connections open and code warm: the ramp, and what V8 has not compiled before. */
const WARM_UP_INTERVALS = 2;
const INTERVAL_MS = 1000;
/** Of the search with one number of streams: kept back for each that follows. */
const LEVELS_KEPT_BACK = 3;
const ANSWER_LIMIT_MS = 10_000;

export interface MeasureOptions {
  readonly reader: ReaderName;
  readonly serverUrl: string;
  readonly ladder: RateLadder;
  /** Numbers of streams, one search each; those after the first begin where the one before has ended. */
  readonly streams: readonly number[];
  /** Measured intervals of a second in a level, behind one that is not measured. */
  readonly intervals: number;
  readonly limitMs: number;
  readonly onLevel: (level: CalibrationLevel) => void;
}

/** Finds what this process carries with one reader; its own vitals are those of the client under test, so it does nothing else. */
export async function measureReader(options: MeasureOptions): Promise<void> {
  const { reader, serverUrl, streams, intervals, limitMs } = options;
  const clock = systemClock();
  // As in a run: where there is no probe the delay of the loop says alone how good stamps are.
  const vitals = createVitals({ nowUs: clock.nowUs, onNoProbe: () => undefined });
  vitals.beginProbe();
  const endMs = performance.now() + limitMs;
  const levelMs = (1 + intervals) * INTERVAL_MS;
  let { ladder } = options;
  try {
    await rehearse();
    for (const [i, users] of streams.entries()) {
      await setLevel(serverUrl, { eventsPerS: nextRate(ladder, []) ?? 1, streams: users });
      const load = openStampedLoad({
        reader,
        url: serverUrl,
        users,
        tokensPerAnswer: TOKENS_PER_ANSWER,
        clock,
        vitals,
        logger: SILENT,
      });
      try {
        await load.record(WARM_UP_INTERVALS);
        const keptBackMs = (streams.length - 1 - i) * (LEVELS_KEPT_BACK + WARM_UP_INTERVALS) * levelMs;
        const trials = await search(options, { load, users, ladder, untilMs: endMs - keptBackMs - levelMs });
        ladder = { ...ladder, firstEventsPerS: startBelow(ladder, carriedRate(trials).eventsPerS) };
      } finally {
        await load.close();
      }
    }
  } finally {
    vitals.close();
  }
}

interface Search {
  readonly load: StampedLoad;
  readonly users: number;
  readonly ladder: RateLadder;
  /** No level is begun after that. */
  readonly untilMs: number;
}

async function search(options: MeasureOptions, { load, users, ladder, untilMs }: Search) {
  const { reader, serverUrl, intervals, onLevel } = options;
  const trials: CalibrationLevel[] = [];
  for (
    let rate = nextRate(ladder, trials);
    rate !== null && performance.now() < untilMs;
    rate = nextRate(ladder, trials)
  ) {
    await setLevel(serverUrl, { eventsPerS: rate, streams: users });
    const window = await load.record(intervals);
    const writes = decodeWrites(await ask(serverUrl, "/writes"));
    const level = levelOf({ reader, users, rate, window, writes });
    trials.push(level);
    onLevel(level);
  }
  return trials;
}

interface Measured {
  readonly reader: ReaderName;
  readonly users: number;
  readonly rate: number;
  readonly window: StampedWindow;
  readonly writes: ReturnType<typeof decodeWrites>;
}

function levelOf({ reader, users, rate, window, writes }: Measured): CalibrationLevel {
  const { stamps, snapshots, failed } = window;
  const durationUs = window.toUs - window.fromUs;
  const errorsUs = stampErrorsUs(stamps, writes);
  const lagsUs = stepLagsUs(writes, window);
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const figures = {
    askedEventsPerS: rate,
    eventsPerS: Math.round((errorsUs.length / durationUs) * 1e6),
    stampErrorP90Us: percentile(errorsUs, 0.9),
    coalescedShare: mean(snapshots.map((snapshot) => snapshot.vitals.coalescedShare)),
    failed,
    serverLagP90Us: percentile(lagsUs, 0.9),
    serverShare: lagsUs.length / (durationUs / stepUsOf({ eventsPerS: rate, streams: users })),
  };
  const vitals = worst(
    snapshots.map((snapshot) => judgeVitals(snapshot.vitals, vitalsFactor((users * 1e6) / rate))),
  );
  return {
    reader,
    streams: users,
    ...figures,
    // JSON has no infinity: longer than anything that is measured.
    stampErrorP90Us: Math.min(figures.stampErrorP90Us, durationUs),
    stampErrorP50Us: Math.min(percentile(errorsUs, 0.5), durationUs),
    cpu: mean(snapshots.map((snapshot) => snapshot.vitals.cpu)),
    ...judgeLevel(figures, vitals),
  };
}

const RANK = { green: 0, yellow: 1, red: 2 } as const;

function worst(judgements: readonly VitalsJudgement[]): VitalsJudgement {
  return judgements.reduce((bad, one) => (RANK[one.colour] > RANK[bad.colour] ? one : bad));
}

function startBelow({ rates }: RateLadder, eventsPerS: number): number {
  return rates.findLast((rate) => rate <= eventsPerS) ?? rates[0] ?? eventsPerS;
}

function setLevel(url: string, level: { readonly eventsPerS: number; readonly streams: number }) {
  return ask(url, `/level?events=${Math.round(level.eventsPerS)}&streams=${level.streams}`);
}

function ask(url: string, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}${path}`, { agent: false, timeout: ANSWER_LIMIT_MS }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("end", () => {
        resolve(Buffer.concat(parts));
        request.destroy();
      });
      answer.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error("the null server does not answer")));
    request.on("error", reject);
  });
}

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };
