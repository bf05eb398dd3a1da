import type { Block, EncodedHistogram, Final, Ledger, MetricName, Snapshot, Vitals } from "@tokenstorm/core";
import { LATER_METRICS, METRICS } from "@tokenstorm/core";

// Snapshots as tests need them: full, plausible, the same every time.

export const aLedger: Ledger = {
  offered: 10,
  sent: 8,
  unsent: 1,
  dropped: 1,
  waiting: 0,
  completed: 5,
  failed: 1,
  cancelled: 1,
  unknown: 0,
  inFlight: 2,
};

export const someVitals: Vitals = {
  loopDelayP99Us: 900,
  loopDelayMaxUs: 2000,
  utilisation: 0.4,
  cpu: 0.38,
  starvation: 0.02,
  gcUs: 1500,
  throttledUs: 0,
  rssBytes: 120_000_000,
  openSockets: 250,
  descriptors: 300,
  descriptorLimit: 1_048_576,
  scheduleLagP99Us: 800,
  coalescedShare: 0.001,
  selfProbe: { count: 50, p50Us: 110, p90Us: 260, p99Us: 900, maxUs: 900, buckets: [0, 0, 3, 40, 6, 0, 1] },
  localPorts: { used: 250, range: 28_232 },
};

/** Bytes in the form of a V2 payload of about `words` counters: header, then small numbers with runs of zeros. */
export function aPayload(words: number): Uint8Array {
  const payload = new Uint8Array(40 + words);
  new DataView(payload.buffer).setUint32(0, 0x1c849313);
  new DataView(payload.buffer).setUint32(4, words);
  for (let i = 0; i < words; i += 1) payload[40 + i] = (i * i * 7919) % 11 < 4 ? ((i * 37) % 12) * 2 : 1;
  return payload;
}

export function aHistogram(words: number): EncodedHistogram {
  return {
    count: words * 3,
    sum: words * 1234.5,
    min: 12,
    max: 98_765,
    overflow: 0,
    payload: aPayload(words),
  };
}

export function aBlock(words = 900): Block {
  const histograms: Partial<Record<MetricName, EncodedHistogram>> = {};
  for (const [i, metric] of METRICS.slice(0, 12).entries()) histograms[metric] = aHistogram(words + i);
  for (const [i, metric] of LATER_METRICS.entries()) histograms[metric] = aHistogram(words + 20 + i);
  return {
    stage: 1,
    phase: "measured",
    flow: {
      durationUs: 1_000_000,
      inFlightUs: 250_000_000,
      inFlightMin: 240,
      inFlightMax: 250,
      sent: 30,
      ended: 31,
      completed: 30,
      outputTokens: 4000,
      promptTokens: 16_000,
      arrivals: 3990,
      events: 4000,
      coalesced: 10,
    },
    due: {
      offered: 30,
      sent: 30,
      unsent: 0,
      completed: 28,
      failed: { "stall-timeout": 1, "http-5xx": 1 },
      finish: { length: 28, other: 1 },
      cancelled: 0,
      dropped: { late: 2 },
      unknown: 0,
      censored: 0,
      staleRetries: 1,
      promptTokens: 14_000,
      cachedPromptTokens: 32,
      outputTokens: 3900,
      partialOutputTokens: 12,
      tokenSource: { usage: 27, events: 1 },
      good: 20,
      askedPromptTokens: 14_000,
      askedOutputTokens: 3900,
      promptsOfUnknownLength: 0,
    },
    histograms,
    targets: [0, 2].map((url) => ({
      url,
      offered: 15,
      completed: 14,
      failed: 1,
      censored: 0,
      outputTokens: 1950,
      histograms: { ttft: aHistogram(words + 30 + url), e2e: aHistogram(words + 40 + url) },
    })),
  };
}

export function aSnapshot(change: Partial<Snapshot> = {}): Snapshot {
  return {
    run: "r1",
    agent: "a1",
    epoch: 1,
    seq: 4,
    fromUs: 3_000_000,
    toUs: 4_000_000,
    ledger: aLedger,
    blocks: [aBlock()],
    vitals: someVitals,
    ...change,
  };
}

export function aFinal(change: Partial<Final> = {}): Final {
  return {
    run: "r1",
    agent: "a1",
    epoch: 1,
    lastSeq: 9,
    samplesRecorded: 12_345,
    ledger: aLedger,
    startErrorUs: -12,
    evicted: 0,
    completedPerUserMin: { "1": 3 },
    usersStarted: { "1": { never: 2, late: 1, lateUs: 250_000 } },
    reader: "undici",
    ...change,
  };
}
