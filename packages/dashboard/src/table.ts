import type { TableSpec } from "./chart/spec.js";
import { type Child, h } from "./dom.js";

/** A table that scrolls in its own frame where the screen is narrow. First cells are heads of their rows. */
export function table(options: {
  readonly caption: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Child[])[];
  /** Heads above the columns: how many columns each spans. */
  readonly groups?: readonly { readonly title: string; readonly span: number }[];
  readonly isText?: boolean;
}): HTMLElement {
  const { caption, columns, rows, groups, isText = false } = options;
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      { class: isText ? "text" : widthClass(columns.length) },
      h("caption", {}, caption),
      h(
        "thead",
        {},
        groups === undefined
          ? null
          : h(
              "tr",
              { class: "groups" },
              groups.map(({ title, span }) =>
                title === ""
                  ? h("td", { colspan: span })
                  : h("th", { colspan: span, scope: "colgroup" }, title),
              ),
            ),
        h(
          "tr",
          {},
          columns.map((name, i) =>
            h("th", { scope: "col", class: isOfWords(rows, i) ? "word" : null }, name),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map(([head, ...cells]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, head),
            cells.map((cell) => h("td", { class: isNumber(cell) ? null : "word" }, cell)),
          ),
        ),
      ),
    ),
  );
}

const makers = new WeakMap<HTMLDetailsElement, () => void>();

/** The table of a `lazyTable`, at once: before printing there is no time for the event that opening fires. */
export function makeTable(details: HTMLDetailsElement): void {
  const make = makers.get(details);
  makers.delete(details);
  make?.();
}

/** Numbers behind a chart, made when they are first asked for: a page of 20 charts has 10,000 cells. */
export function lazyTable(caption: string, spec: TableSpec): HTMLElement {
  const details = h("details", { class: spec.isShort === true ? "numbers short" : "numbers" });
  details.append(h("summary", {}, caption));
  makers.set(details, () => details.append(table({ caption, columns: spec.columns, rows: spec.rows() })));
  details.addEventListener("toggle", () => {
    if (details.open) makeTable(details);
  });
  return details;
}

/** So many columns need a smaller face on paper. */
function widthClass(columns: number): string | null {
  return columns > 15 ? "widest" : columns > 10 ? "wide" : null;
}

function isOfWords(rows: readonly (readonly Child[])[], column: number): boolean {
  return column > 0 && rows.length > 0 && rows.every((row) => !isNumber(row[column]));
}

/** Figures stand at the right, below each other; words at the left. */
function isNumber(cell: Child): boolean {
  return typeof cell === "string" && /^([-+±≥>]? ?\d|-?$|not stated$)/.test(cell);
}
