import { type Clock, LoadError } from "@tokenstorm/core";

/**
 * The store's answer, or BUS_UNAVAILABLE when it is not there by then: for questions that may be asked again before the
 * store's own limit. Whatever the store says later is dropped: the next question finds out what became of this one.
 */
export function answeredWithin<T>(
  answer: Promise<T>,
  { clock, limitMs }: { readonly clock: Clock; readonly limitMs: number },
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const cancel = clock.at(Math.round(clock.nowUs() + limitMs * 1000), () => {
      isLate = true;
      reject(new LoadError("BUS_UNAVAILABLE", `the store did not answer within ${Math.round(limitMs)} ms`));
    });
    answer.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        // Nobody waits for it any more, and yet a bug is one.
        if (isLate && !(error instanceof LoadError)) throw error;
        reject(error);
      },
    );
  });
}
