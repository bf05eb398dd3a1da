import { type ClockExchange, estimateOffset } from "../clock-offset.js";
import type { ClockReading } from "../clock-track.js";

export interface TrueClocksOptions {
  readonly agents: number;
  readonly rounds: number;
}

/** Clocks of known paces that show whole microseconds, and what a leader whose messages take their time finds of them. */
export function readingsOf(random: () => number, { agents, rounds }: TrueClocksOptions) {
  const leader = new TrueClock(random);
  const clocks = Array.from({ length: agents }, (_, i) => ({
    agent: `a${i + 1}`,
    clock: new TrueClock(random),
  }));
  const slowUs = 10 ** (1 + random() * 4);
  const everyUs = 10 ** (5 + random() * 4);
  let worldUs = 1e6 + random() * 1e9;
  const beganUs = leader.at(worldUs);
  const readings: ClockReading[] = [];
  for (let round = 0; round < rounds; round += 1, worldUs += everyUs) {
    for (const { agent, clock } of clocks) {
      const exchanges = Array.from({ length: 8 }, (_, i) =>
        exchangeAt(worldUs + i * slowUs * 3, { leader, clock, random, slowUs }),
      );
      const { atUs, offsetUs, errorUs } = estimateOffset(exchanges);
      readings.push({ agent, runUs: atUs - beganUs, offsetUs, errorUs });
    }
  }
  const paces = new Map([
    ["leader", leader.pace],
    ...clocks.map(({ agent, clock }) => [agent, clock.pace] as const),
  ]);
  return { readings, paces, leader, clocks, endUs: worldUs - everyUs };
}

/** A monotonic clock that is up to 500 ppm fast or slow. */
export class TrueClock {
  readonly pace: number;
  readonly #offsetUs: number;

  constructor(random: () => number) {
    this.pace = 1 + (random() - 0.5) / 1000;
    this.#offsetUs = Math.round((random() - 0.5) * 1e12);
  }

  at(worldUs: number): number {
    return Math.floor(worldUs * this.pace) + this.#offsetUs;
  }
}

function exchangeAt(
  worldUs: number,
  ways: {
    readonly leader: TrueClock;
    readonly clock: TrueClock;
    readonly random: () => number;
    readonly slowUs: number;
  },
): ClockExchange {
  const { leader, clock, random, slowUs } = ways;
  const arrivesUs = worldUs + random() * slowUs;
  const answersUs = arrivesUs + random() * 50;
  const returnsUs = answersUs + random() ** 3 * slowUs;
  return {
    t0: leader.at(worldUs),
    t1: clock.at(arrivesUs),
    t2: clock.at(answersUs),
    t3: leader.at(returnsUs),
  };
}
