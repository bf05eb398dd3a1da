import { type Child, svg } from "../dom.js";
import { linearScale, logScale, percentileScale, type Scale, timeScale } from "./scale.js";
import type { Axis, Cell, ChartSpec, Mark, Series, Strip } from "./spec.js";

/** A drawing and what a pointer or key over it needs. Sizes in CSS pixels. */
export interface Drawing {
  readonly element: SVGSVGElement;
  readonly x: Scale;
  readonly y: Scale;
  readonly left: number;
  readonly plotWidth: number;
  readonly top: number;
  readonly plotHeight: number;
}

const TOP = 10;
const BOTTOM = 40;
const RIGHT = 14;
const STRIP_TOP = 24;
const CHAR = 6.4;

/** Draws a chart anew at a width. Colours are classes, so that theme and paper need no new drawing. */
export function draw(spec: ChartSpec, width: number): Drawing {
  const strips = spec.strips ?? [];
  const top = strips.length > 0 ? STRIP_TOP : TOP;
  const height = spec.height ?? 260;
  const plotHeight = height - top - BOTTOM;
  const y = scaleOf(
    spec.y,
    extent(spec, "y"),
    Math.max(2, Math.floor(plotHeight / (spec.y.scale === "log" ? 26 : 42))),
  );
  const widest = Math.max(...(spec.y.ticks ?? y.ticks).map((tick) => spec.y.format(tick).length), 2);
  const left = Math.ceil(widest * CHAR + 14);
  const plotWidth = Math.max(80, width - left - RIGHT);
  const x = scaleOf(spec.x, extent(spec, "x"), Math.max(2, Math.floor(plotWidth / 74)));
  const px = (value: number) => round(left + x.at(value) * plotWidth);
  const py = (value: number) => round(top + (1 - y.at(value)) * plotHeight);
  const frame = { left, top, plotWidth, plotHeight, px, py };
  const element = svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, class: "plot-svg", "aria-hidden": "true" },
    strips.map((strip) => drawStrip(strip, frame)),
    drawCells(spec.cells ?? [], frame),
    svg("g", { class: "grid" }, gridLines(spec, { x, y }, frame)),
    (spec.rules ?? []).map(({ y: at, label }) =>
      y.at(at) < 0 || y.at(at) > 1
        ? null
        : svg("g", { class: "rule" }, [
            svg("line", { x1: left, x2: left + plotWidth, y1: py(at), y2: py(at) }),
            svg("text", { x: left + plotWidth - 2, y: py(at) - 4, "text-anchor": "end" }, label),
          ]),
    ),
    spec.series.map((series) => drawSeries(series, frame)),
    spec.series.map((series) => labelsOf(series, frame)),
    svg("line", { class: "hair", x1: 0, x2: 0, y1: top, y2: top + plotHeight, visibility: "hidden" }),
  );
  return { element, x, y, left, plotWidth, top, plotHeight };
}

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly plotWidth: number;
  readonly plotHeight: number;
  readonly px: (value: number) => number;
  readonly py: (value: number) => number;
}

const round = (value: number) => Math.round(value * 10) / 10;

function extent(spec: ChartSpec, of: "x" | "y"): readonly number[] {
  const axis = spec[of];
  const values: number[] = [];
  if (axis.from !== undefined) values.push(axis.from);
  if (axis.to !== undefined) values.push(axis.to);
  for (const { marks } of spec.series) {
    for (const mark of marks) {
      if (mark === null) continue;
      values.push(mark[of]);
      if (of === "y") values.push(mark.low ?? mark.y, mark.high ?? mark.y);
    }
  }
  for (const cell of spec.cells ?? []) {
    values.push(of === "x" ? cell.fromX : cell.fromY, of === "x" ? cell.toX : cell.toY);
  }
  return axis.scale === "log" ? values.filter((value) => value > 0) : values;
}

function scaleOf({ scale, isExact }: Axis, values: readonly number[], count: number): Scale {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (values.length === 0) [low, high] = [1, 10];
  switch (scale) {
    case "linear":
      return linearScale(Math.min(0, low), high, { count, nice: isExact !== true });
    case "log":
      return logScale(low, high, count);
    case "time":
      return timeScale(low, high, count);
    case "percentile":
      return percentileScale(high);
  }
}

function gridLines(spec: ChartSpec, { x, y }: { x: Scale; y: Scale }, frame: Frame): Child[] {
  const { left, top, plotWidth, plotHeight, px, py } = frame;
  const bottom = top + plotHeight;
  const skipAfter = (at: number, last: number) => at - last < 46;
  let last = Number.NEGATIVE_INFINITY;
  return [
    (spec.y.ticks ?? y.ticks).map((tick) => [
      svg("line", { x1: left, x2: left + plotWidth, y1: py(tick), y2: py(tick) }),
      svg("text", { x: left - 6, y: py(tick) + 4, "text-anchor": "end" }, spec.y.format(tick)),
    ]),
    x.ticks.map((tick) => {
      const at = px(tick);
      const isSkipped = skipAfter(at, last);
      if (!isSkipped) last = at;
      return [
        svg("line", { class: "tick", x1: at, x2: at, y1: bottom, y2: bottom + 4 }),
        isSkipped
          ? null
          : svg("text", { x: at, y: bottom + 17, "text-anchor": "middle" }, spec.x.format(tick)),
      ];
    }),
    svg("line", { class: "axis", x1: left, x2: left + plotWidth, y1: bottom, y2: bottom }),
    svg(
      "text",
      { class: "axis-label", x: left + plotWidth, y: bottom + 33, "text-anchor": "end" },
      spec.x.label,
    ),
  ];
}

function drawStrip({ from, to, label, isMeasured }: Strip, { px, top, plotHeight }: Frame): Child {
  const width = round(px(to) - px(from));
  const fits = label.length * CHAR <= width - 4;
  return svg(
    "g",
    { class: isMeasured ? "strip measured" : "strip" },
    svg("rect", { x: px(from), y: top, width: Math.max(0.5, width), height: plotHeight }),
    isMeasured ? svg("line", { x1: px(from), x2: px(to), y1: top - 3, y2: top - 3 }) : null,
    fits && isMeasured
      ? svg("text", { x: round((px(from) + px(to)) / 2), y: top - 8, "text-anchor": "middle" }, label)
      : null,
  );
}

/** One path for each shade: thousands of cells as elements would be felt when the page opens. */
function drawCells(cells: readonly Cell[], { px, py }: Frame): Child[] {
  const paths = new Map<string, string[]>();
  for (const { fromX, toX, fromY, toY, shade } of cells) {
    const parts = paths.get(shade) ?? [];
    parts.push(`M${px(fromX)} ${py(fromY)}H${px(toX)}V${py(toY)}H${px(fromX)}Z`);
    paths.set(shade, parts);
  }
  return [...paths].map(([shade, parts]) => svg("path", { class: `cell ${shade}`, d: parts.join("") }));
}

function drawSeries(series: Series, frame: Frame): Child {
  const { kind, tone, marks, band = false } = series;
  return svg("g", { class: `series tone${tone % 8}` }, [
    band ? svg("path", { class: "band", d: bandPath(marks, frame) }) : null,
    kind === "hollow" ? null : svg("path", { class: "line", d: linePath(marks, frame, kind === "steps") }),
    band ? null : marks.map((mark) => errorBar(mark, frame)),
    kind === "points" || kind === "hollow"
      ? marks.map((mark) =>
          mark === null
            ? null
            : svg("path", {
                class: kind === "hollow" ? "mark hollow" : "mark",
                d: shapePath(tone, frame.px(mark.x), frame.py(mark.y), kind === "hollow" ? 1.9 : 1),
              }),
        )
      : lonely(marks).map((mark) =>
          svg("circle", { class: "mark", cx: frame.px(mark.x), cy: frame.py(mark.y), r: 1.8 }),
        ),
  ]);
}

/** A point between two gaps has no line of its own. */
function lonely(marks: readonly (Mark | null)[]): Mark[] {
  return marks.flatMap((mark, i) =>
    mark !== null && (marks[i - 1] ?? null) === null && (marks[i + 1] ?? null) === null ? [mark] : [],
  );
}

function linePath(marks: readonly (Mark | null)[], { px, py }: Frame, isStep: boolean): string {
  let isDown = false;
  return marks
    .map((mark) => {
      if (mark === null) {
        isDown = false;
        return "";
      }
      const part = !isDown
        ? `M${px(mark.x)} ${py(mark.y)}`
        : isStep
          ? `H${px(mark.x)}V${py(mark.y)}`
          : `L${px(mark.x)} ${py(mark.y)}`;
      isDown = true;
      return part;
    })
    .join("");
}

function bandPath(marks: readonly (Mark | null)[], { px, py }: Frame): string {
  const parts: string[] = [];
  for (let from = 0; from < marks.length; ) {
    let to = from;
    while (to < marks.length && (marks[to] ?? null) !== null) to += 1;
    const run = marks.slice(from, to).flatMap((mark) => mark ?? []);
    if (run.length > 1) {
      const high = run.map(({ x, y, high: top }) => `${px(x)} ${py(top ?? y)}`);
      const low = run.toReversed().map(({ x, y, low: bottom }) => `${px(x)} ${py(bottom ?? y)}`);
      parts.push(`M${high.join("L")}L${low.join("L")}Z`);
    }
    from = to + 1;
  }
  return parts.join("");
}

function errorBar(mark: Mark | null, { px, py }: Frame): Child {
  if (mark?.low === undefined || mark.high === undefined) return null;
  const [x, low, high] = [px(mark.x), py(mark.low), py(mark.high)];
  return svg("path", {
    class: "bar",
    d: `M${x} ${low}V${high}M${round(x - 4)} ${low}h8M${round(x - 4)} ${high}h8`,
  });
}

/** Level names beside their points, where those before leave room. */
function labelsOf({ marks, tone }: Series, { px, py, left, plotWidth }: Frame): Child[] {
  const placed: { readonly from: number; readonly to: number; readonly y: number }[] = [];
  return marks.map((mark) => {
    if (mark?.label === undefined) return null;
    const width = mark.label.length * CHAR;
    const isEnd = px(mark.x) + width + 8 > left + plotWidth;
    const at = isEnd ? px(mark.x) - 7 : px(mark.x) + 7;
    const y = py(mark.y) - 8;
    const box = { from: isEnd ? at - width : at, to: isEnd ? at : at + width, y };
    const isTaken = placed.some(
      (one) => box.from < one.to + 4 && one.from < box.to + 4 && Math.abs(one.y - y) < 13,
    );
    if (isTaken) return null;
    placed.push(box);
    return svg(
      "text",
      { class: `label tone${tone % 8}`, x: at, y, "text-anchor": isEnd ? "end" : "start" },
      mark.label,
    );
  });
}

/** Circle, square, triangle, diamond, and so on round. */
export function shapePath(tone: number, x: number, y: number, size = 1): string {
  const [r, a] = [3.5 * size, 4.2 * size];
  switch (tone % 4) {
    case 0:
      return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
    case 1:
      return `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}Z`;
    case 2:
      return `M${x} ${y - a}l${a} ${1.7 * a}h${-2 * a}Z`;
    default:
      return `M${x} ${y - a}l${a} ${a}l${-a} ${a}l${-a} ${-a}Z`;
  }
}
