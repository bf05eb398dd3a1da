import type { Answer } from "./random-answer.js";

/** Plays a failing answer again at most so often. */
const MOST_TRIES = 600;

/**
 * Takes bytes out of an answer as long as it still fails, in ever smaller runs; first it tries to do without the cuts
 * between writes. What is left is not the smallest there is, but small enough to be read.
 */
export async function shrinkAnswer(
  answer: Answer,
  fails: (answer: Answer) => Promise<boolean>,
): Promise<Answer> {
  let tries = 0;
  const stillFails = async (candidate: Answer) => tries++ < MOST_TRIES && (await fails(candidate));
  const whole = { ...answer, writes: [Buffer.concat(answer.writes)] };
  let best = (await stillFails(whole)) ? whole : answer;
  for (let run = Math.floor(bytesOf(best) / 2); run >= 1; run = Math.floor(run / 2)) {
    for (let at = 0; at < bytesOf(best) && tries < MOST_TRIES; ) {
      const candidate = without(best, at, at + run);
      if (await stillFails(candidate)) best = candidate;
      else at += run;
    }
  }
  return best;
}

function bytesOf(answer: Answer): number {
  return answer.writes.reduce((sum, write) => sum + write.length, 0);
}

function without(answer: Answer, from: number, to: number): Answer {
  let start = 0;
  const writes = answer.writes.map((write) => {
    const kept = Buffer.concat([
      write.subarray(0, Math.max(0, Math.min(write.length, from - start))),
      write.subarray(Math.max(0, Math.min(write.length, to - start))),
    ]);
    start += write.length;
    return kept;
  });
  return { ...answer, writes: writes.filter((write) => write.length > 0) };
}
