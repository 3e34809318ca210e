// Votes as they come in, the board, named recordings, and the datasets that can be shown.

import { boardOf } from "./board.js";
import { make } from "./dom.js";
import { table, when } from "./admin-tables.js";
import { count, decimal, known, t } from "./texts.js";

const PAGE = 50;

export async function votes(desk) {
  const place = make("div");
  const more = make("button", { type: "button" }, t("votes.older"));
  const shown = [];
  const load = async (before) => {
    const answer = await desk.get(`/api/admin/recent?limit=${PAGE}${before ? `&before=${encodeURIComponent(before)}` : ""}`);
    shown.push(...answer.votes);
    place.replaceChildren(votesTable(shown));
    more.hidden = answer.votes.length < PAGE;
  };
  more.addEventListener("click", () => desk.attempt(() => load(shown.at(-1).n)));
  await load();
  const exports = make("p", { class: "actions" },
    make("a", { class: "button", href: "/api/admin/export.csv", download: "votes.csv" }, t("votes.csv")),
    make("a", { class: "button", href: "/api/admin/export.parquet", download: "votes.parquet" }, t("votes.parquet")));
  return { elements: [exports, place, make("p", { class: "actions" }, more)] };
}

function votesTable(rows) {
  const seen = (row) => [row.seen_left, row.seen_right].map((n) => n ?? "–").join(" / ");
  return table(t("admin.votes"), [
    { head: t("votes.at"), cell: (row) => when(row.at) },
    { head: t("votes.voter"), cell: (row) => row.nickname || row.participant_id.slice(0, 8) },
    { head: t("votes.query"), cell: (row) => row.query },
    { head: t("votes.left"), cell: (row) => row.left_model },
    { head: t("votes.right"), cell: (row) => row.right_model },
    { head: t("votes.choice"), cell: (row) => t(`choice.${row.choice}`) },
    { head: t("votes.why"), cell: (row) => [...row.why_tags.map(known), row.why_freetext].filter(Boolean).join("; ") || "–" },
    { head: t("votes.seen"), cell: seen },
    { head: t("votes.dwell"), number: true, cell: (row) => (row.dwell_ms ? decimal(row.dwell_ms / 1000, 1) : "–") },
    { head: t("votes.dataset"), cell: (row) => row.dataset_id },
    { head: t("votes.session"), cell: (row) => row.session_name ?? row.session_id ?? "–" },
  ], rows);
}

export async function board(desk) {
  const place = make("div");
  const live = async () => place.replaceChildren(...boardOf(await desk.get("/api/admin/leaderboard")));
  await live();
  const reset = make("button", { type: "button", click: async () => {
    if (!(await desk.confirm(t("board.reset"), t("board.reset_text"), t("board.reset")))) return;
    if (await desk.attempt(() => desk.change("POST", "/api/admin/reset_elo"), t("board.reset_done"))) await live();
  } }, t("board.reset"));
  return { elements: [place, make("p", { class: "actions" }, reset)] };
}

export async function sessions(desk) {
  const { sessions: found, active_session: running } = await desk.get("/api/admin/sessions");
  const history = table(t("sessions.history"), [
    { head: t("sessions.name"), cell: (row) => row.name },
    { head: t("sessions.started"), cell: (row) => when(row.started_at) },
    { head: t("sessions.stopped"), cell: (row) => (row.stopped_at ? when(row.stopped_at) : t("sessions.running")) },
    { head: t("sessions.votes"), number: true, cell: (row) => count(row.vote_count) },
  ], found);
  return { elements: [running ? stopForm(desk, running) : null, startForm(desk, running), make("h3", {}, t("sessions.history")), history] };
}

function stopForm(desk, running) {
  const stop = async () => {
    if (await desk.attempt(() => desk.change("POST", "/api/admin/sessions/stop"), t("sessions.stop_done"))) await desk.draw();
  };
  return make("div", { class: "card now" }, make("p", {}, make("strong", {}, running.name), " · ", t("sessions.running_since"), " ", when(running.started_at)),
    make("button", { type: "button", click: stop }, t("sessions.stop")));
}

function startForm(desk, running) {
  const name = make("input", { id: "session-name", type: "text", required: true, maxlength: 200, autocomplete: "off" });
  const at = make("input", { id: "session-at", type: "datetime-local", "aria-describedby": "session-zone" });
  const submit = async (event) => {
    event.preventDefault();
    const body = { name: name.value.trim() };
    if (at.value) body.started_at = new Date(at.value).toISOString();
    if (await desk.attempt(() => desk.change("POST", "/api/admin/sessions", body), t("sessions.start_done"))) await desk.draw();
  };
  return make("form", { class: "card form", submit }, make("h3", {}, t("sessions.start")), running ? make("p", { class: "soft" }, t("sessions.start_stops")) : null,
    make("div", { class: "field" }, make("label", { for: "session-name" }, t("sessions.name")), name),
    make("div", { class: "field" }, make("label", { for: "session-at" }, t("sessions.at")), at, make("p", { id: "session-zone", class: "soft" }, t("sessions.zone", { zone: zone() }))),
    make("button", { type: "submit", class: "primary" }, t("sessions.start")));
}

// The name of the reader's zone and its distance from UTC, so that nobody has to guess.
function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const two = (value) => String(value).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${Intl.DateTimeFormat().resolvedOptions().timeZone}, UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

export async function datasets(desk) {
  const { datasets: found = [] } = await desk.get("/api/admin/datasets");
  return { elements: [make("p", { class: "soft" }, t("datasets.text")), make("ul", { class: "list" }, found.map((dataset) => datasetOf(desk, dataset)))] };
}

function datasetOf(desk, dataset) {
  const { id, name, bundle_available: can, active, problem } = dataset;
  const shown = name || id;
  const change = async () => {
    if (!(await desk.confirm(t("datasets.switch"), t("datasets.switch_text", { name: shown }), t("datasets.switch")))) return;
    if (await desk.attempt(() => desk.change("POST", "/api/admin/datasets/switch", { dataset_id: id }), t("datasets.switched", { name: shown }))) await desk.draw();
  };
  const state = active ? "active" : can ? "ready" : "missing";
  return make("li", { class: "card" }, make("div", {}, make("h3", {}, shown), make("p", { class: "soft" }, id), problem ? make("p", { class: "field-problem" }, problem) : null),
    make("span", { class: `status ${active ? "established" : can ? "usable" : ""}` }, t(`datasets.${state}`)),
    can && !active ? make("button", { type: "button", click: change }, t("datasets.switch")) : null);
}
