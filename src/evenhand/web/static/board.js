// The board as a table: ranks as ranges, strengths with their intervals drawn on one scale.

import { draw, make } from "./dom.js";
import { count, decimal, known, moment, t } from "./texts.js";

const WIDTH = 240;
const HEIGHT = 28;
const PAD = 8;

/** Everything of a board, as elements. */
export function boardOf(board) {
  if (!board.models?.length) return [make("p", { class: "card" }, t("board.empty"))];
  const scale = scaleOf(board.models);
  return [
    board.too_early ? make("div", { class: "notice", role: "note" }, make("p", {}, known(board.too_early))) : null,
    make("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": t("board.caption") }, tableOf(board, scale)),
    make("p", { class: "soft" }, summary(board)),
    sideEffect(board.side_effect),
    ...(board.notes ?? []).map((note) => make("p", { class: "soft" }, known(note))),
  ].filter(Boolean);
}

function tableOf(board, scale) {
  const heads = ["rank", "model", "strength", "elo", "record", "status"];
  const both = board.models.some((model) => model.both_good || model.both_bad);
  const head = heads.map((key) => make("th", { scope: "col", class: `c-${key}` }, t(`board.${key}`)));
  const rows = board.models.map((model) => rowOf(model, scale, both));
  return make("table", { class: "board" }, make("caption", { class: "visually-hidden" }, t("board.caption")),
    make("thead", {}, make("tr", {}, head)), make("tbody", {}, rows));
}

function rowOf(model, scale, both) {
  return make("tr", {},
    make("td", { class: "c-rank" }, ranks(model)),
    make("th", { scope: "row", class: "c-model" }, model.name || model.id,
      make("span", { class: "under" }, t("board.games_n", { n: model.games }), make("span", { class: "phone" }, ` · ${t("board.elo")} `, eloOf(model), ` · ${t(`board.status.${model.status}`)}`))),
    make("td", { class: "c-strength" }, strengthOf(model, scale)),
    make("td", { class: "c-elo", title: t("board.elo_sd") }, eloOf(model)),
    make("td", { class: "c-record" }, `${count(model.wins)} / ${count(model.losses)} / ${count(model.ties)}`,
      both ? make("span", { class: "remark" }, t("board.both_n", { good: model.both_good ?? 0, bad: model.both_bad ?? 0 })) : null),
    make("td", { class: "c-status" }, make("span", { class: `status ${model.status}` }, t(`board.status.${model.status}`))));
}

function ranks({ rank, rank_low: low, rank_high: high }) {
  if (low && high && low !== high) return make("span", {}, `${low}–${high}`);
  return String(low ?? rank ?? "–");
}

const eloOf = ({ elo, order_sd: sd }) =>
  elo === null || elo === undefined ? "–" : [decimal(elo, 0), sd ? make("span", { class: "soft" }, ` ± ${decimal(sd, 0)}`) : null].filter(Boolean)
    .reduce((cell, part) => { cell.append(part); return cell; }, make("span"));

function strengthOf(model, scale) {
  const { strength, low, high } = model;
  if (strength === null || strength === undefined) return make("span", { class: "soft" }, t("board.unknown"));
  const values = { value: decimal(strength), low: decimal(low), high: decimal(high) };
  const words = low === null ? decimal(strength) : `${values.value} [${values.low}; ${values.high}]`;
  return make("div", { class: "interval" }, drawing(model, scale),
    make("span", { class: "visually-hidden" }, t("board.strength_words", values)),
    make("span", { class: "figures", "aria-hidden": "true" }, words));
}

function drawing({ strength, low, high }, scale) {
  const middle = HEIGHT / 2;
  const line = (x1, x2, name) => draw("line", { x1, x2, y1: middle, y2: middle, class: name });
  return draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "interval-drawing", "aria-hidden": "true", preserveAspectRatio: "none" },
    draw("line", { x1: scale(0), x2: scale(0), y1: 0, y2: HEIGHT, class: "zero" }),
    low === null || high === null ? null : line(scale(low), scale(high), "whisker"),
    draw("line", { x1: scale(strength), x2: scale(strength), y1: middle, y2: middle, class: "point" }));
}

function scaleOf(models) {
  const ends = models.flatMap(({ strength, low, high }) => [strength, low, high]).filter((value) => Number.isFinite(value));
  const from = Math.min(-0.5, ...ends);
  const to = Math.max(0.5, ...ends);
  return (value) => PAD + ((value - from) / (to - from)) * (WIDTH - 2 * PAD);
}

function summary(board) {
  const votes = t("board.votes", { n: board.n_votes });
  const voters = t("board.voters", { n: board.n_voters });
  return t("board.counted", { votes, voters, at: moment(board.updated_at) });
}

function sideEffect(effect) {
  if (!effect || effect.value === null) return null;
  const { value, low, high, p } = effect;
  const sure = low !== null && high !== null && (low > 0 || high < 0);
  const key = sure ? (value > 0 ? "board.side_right" : "board.side_left") : "board.side_none";
  const words = { value: decimal(value), low: decimal(low), high: decimal(high), p: pValue(p) };
  return make("p", { class: "soft" }, t(key, words));
}

export const pValue = (p) => (p === null || p === undefined ? "–" : p < 0.001 ? `< ${decimal(0.001, 3)}` : `= ${decimal(p, 3)}`);
