/** What is due when, earliest first; equal times by the smaller item. A binary heap over two plain arrays. */
export class DueQueue {
  readonly #dueUs: number[] = [];
  readonly #items: number[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** Time of the first; undefined when empty. */
  firstDueUs(): number | undefined {
    return this.#dueUs[0];
  }

  add(dueUs: number, item: number): void {
    let at = this.#items.length;
    this.#dueUs.push(dueUs);
    this.#items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes out the first, if it is due by `nowUs`. */
  takeDue(nowUs: number): { readonly dueUs: number; readonly item: number } | undefined {
    const dueUs = this.#dueUs[0];
    const item = this.#items[0];
    if (dueUs === undefined || item === undefined || dueUs > nowUs) return undefined;
    this.#swap(0, this.#items.length - 1);
    this.#dueUs.pop();
    this.#items.pop();
    this.#sink();
    return { dueUs, item };
  }

  clear(): void {
    this.#dueUs.length = 0;
    this.#items.length = 0;
  }

  #sink(): void {
    const size = this.#items.length;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= size) return;
      const child = left + 1 < size && this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(child, at)) return;
      this.#swap(at, child);
      at = child;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const difference = (this.#dueUs[one] ?? 0) - (this.#dueUs[other] ?? 0);
    return difference === 0 ? (this.#items[one] ?? 0) < (this.#items[other] ?? 0) : difference < 0;
  }

  #swap(one: number, other: number): void {
    const dueUs = this.#dueUs[one] ?? 0;
    this.#dueUs[one] = this.#dueUs[other] ?? 0;
    this.#dueUs[other] = dueUs;
    const item = this.#items[one] ?? 0;
    this.#items[one] = this.#items[other] ?? 0;
    this.#items[other] = item;
  }
}
