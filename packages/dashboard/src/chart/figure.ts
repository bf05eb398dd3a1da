import { h, svg } from "../dom.js";
import { lazyTable } from "../table.js";
import { type Drawing, draw, shapePath } from "./draw.js";
import type { ChartSpec, Mark, Series } from "./spec.js";

/** Width of the drawing area on paper, CSS pixels: A4 and Letter with their margins. */
const PAPER_WIDTH = 690;

/** Everything that draws itself to a width; redrawn when the page's width changes and for paper. */
const figures = new Set<{ element: HTMLElement; fit: (width: number) => void }>();

/** A chart with its name, legend, reading line, and its numbers as a table. */
export function chart(spec: ChartSpec): HTMLElement {
  const readout = h("output", { class: "readout", for: `${spec.id}-plot` });
  const plot = h("div", {
    class: "plot",
    id: `${spec.id}-plot`,
    role: "img",
    tabindex: "0",
    "aria-label": `${spec.title}. ${spec.summary} Left and right arrow keys read its values; the numbers follow as a table.`,
  });
  const element = h(
    "figure",
    { class: "chart", id: spec.id, "aria-labelledby": `${spec.id}-title` },
    h(
      "figcaption",
      {},
      h("h3", { id: `${spec.id}-title` }, spec.title),
      h("p", { class: "summary" }, spec.summary),
    ),
    legend(spec),
    plot,
    h("p", { class: "reading" }, readout),
    spec.note === undefined ? null : h("p", { class: "note" }, spec.note),
    lazyTable(`Numbers: ${spec.title}`, spec.table),
  );
  let drawing: Drawing | undefined;
  const fit = (width: number) => {
    drawing = draw(spec, width);
    plot.replaceChildren(drawing.element);
  };
  figures.add({ element: plot, fit });
  reading(spec, { plot, readout, drawing: () => drawing });
  return element;
}

/** After the page was put together anew, or its width changed. Figures that were taken out are forgotten. */
export function fitFigures(onPaper = false): void {
  // All widths first: between two drawings the browser would lay the page out again each time.
  const widths = [...figures].map((figure) => ({
    figure,
    width: onPaper ? PAPER_WIDTH : figure.element.clientWidth,
  }));
  for (const { figure, width } of widths) {
    if (!figure.element.isConnected) figures.delete(figure);
    else if (width > 0) figure.fit(width);
  }
}

function legend(spec: ChartSpec): HTMLElement | null {
  // Drawn under the others, and named after them.
  const ordered = [...spec.series].sort((a, b) => Number(a.kind === "hollow") - Number(b.kind === "hollow"));
  const entries = ordered.map((series) => h("li", {}, swatch(series), series.name));
  const shades = (spec.shades ?? []).map(({ shade, name }) =>
    h(
      "li",
      {},
      svg(
        "svg",
        { class: "swatch", width: 14, height: 12, "aria-hidden": "true" },
        svg("rect", { class: `cell ${shade}`, x: 0, y: 0, width: 14, height: 12 }),
      ),
      name,
    ),
  );
  return entries.length + shades.length < 2 ? null : h("ul", { class: "legend" }, entries, shades);
}

function swatch({ tone, kind }: Series): SVGElement {
  const hasMark = kind === "points" || kind === "hollow";
  return svg(
    "svg",
    { class: `swatch series tone${tone % 8}`, width: 28, height: 12, "aria-hidden": "true" },
    kind === "hollow" ? null : svg("path", { class: "line", d: "M1 6H27" }),
    hasMark
      ? svg("path", { class: kind === "hollow" ? "mark hollow" : "mark", d: shapePath(tone, 14, 6) })
      : null,
  );
}

interface Reading {
  readonly plot: HTMLElement;
  readonly readout: HTMLOutputElement;
  readonly drawing: () => Drawing | undefined;
}

/** Pointer and arrow keys go along the x axis and say what every line has there. */
function reading(spec: ChartSpec, { plot, readout, drawing }: Reading): void {
  const places = placesOf(spec);
  let at = -1;
  const show = (place: number) => {
    const value = places[place];
    const now = drawing();
    if (value === undefined || now === undefined) return;
    at = place;
    const hair = now.element.querySelector(".hair");
    const x = String(now.left + now.x.at(value) * now.plotWidth);
    hair?.setAttribute("x1", x);
    hair?.setAttribute("x2", x);
    hair?.setAttribute("visibility", "visible");
    readout.value = readingAt(spec, value);
  };
  plot.addEventListener("keydown", (event) => {
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: at + 1,
      ArrowLeft: Math.max(0, at - 1),
      Home: 0,
      End: places.length - 1,
      PageDown: at + 10,
      PageUp: Math.max(0, at - 10),
    };
    const next = steps[event.key];
    if (next === undefined) return;
    event.preventDefault();
    show(Math.min(places.length - 1, next));
  });
  plot.addEventListener("pointermove", (event) => {
    const now = drawing();
    if (now === undefined) return;
    const share = (event.clientX - plot.getBoundingClientRect().left - now.left) / now.plotWidth;
    show(nearest(places, (value) => Math.abs(now.x.at(value) - share)));
  });
  const hide = () => {
    drawing()?.element.querySelector(".hair")?.setAttribute("visibility", "hidden");
    readout.value = "";
    at = -1;
  };
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("blur", hide);
}

function placesOf({ series }: ChartSpec): number[] {
  const found = new Set(series.flatMap(({ marks }) => marks.flatMap((mark) => mark?.x ?? [])));
  return [...found].sort((a, b) => a - b);
}

function nearest(places: readonly number[], distance: (value: number) => number): number {
  let found = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [i, value] of places.entries()) {
    const far = distance(value);
    if (far < least) [found, least] = [i, far];
  }
  return found;
}

function readingAt({ series, x, y }: ChartSpec, at: number): string {
  const said = series.flatMap(({ name, marks }) => {
    const mark = marks.find((one) => one?.x === at);
    return mark === null || mark === undefined ? [] : `${name} ${rangeText(mark, y.format)}`;
  });
  return `${x.format(at)}: ${said.join("; ")}`;
}

function rangeText({ y, low, high }: Mark, format: (value: number) => string): string {
  if (low === undefined || high === undefined) return format(y);
  return `${format(y)} (${format(low)} to ${format(high)})`;
}
