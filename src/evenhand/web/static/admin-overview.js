// Live figures: everything that GET /api/admin/stats tells.

import { pValue } from "./board.js";
import { make } from "./dom.js";
import { bars, panel, table, tiles, timeline } from "./admin-tables.js";
import { count, decimal, has, known, percent, t } from "./texts.js";

export async function overview(desk) {
  const place = make("div", { class: "overview" });
  let last = "";
  const live = async () => {
    const stats = await desk.get("/api/admin/stats");
    const state = JSON.stringify(stats);
    if (state !== last) place.replaceChildren(...drawn(stats));
    last = state;
  };
  await live();
  return { elements: [place], live };
}

function drawn(stats) {
  const figure = (key) => [t(`stats.${key}`), count(stats[key] ?? 0)];
  const dwell = stats.dwell_ms?.median;
  const seconds = dwell === null || dwell === undefined ? "–" : t("stats.seconds", { s: decimal(dwell / 1000, 1) });
  const perQuery = (stats.votes_per_query ?? []).map(({ query, count: n }) => ({ name: query, n }));
  const choices = Object.entries(stats.choices ?? {});
  const total = choices.reduce((sum, [, n]) => sum + n, 0);
  return [
    tiles([...["n_votes", "n_voters", "n_battles", "n_skipped", "n_unvoted", "n_undone", "n_of_flagged"].map(figure), [t("stats.dwell"), seconds]]),
    make("div", { class: "grid" },
      panel(t("stats.side"), ...sides(stats.side)),
      panel(t("stats.choices"), bars(choices.map(([name, n]) => ({ name: t(`choice.${name}`), n, of: total })))),
      panel(t("stats.timeline"), timeline(stats.timeline ?? [])),
      panel(t("stats.dwell_long"), dwellOf(stats.dwell_ms)),
      panel(t("stats.per_query"), ...folded(perQuery)),
      panel(t("stats.why"), make("p", { class: "soft" }, t("stats.why_text")), bars((stats.why_tags ?? []).map(({ tag, count: n, asked }) => ({ name: known(tag), n, of: asked }))))),
    panel(t("stats.pairs"), make("p", { class: "soft" }, t("stats.pairs_text")), ...coverage(stats.pairs ?? [])),
    panel(t("stats.position"), positions(stats.position_bias ?? [])),
  ];
}

function sides(side) {
  if (!side || !side.n) return [make("p", { class: "soft" }, t("admin.nothing"))];
  const { left, right, n, rate, low, high, p } = side;
  const apart = low > 0.5 || high < 0.5;
  const key = apart ? (rate > 0.5 ? "stats.side_right" : "stats.side_left") : "stats.side_none";
  return [
    bars([{ name: t("choice.left"), n: left, of: n }, { name: t("choice.right"), n: right, of: n }]),
    make("p", {}, t(key, { rate: percent(rate, 1), low: percent(low, 1), high: percent(high, 1), p: pValue(p), n })),
  ];
}

function dwellOf(dwell) {
  if (!dwell || dwell.median === null) return make("p", { class: "soft" }, t("admin.nothing"));
  const s = (ms) => t("stats.seconds", { s: decimal(ms / 1000, 1) });
  return make("p", {}, t("stats.dwell_words", { median: s(dwell.median), p10: s(dwell.p10), p90: s(dwell.p90) }));
}

const SHOWN_AT_ONCE = 10;

function folded(rows) {
  const rest = rows.slice(SHOWN_AT_ONCE);
  const more = rest.length ? make("details", {}, make("summary", {}, t("stats.more", { n: rest.length })), bars(rest)) : null;
  return [bars(rows.slice(0, SHOWN_AT_ONCE)), more];
}

// How often each pair met, over all queries; the darker, the more.
function coverage(pairs) {
  const met = new Map();
  const models = [...new Set(pairs.flatMap(({ model_a: a, model_b: b }) => [a, b]))].sort();
  for (const { model_a: a, model_b: b, n, a_wins: won, b_wins: lost, ties } of pairs) {
    add(met, a, b, n, won, ties);
    add(met, b, a, n, lost, ties);
  }
  const most = Math.max(1, ...[...met.values()].map(({ n }) => n));
  if (!models.length) return [make("p", { class: "soft" }, t("admin.nothing"))];
  const rows = models.map((a) => make("tr", {}, make("th", { scope: "row" }, a), models.map((b) => cellOf(met.get(key(a, b)), most, a === b))));
  const head = make("tr", {}, make("th", { scope: "col" }, t("stats.pair_rows")), models.map((b) => make("th", { scope: "col" }, b)));
  return [make("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": t("stats.pairs") },
    make("table", { class: "matrix" }, make("caption", { class: "visually-hidden" }, t("stats.pairs")), make("thead", {}, head), make("tbody", {}, rows)))];
}

const key = (a, b) => JSON.stringify([a, b]);

function add(met, a, b, n, won, ties) {
  const now = met.get(key(a, b)) ?? { n: 0, won: 0, ties: 0 };
  met.set(key(a, b), { n: now.n + n, won: now.won + won, ties: now.ties + ties });
}

function cellOf(pair, most, same) {
  if (same) return make("td", { class: "same" }, make("span", { class: "visually-hidden" }, "–"));
  const { n = 0, won = 0, ties = 0 } = pair ?? {};
  const cell = make("td", { class: n ? "" : "never" }, make("strong", {}, count(n)),
    n ? make("span", { class: "remark" }, t("stats.pair_share", { share: percent((won + ties / 2) / n) })) : null);
  cell.style.setProperty("--share", String(n / most));
  return cell;
}

function positions(rows) {
  const named = (value) => (has(`choice.${value}`) ? t(`choice.${value}`) : value);
  return table(t("stats.position"), [
    { head: t("stats.position_a"), cell: (row) => named(row.position_a) },
    ...["a_wins", "b_wins", "ties", "total"].map((name) => ({ head: t(`stats.${name}`), number: true, cell: (row) => count(row[name]) })),
  ], rows);
}
