// The part `arena` of the configuration, key by key: where each value comes from, and errors at their field.

import { Failure } from "./api.js";
import { find, findAll, make } from "./dom.js";
import { has, t } from "./texts.js";

const GROUPS = {
  shown: ["title", "judge_question", "search_query_label", "images_per_model", "max_scroll_images", "grid_columns", "languages", "public_leaderboard", "leaderboard_every_s", "early_voters"],
  ballot: ["both_good", "both_bad", "matchmaking", "undo_s", "battle_lives_s", "enable_why_tags", "why_rate", "why_tags"],
  people: ["require_consent", "consent_text", "contact", "profile", "invite_required", "retention_days"],
  searches: ["predefined_queries", "allow_open_queries", "max_query_length", "open_queries_per_hour", "open_query_cache", "blocked_words", "index_memory_mb"],
  limits: ["votes_per_voter", "battles_per_minute", "registrations_per_hour", "requests_per_minute", "max_body_bytes", "identical_share", "repeat_share"],
  elo: ["elo_k_factor", "elo_initial_rating"],
};
const ELSEWHERE = new Set(["active_dataset_id"]);
const KINDS = {
  consent_text: "long", profile: "json", matchmaking: ["uniform", "balanced", "informative"],
  retention_days: "number", votes_per_voter: "number", battles_per_minute: "number",
  registrations_per_hour: "number", requests_per_minute: "number", open_queries_per_hour: "number",
};

export async function settings(desk) {
  const whole = await desk.get("/api/admin/config");
  const values = whole.arena;
  const origins = whole.origin;
  const known = new Set(Object.values(GROUPS).flat());
  const groups = { ...GROUPS, other: Object.keys(values).filter((key) => !known.has(key) && !ELSEWHERE.has(key)) };
  const parts = Object.entries(groups).map(([name, keys]) => {
    const there = keys.filter((key) => key in values);
    return there.length ? make("fieldset", { class: "card" }, make("legend", {}, t(`settings.group.${name}`)), there.map((key) => fieldOf(desk, key, values[key], origins[key]))) : null;
  });
  const form = make("form", { class: "settings", novalidate: true, submit: (event) => save(event, desk, values) },
    parts, make("div", { class: "actions save" }, make("button", { type: "submit", class: "primary" }, t("settings.save"))));
  const notes = whole.notes.map((note) => make("p", { class: "notice" }, note));
  return { elements: [make("p", { class: "soft" }, t("settings.text")), ...notes, form] };
}

const kindOf = (key, value) => {
  if (KINDS[key]) return KINDS[key];
  if (Array.isArray(value)) return value.every((item) => typeof item === "string") ? "lines" : "json";
  if (value !== null && typeof value === "object" || value === null) return "json";
  return { boolean: "switch", number: "number" }[typeof value] ?? "text";
};

function fieldOf(desk, key, value, origin = "default") {
  const kind = kindOf(key, value);
  const id = `setting-${key}`;
  const common = { id, name: key, "data-kind": Array.isArray(kind) ? "text" : kind, "aria-describedby": `${id}-note ${id}-problem` };
  const label = has(`setting.${key}`) ? t(`setting.${key}`) : key;
  const input = inputOf(kind, value, common);
  const back = origin === "admin" ? make("button", { type: "button", class: "small quiet", "aria-label": t("settings.back_one", { key: label }), click: () => giveBack(desk, key) }, t("settings.back")) : null;
  return make("div", { class: kind === "switch" ? "field switch" : "field" },
    make("label", { for: id }, label),
    input,
    make("p", { class: "soft note", id: `${id}-note` }, make("code", {}, key), " · ", t(`settings.origin.${origin}`), kind === "lines" ? ` · ${t("settings.lines")}` : "", kind === "json" ? " · JSON" : "", back),
    make("p", { class: "field-problem", id: `${id}-problem`, hidden: true }));
}

function inputOf(kind, value, common) {
  if (Array.isArray(kind)) return make("select", common, kind.map((option) => make("option", { value: option, selected: option === value }, has(`setting.option.${option}`) ? t(`setting.option.${option}`) : option)));
  if (kind === "switch") return make("input", { ...common, type: "checkbox", checked: Boolean(value) });
  if (kind === "number") return make("input", { ...common, type: "number", step: "any", value: value ?? "", placeholder: t("settings.no_limit") });
  if (kind === "lines") return make("textarea", { ...common, rows: Math.min(10, value.length + 1), value: value.join("\n") });
  if (kind === "json") return make("textarea", { ...common, rows: 4, spellcheck: "false", value: JSON.stringify(value, null, 1) });
  if (kind === "long") return make("textarea", { ...common, rows: 6, value });
  return make("input", { ...common, type: "text", value });
}

function read(field) {
  const { kind } = field.dataset;
  if (kind === "switch") return field.checked;
  if (kind === "number") return field.value.trim() === "" ? null : Number(field.value);
  if (kind === "lines") return field.value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (kind === "json") return JSON.parse(field.value);
  return field.value;
}

async function save(event, desk, values) {
  event.preventDefault();
  const form = event.target;
  const changes = {};
  const wrong = new Map();
  for (const field of findAll("[data-kind]", form)) {
    try {
      const value = read(field);
      if (JSON.stringify(value) !== JSON.stringify(values[field.name])) changes[field.name] = value;
    } catch {
      wrong.set(field.name, t("settings.not_json"));
    }
  }
  mark(form, wrong);
  if (wrong.size) return;
  if (!Object.keys(changes).length) return void desk.attempt(async () => {}, t("settings.same"));
  const saved = await desk.attempt(async () => {
    try {
      await desk.change("POST", "/api/admin/config", { arena: changes });
    } catch (failure) {
      if (failure instanceof Failure && failure.status === 422) mark(form, problemsOf(failure));
      throw failure;
    }
  }, t("settings.saved"));
  if (saved) await desk.draw();
}

function problemsOf(failure) {
  const found = failure.problems.length ? failure.problems : [{ where: failure.where, detail: failure.message }];
  return new Map(found.map(({ where, detail }) => [/arena\.([A-Za-z_]+)/.exec(where ?? "")?.[1] ?? "", detail]));
}

function mark(form, problems) {
  for (const field of findAll("[data-kind]", form)) {
    const problem = problems.get(field.name);
    const place = find(`#${CSS.escape(field.id)}-problem`);
    place.textContent = problem ?? "";
    place.hidden = !problem;
    if (problem) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
  find("[aria-invalid]", form)?.focus();
}

async function giveBack(desk, key) {
  if (await desk.attempt(() => desk.change("DELETE", `/api/admin/config/${encodeURIComponent(key)}`), t("settings.given_back"))) await desk.draw();
}
