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
      { class: isText ? "text" : columns.length > 15 ? "wide" : null },
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
          columns.map((name) => h("th", { scope: "col" }, name)),
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

/** Numbers behind a chart, made when they are first asked for: a page of 20 charts has 10,000 cells. */
export function lazyTable(caption: string, spec: TableSpec): HTMLElement {
  const details = h("details", { class: spec.isShort === true ? "numbers short" : "numbers" });
  details.append(h("summary", {}, caption));
  let isMade = false;
  details.addEventListener("toggle", () => {
    if (!details.open || isMade) return;
    isMade = true;
    details.append(table({ caption, columns: spec.columns, rows: spec.rows() }));
  });
  return details;
}

/** Figures stand at the right, below each other; words at the left. */
function isNumber(cell: Child): boolean {
  return typeof cell === "string" && /^([-+≥>]? ?\d|-?$)/.test(cell);
}
