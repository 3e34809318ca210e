// Typed searches and their moderation, voters, invitations, and who changed what.

import { make } from "./dom.js";
import { table, when } from "./admin-tables.js";
import { count, decimal, has, percent, t } from "./texts.js";

const ACTIONS = { hidden: "hide", shown: "show", blocked: "block" };

export async function searches(desk) {
  const { queries: found = [] } = await desk.get("/api/admin/queries");
  const judge = async (row, state) => {
    if (await desk.attempt(() => desk.change("POST", `/api/admin/queries/${encodeURIComponent(row.id)}`, { state }), t("searches.done"))) await desk.draw();
  };
  const buttons = (row) => make("div", { class: "row-actions" }, Object.keys(ACTIONS).filter((state) => state !== row.state).map((state) =>
    make("button", { type: "button", class: "small", "aria-label": t(`searches.set_${state}`, { query: row.text }), click: () => judge(row, state) }, t(`searches.${ACTIONS[state]}`))));
  const compute = make("button", { type: "button", click: () => desk.attempt(() => desk.change("POST", "/api/admin/precompute"), t("searches.computed")) }, t("searches.compute"));
  return { elements: [
    make("p", { class: "soft" }, t("searches.text")),
    table(t("admin.searches"), [
      { head: t("searches.query"), cell: (row) => row.text },
      { head: t("searches.n"), number: true, cell: (row) => count(row.asked) },
      { head: t("searches.first"), cell: (row) => when(row.first_seen) },
      { head: t("searches.state"), cell: (row) => make("span", { class: `status ${row.state === "shown" ? "usable" : ""}` }, t(`searches.${row.state}`)) },
      { head: t("searches.change"), cell: buttons },
    ], found),
    make("p", { class: "actions" }, compute),
  ] };
}

export async function voters(desk) {
  const { voters: found = [] } = await desk.get("/api/admin/voters");
  const flag = async (row) => {
    const flagged = !row.flagged;
    if (await desk.attempt(() => desk.change("POST", `/api/admin/voters/${encodeURIComponent(row.id)}`, { flagged }), t(flagged ? "voters.flagged_done" : "voters.unflagged_done"))) await desk.draw();
  };
  const short = (row) => row.nickname || String(row.id).slice(0, 8);
  return { elements: [
    make("p", { class: "soft" }, t("voters.text")),
    table(t("admin.voters"), [
      { head: t("voters.voter"), cell: (row) => make("span", { title: row.id }, short(row)) },
      { head: t("voters.since"), cell: (row) => when(row.created_at) },
      { head: t("voters.votes"), number: true, cell: (row) => count(row.votes) },
      { head: t("voters.checks"), number: true, cell: (row) => checks(row) },
      { head: t("voters.speed"), number: true, cell: (row) => speed(row) },
      { head: t("voters.left"), number: true, cell: (row) => percent(row.left_share) },
      { head: t("voters.state"), cell: (row) => make("button", { type: "button", class: "small", "aria-pressed": String(Boolean(row.flagged)), "aria-label": t(row.flagged ? "voters.unflag_one" : "voters.flag_one", { voter: short(row) }), click: () => flag(row) }, t(row.flagged ? "voters.unflag" : "voters.flag")) },
    ], found),
  ] };
}

const checks = (row) => (row.checks ? `${count(row.failed_checks)} / ${count(row.checks)}` : "–");

const speed = ({ median_dwell_ms: ms }) => (ms === null ? "–" : t("stats.seconds", { s: decimal(ms / 1000, 1) }));

export async function invites(desk) {
  const answer = await desk.get("/api/admin/invites");
  const made = make("div", { "aria-live": "polite" });
  const amount = make("input", { id: "invite-count", type: "number", min: 1, max: 1000, value: "10", required: true });
  const uses = make("input", { id: "invite-uses", type: "number", min: 1, max: 100000, value: "1", required: true });
  const submit = (event) => {
    event.preventDefault();
    return desk.attempt(async () => {
      const { codes } = await desk.change("POST", "/api/admin/invites", { count: Number(amount.value), uses: Number(uses.value) });
      const text = codes.map((code) => `${location.origin}/#invite=${encodeURIComponent(code)}`).join("\n");
      made.replaceChildren(make("label", { for: "invite-codes" }, t("invites.made")), make("textarea", { id: "invite-codes", readonly: true, rows: 8, value: text }));
    });
  };
  const form = make("form", { class: "card form", submit }, make("h3", {}, t("invites.make")),
    make("div", { class: "field" }, make("label", { for: "invite-count" }, t("invites.count")), amount),
    make("div", { class: "field" }, make("label", { for: "invite-uses" }, t("invites.uses")), uses),
    make("button", { type: "submit", class: "primary" }, t("invites.make")), made);
  return { elements: [form, table(t("admin.invites"), [
    { head: t("invites.id"), cell: (row) => make("code", {}, row.id) },
    { head: t("invites.at"), cell: (row) => when(row.created_at) },
    { head: t("invites.left"), number: true, cell: (row) => count(row.uses_left) },
    { head: t("invites.uses"), number: true, cell: (row) => count(row.uses) },
  ], answer.invites)] };
}

export async function audit(desk) {
  const { entries } = await desk.get("/api/admin/audit?limit=200");
  const what = (row) => (has(`audit.${row.what}`) ? t(`audit.${row.what}`) : row.what);
  const told = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  const detail = (row) => Object.entries(row.detail ?? {}).map(([key, value]) => `${key}: ${told(value)}`).join(", ");
  return { elements: [table(t("admin.audit"), [
    { head: t("audit.at"), cell: (row) => when(row.at) },
    { head: t("audit.who"), cell: (row) => row.who },
    { head: t("audit.what"), cell: what },
    { head: t("audit.detail"), cell: detail },
    { head: t("audit.from"), cell: (row) => row.address ?? "–" },
  ], entries)] };
}
