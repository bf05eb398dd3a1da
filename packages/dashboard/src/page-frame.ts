import { type Child, h } from "./dom.js";
import { themeToggle } from "./theme.js";

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly lead?: string | undefined;
  readonly content: readonly Child[];
}

/** What every page has: title, what it is of, a way to each section, and first of all what must be known. */
export function pageFrame(page: {
  readonly title: string;
  readonly line: Child;
  /** Stands above everything else. */
  readonly first: Child;
  readonly sections: readonly Section[];
}): HTMLElement[] {
  const sections = page.sections.filter(({ content }) => content.some(isThere));
  return [
    h("a", { class: "skip", href: "#main" }, "Skip to the report"),
    h(
      "header",
      {},
      h("div", { class: "title" }, h("h1", {}, page.title), themeToggle()),
      page.line,
      h(
        "nav",
        { "aria-label": "Sections" },
        h(
          "ul",
          {},
          sections.map(({ id, title }) => h("li", {}, h("a", { href: `#${id}` }, title))),
        ),
      ),
    ),
    h("main", { id: "main" }, page.first, sections.map(sectionOf)),
    h("footer", {}, h("p", {}, "Made by tokenstorm. All data stand in this file; it loads nothing.")),
  ];
}

/** Charts side by side where there is room. */
export function charts(made: readonly HTMLElement[]): Child {
  return made.length === 0 ? null : h("div", { class: "charts" }, made);
}

export function list(texts: readonly string[], className = "notes"): Child {
  return texts.length === 0
    ? null
    : h(
        "ul",
        { class: className },
        texts.map((text) => h("li", {}, text)),
      );
}

function isThere(child: Child): boolean {
  if (child === null || child === undefined) return false;
  return child instanceof Node || typeof child === "string" || child.some(isThere);
}

function sectionOf({ id, title, lead, content }: Section): HTMLElement {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-heading` },
    h("h2", { id: `${id}-heading` }, title),
    lead === undefined ? null : h("p", { class: "lead" }, lead),
    content,
  );
}
