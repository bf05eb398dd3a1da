/** So many connections to one URL are refused in a row, none of them taken in between, before fewer are tried. */
const REFUSALS_IN_A_ROW = 20;
/** From then on one is tried each so often, us. */
const KNOCK_EVERY_US = 100_000;

/**
 * Which URLs refuse connections, so that arrivals do not hammer a target that is dead. A row of refusals, for behind one
 * address there may be several servers, of which one is dead: what the others take must go on being sent.
 */
export class RefusingUrls {
  /** By URL, in a row. */
  readonly #refusals: number[] = [];
  /** By URL: no connection is tried before. */
  readonly #nextUs: number[] = [];

  /** Whether a request may try its connection now; asked once for each, for the answer counts as a try. */
  mayTry(url: number, nowUs: number): boolean {
    if ((this.#refusals[url] ?? 0) < REFUSALS_IN_A_ROW) return true;
    if (nowUs < (this.#nextUs[url] ?? 0)) return false;
    this.#nextUs[url] = nowUs + KNOCK_EVERY_US;
    return true;
  }

  refused(url: number): void {
    this.#refusals[url] = (this.#refusals[url] ?? 0) + 1;
  }

  /** It has taken a connection, begun an answer, or failed in another way: what is due may fail in that way too. */
  notRefused(url: number): void {
    this.#refusals[url] = 0;
  }
}
