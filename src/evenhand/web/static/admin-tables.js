// Tables, tiles and bars of the administration pages, made from data.

import { draw, make } from "./dom.js";
import { count, moment, percent, t } from "./texts.js";

/** A table with a caption; columns are `{head, cell, number?}`, and `cell` makes text or an element. */
export function table(caption, columns, rows, { empty = t("admin.nothing") } = {}) {
  if (!rows.length) return make("p", { class: "soft" }, empty);
  const kind = (column) => (column.number ? { class: "number" } : {});
  const head = columns.map((column) => make("th", { scope: "col", ...kind(column) }, column.head));
  const body = rows.map((row) => make("tr", {}, columns.map((column, i) =>
    (i === 0 ? make("th", { scope: "row", ...kind(column) }, column.cell(row)) : make("td", kind(column), column.cell(row))))));
  return make("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": caption },
    make("table", {}, make("caption", { class: "visually-hidden" }, caption), make("thead", {}, make("tr", {}, head)), make("tbody", {}, body)));
}

export const tiles = (figures) => make("dl", { class: "tiles" }, figures.map(([name, value]) =>
  make("div", {}, make("dt", {}, name), make("dd", {}, value))));

/** Counts as bars; `of` gives each its own whole, else the largest is full length. */
export function bars(rows) {
  if (!rows.length) return make("p", { class: "soft" }, t("admin.nothing"));
  const most = Math.max(1, ...rows.map(({ n }) => n));
  return make("ul", { class: "bars" }, rows.map(({ name, n, of, remark }) => {
    const fill = make("span", { class: "fill" });
    fill.style.width = `${100 * (of ? n / Math.max(1, of) : n / most)}%`;
    const figure = remark ?? (of ? `${count(n)} / ${count(of)} (${percent(n / Math.max(1, of))})` : count(n));
    return make("li", {}, make("span", { class: "name" }, name), make("span", { class: "track", "aria-hidden": "true" }, fill), make("span", { class: "figure" }, figure));
  }));
}

const WIDTH = 640;
const HEIGHT = 90;

/** Votes over time as small bars, with a sentence for those who do not see them. */
export function timeline(points) {
  if (!points.length) return make("p", { class: "soft" }, t("admin.nothing"));
  const times = points.map(({ at }) => timeOf(at));
  const from = Math.min(...times);
  const to = Math.max(...times);
  const most = Math.max(...points.map((point) => point.count));
  const slots = Math.max(1, Math.round((to - from) / 3_600_000) + 1);
  const width = WIDTH / Math.max(slots, 12);
  const marks = points.map((point, i) => {
    const height = (point.count / most) * (HEIGHT - 4);
    const x = ((times[i] - from) / 3_600_000) * width;
    return draw("rect", { x, y: HEIGHT - height, width: Math.max(1, width * 0.8), height, rx: Math.min(2, width / 4) });
  });
  const peak = points.reduce((best, point) => (point.count > best.count ? point : best));
  const words = t("admin.timeline_words", { from: moment(points[0].at), to: moment(points.at(-1).at), most: peak.count, at: moment(peak.at) });
  return make("figure", { class: "timeline" },
    draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true", preserveAspectRatio: "none" }, marks),
    make("figcaption", { class: "soft" }, words));
}

const timeOf = (value) => (typeof value === "number" ? value * 1000 : new Date(value).getTime());

/** A time in the reader's zone; the same in UTC, with its zone, is there to be copied. */
export function when(value) {
  if (value === null || value === undefined || value === "") return "–";
  const at = new Date(timeOf(value));
  return make("time", { datetime: at.toISOString(), title: at.toISOString() }, moment(value));
}

export const panel = (heading, ...content) => make("section", { class: "card" }, make("h3", {}, heading), ...content);
