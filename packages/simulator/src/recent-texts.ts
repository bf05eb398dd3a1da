/** Shorter texts are worked out again sooner than they are looked up; longer ones would take too much memory. */
const [LEAST_CHARACTERS, MOST_CHARACTERS] = [16 * 1024, 4 * 1024 * 1024];
const MOST_KEPT = 8;

/**
 * What was worked out of long texts lately: requests of a test often carry the same image, and to hash a megabyte takes as
 * long as steps do. Equal texts have equal results; which of them are kept shows in nothing but the time.
 */
export class RecentTexts<Result> {
  readonly #work: (text: string) => Result;
  readonly #kept = new Map<string, Result>();

  constructor(work: (text: string) => Result) {
    this.#work = work;
  }

  of(text: string): Result {
    if (text.length < LEAST_CHARACTERS || text.length > MOST_CHARACTERS) return this.#work(text);
    const known = this.#kept.get(text);
    const result = known ?? this.#work(text);
    this.#kept.delete(text);
    this.#kept.set(text, result);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
    }
    return result;
  }
}
