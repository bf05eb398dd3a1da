import { type Clock, LoadError } from "@tokenstorm/core";

/**
 * The store's answer, or BUS_UNAVAILABLE when it is not there by then: for questions that may be asked again before the
 * store's own limit. Whatever comes later is dropped: the next question finds out what became of this one.
 */
export function answeredWithin<T>(
  answer: Promise<T>,
  { clock, limitMs }: { readonly clock: Clock; readonly limitMs: number },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.at(clock.nowUs() + limitMs * 1000, () =>
      reject(new LoadError("BUS_UNAVAILABLE", `the store did not answer within ${limitMs} ms`)),
    );
    answer.then(resolve, reject).finally(cancel);
  });
}
