import {
  type Block,
  LATER_METRICS,
  TARGET_METRICS,
  type TargetMetric,
  type TargetPart,
  WORK_METRICS,
  type WorkMetric,
  type WorkPart,
} from "@tokenstorm/core";
import { FIRST_METRICS, type FirstMetric } from "./messages/index.js";

/** A histogram with its payload in one form or another: bytes, deflated bytes, base64. */
export interface HistogramWith<Payload> {
  count: number;
  sum: number;
  min: number;
  max: number;
  overflow: number;
  payload: Payload;
}

type LaterMetric = (typeof LATER_METRICS)[number];
type Histograms<Name extends string, Payload> = Partial<Record<Name, HistogramWith<Payload>>>;

interface WireTarget<Payload> extends Omit<TargetPart, "histograms"> {
  histograms: Histograms<TargetMetric, Payload>;
}

interface WireWork<Payload> extends Omit<WorkPart, "histograms"> {
  histograms?: Histograms<WorkMetric, Payload> | undefined;
}

/** A block as messages and lines have it: metrics of the first version apart from those that came later. */
export interface WireBlock<Payload> extends Pick<Block, "stage" | "phase" | "flow" | "due"> {
  histograms: Histograms<FirstMetric, Payload>;
  laterHistograms?: Histograms<LaterMetric, Payload> | undefined;
  targets?: WireTarget<Payload>[] | undefined;
  work?: WireWork<Payload>[] | undefined;
}

/** The same block with the payloads in another form; `field` names the histogram within the block. */
export function mapPayloads<From, To>(
  block: WireBlock<From>,
  change: (payload: From, field: string) => To,
): WireBlock<To> {
  const { histograms, laterHistograms, targets, work, ...rest } = block;
  const mapped = <Name extends string>(names: readonly Name[], of: Histograms<Name, From>, field: string) =>
    mapNames(names, of, (histogram, name) => ({
      ...histogram,
      payload: change(histogram.payload, `${field}.${name}`),
    }));
  return {
    ...rest,
    histograms: mapped(FIRST_METRICS, histograms, "histograms"),
    ...(laterHistograms === undefined
      ? {}
      : { laterHistograms: mapped(LATER_METRICS, laterHistograms, "laterHistograms") }),
    ...(targets === undefined
      ? {}
      : {
          targets: targets.map((target, i) => ({
            ...target,
            histograms: mapped(TARGET_METRICS, target.histograms, `targets.${i}.histograms`),
          })),
        }),
    ...(work === undefined
      ? {}
      : {
          work: work.map(({ histograms: ofPart, ...counts }, i) => ({
            ...counts,
            ...(ofPart === undefined
              ? {}
              : { histograms: mapped(WORK_METRICS, ofPart, `work.${i}.histograms`) }),
          })),
        }),
  };
}

/** A recorder's block in the shape of the wire; payloads stay as they are. */
export function blockToWire({
  stage,
  phase,
  flow,
  due,
  histograms,
  targets,
  work,
}: Block): WireBlock<Uint8Array> {
  const same = <One>(one: One) => one;
  const later = mapNames(LATER_METRICS, histograms, same);
  return {
    stage,
    phase,
    flow,
    due,
    histograms: mapNames(FIRST_METRICS, histograms, same),
    ...(Object.keys(later).length === 0 ? {} : { laterHistograms: later }),
    ...(targets === undefined ? {} : { targets: targets.map((target) => ({ ...target })) }),
    ...(work === undefined ? {} : { work: work.map((part) => ({ ...part })) }),
  };
}

export function blockFromWire({ histograms, laterHistograms, ...rest }: WireBlock<Uint8Array>): Block {
  return { ...rest, histograms: { ...histograms, ...laterHistograms } };
}

function mapNames<Name extends string, From, To>(
  names: readonly Name[],
  from: Partial<Record<Name, From>>,
  change: (value: From, name: Name) => To,
): Partial<Record<Name, To>> {
  const changed: Partial<Record<Name, To>> = {};
  for (const name of names) {
    const value = from[name];
    if (value !== undefined) changed[name] = change(value, name);
  }
  return changed;
}
