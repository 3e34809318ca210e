// The vote page: one battle at a time, one vote for each, and nothing called saved that is not.

import { Failure, get, post, remove } from "./api.js";
import { fieldOf } from "./combobox.js";
import { find, findAll, make } from "./dom.js";
import { Panels } from "./panels.js";
import { askReasons } from "./reasons.js";
import { known, t } from "./texts.js";
import { afterOf } from "./undo.js";
import { View } from "./view.js";
import { welcome } from "./welcome.js";

const RETRY_MS = 5000;

// As they stand on the page, whatever order the server names them in; the keys 1 to 5 follow.
const ORDER = ["left", "tie", "right", "both_good", "both_bad"];

class Booth {
  constructor(config, me) {
    this.config = config;
    this.choices = ORDER.filter((choice) => config.choices.includes(choice));
    this.votes = me.votes ?? 0;
    this.battle = null;
    this.vote = null; // the id of the vote on this battle, once it is saved
    this.busy = false;
    this.root = find("#battle");
    this.panels = new Panels(this.root, { changed: () => this.refresh() });
    this.after = afterOf(this.root);
    this.watch = new Stopwatch();
    this.field = fieldOf(document, (query) => this.begin(query));
    this.view = new View({ changed: ({ inStep }) => { this.panels.inStep = inStep; } });
    this.prepare();
  }

  prepare() {
    const { queries, judge_question: question, search_query_label: label, allow_open_queries: open } = this.config;
    this.field.entries = queries;
    if (label) this.label(label);
    if (open) find("#query").placeholder = t("search.placeholder_open");
    find("#query").maxLength = this.config.max_query_length ?? 120;
    find("#question-text").textContent = known(question);
    this.view.listKeys(this.choices);
    this.offer(this.choices);
    this.suggest(queries);
    find("#search").addEventListener("submit", (event) => this.search(event));
    find("#random").addEventListener("click", () => this.begin());
    find("#skip").addEventListener("click", () => this.skip());
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("online", () => this.retry?.());
    find("#search").hidden = false;
    find("#empty").hidden = false;
    this.progress();
  }

  // A label of the configuration is there to be seen.
  label(text) {
    find("#query-label").textContent = text;
    find("#query-label").classList.remove("visually-hidden");
    find(".combobox").classList.add("labelled");
  }

  offer(choices) {
    const buttons = choices.map((choice, i) => make("button", {
      type: "button", "data-choice": choice, "aria-keyshortcuts": String(i + 1), disabled: true,
      class: choice.startsWith("both") ? "both" : choice === "tie" ? "tie" : "side", click: () => this.choose(choice),
    }, t(`choice.${choice}`), make("kbd", { "aria-hidden": "true" }, String(i + 1))));
    find("#choices").replaceChildren(...buttons);
    find("#choices").classList.toggle("five", choices.length > 3);
  }

  suggest(queries) {
    const chosen = queries.slice(0, 8);
    const surprise = make("button", { type: "button", class: "primary", click: () => this.begin() }, t("empty.random"));
    const items = chosen.map((query) => make("button", { type: "button", click: () => this.begin(query) }, query));
    find("#suggestions").replaceChildren(...[surprise, ...items].map((button) => make("li", {}, button)));
  }

  progress() {
    find("#progress").textContent = t("progress.votes", { n: this.votes });
  }

  search(event) {
    event.preventDefault();
    const text = find("#query").value.trim();
    this.field.close();
    const query = this.field.match(text) ?? (this.config.allow_open_queries ? text : undefined);
    if (!text) this.begin();
    else if (query) this.begin(query);
    else this.trouble(t("search.unknown", { query: text }));
  }

  /** A new battle; without a query the server picks one. */
  async begin(query = undefined) {
    if (this.busy) return;
    await this.alone(async () => {
      this.quiet();
      const body = {};
      if (query) body.query = query;
      if (this.battle) body.previous = this.battle.battle;
      this.root.classList.add("loading");
      try {
        this.show(await post("/api/battles", body));
      } catch (failure) {
        this.explain(failure, () => this.begin(query));
      } finally {
        this.root.classList.remove("loading");
      }
    });
  }

  show(battle) {
    this.battle = battle;
    this.vote = null;
    this.after.clear();
    find("#empty").hidden = true;
    this.root.hidden = false;
    find("#query").value = battle.query;
    find("#battle-heading").textContent = battle.query;
    this.panels.fill(battle, { columns: this.config.grid_columns, eager: this.config.images_per_model });
    this.watch.start();
    this.refresh();
    find("#battle-heading").focus({ preventScroll: true });
    this.say(t("status.shown", { query: battle.query }));
  }

  async choose(choice) {
    if (!this.open || !this.choices.includes(choice)) return;
    const { battle } = this;
    if (!battle.why) return void this.cast(choice);
    const dwell = this.watch.read();
    this.busy = true;
    this.panels.choose(choice);
    const reasons = await askReasons(choice, this.config.enable_why_tags ? this.config.why_tags : []);
    this.busy = false;
    if (reasons && this.battle === battle) return void this.cast(choice, { ...reasons, dwell });
    this.panels.choose(null);
    find(`[data-choice="${choice}"]`)?.focus();
  }

  /** Whether a choice can be made now. */
  get open() {
    return Boolean(this.battle) && !this.busy && !this.vote && this.panels.bothSeen;
  }

  async cast(choice, { tags = [], text = "", dwell = this.watch.read() } = {}) {
    if (!this.open) return;
    const body = { battle: this.battle.battle, choice, seen: this.panels.seen, dwell_ms: Math.round(dwell) };
    if (this.battle.why) Object.assign(body, { why_tags: tags, why_freetext: text });
    await this.alone(() => this.send(body));
  }

  async send(body) {
    this.quiet();
    this.panels.choose(body.choice);
    this.say(t("status.saving"));
    try {
      this.saved(await post("/api/votes", body), body.choice);
    } catch (failure) {
      this.panels.choose(null);
      this.lost(failure, body);
    }
  }

  saved({ vote, votes }, choice) {
    this.vote = vote;
    this.votes = votes ?? this.votes + 1;
    this.progress();
    this.panels.choose(choice);
    const message = t("after.saved", { choice: t(`choice.${choice}`) });
    this.after.show(message, { seconds: this.config.undo_s, undo: () => this.undo(), next: () => this.begin() });
    this.say(message);
  }

  lost(failure, body) {
    if (!(failure instanceof Failure)) throw failure;
    if (failure.status === 409) { // an earlier try did arrive
      this.vote = "saved before";
      this.votes += 1;
      this.progress();
      this.after.show(t("after.saved_before"), { seconds: 0, undo: null, next: () => this.begin() });
      return;
    }
    const { query } = this.battle;
    if (failure.status === 404 || failure.status === 410) {
      this.battle = null;
      this.trouble(failure.status === 410 ? t("error.expired") : failure.advice, [[t("error.new"), () => this.begin(query)]]);
      return;
    }
    const again = () => this.open && this.alone(() => this.send(body));
    this.explain(failure, again, t("error.not_saved"));
  }

  async undo() {
    if (this.busy || !this.vote) return;
    await this.alone(async () => {
      this.quiet();
      try {
        await remove(`/api/votes/${encodeURIComponent(this.vote)}`);
      } catch (failure) {
        this.trouble(failure.status === 410 ? t("error.undo_late") : failure.advice);
        return;
      }
      this.vote = null;
      this.votes = Math.max(0, this.votes - 1);
      this.progress();
      this.panels.choose(null);
      this.after.clear();
      this.refresh();
      this.say(t("status.undone"));
      find("#battle-heading").focus({ preventScroll: true });
    });
  }

  async skip() {
    if (this.busy || !this.battle || this.vote) return;
    await this.alone(async () => {
      try {
        await post(`/api/battles/${encodeURIComponent(this.battle.battle)}/skip`);
      } catch (failure) {
        if (![404, 409, 410].includes(failure.status)) return void this.explain(failure, () => this.skip());
      }
      this.say(t("status.skipped"));
    });
    if (find("#problem").hidden) await this.begin();
  }

  /** One thing at a time: what is pressed meanwhile is not heard twice. */
  async alone(work) {
    this.busy = true;
    this.refresh();
    try {
      await work();
    } finally {
      this.busy = false;
      this.refresh();
    }
  }

  refresh() {
    const waiting = Boolean(this.battle) && !this.panels.bothSeen;
    for (const button of findAll("#choices button")) button.disabled = !this.open;
    find("#choices").hidden = Boolean(this.vote);
    find("#skip").hidden = Boolean(this.vote) || !this.battle;
    find("#ballot-hint").textContent = this.vote || !waiting ? "" : t("ballot.look_first");
    this.root.classList.toggle("voted", Boolean(this.vote));
  }

  key(event) {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat && /^\d$/.test(event.key)) return;
    if (typing || find("dialog[open]") || !this.view.keys || this.root.hidden) return;
    const choice = /^[1-5]$/.test(event.key) ? this.choices[Number(event.key) - 1] : null;
    if (choice) this.choose(choice);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.move(event);
    else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && !event.target.closest(".pane")) {
      event.preventDefault();
      this.panels.scrollRows(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key.toLowerCase() === "u") find("#undo")?.click();
  }

  // Arrows walk along the choices; Enter takes one.
  move(event) {
    const buttons = findAll(this.vote ? "#after button" : "#choices button:not(:disabled)");
    if (!buttons.length) return;
    event.preventDefault();
    const right = event.key === "ArrowRight";
    const now = buttons.indexOf(document.activeElement);
    const sides = buttons.slice(0, 3);
    if (now < 0) (right ? sides.at(-1) : sides[0]).focus();
    else buttons[(now + (right ? 1 : -1) + buttons.length) % buttons.length].focus();
  }

  say(message) {
    find("#status").textContent = message;
  }

  /** Say what went wrong, and offer to try again; without a connection try again by itself. */
  explain(failure, again, lead = "") {
    if (!(failure instanceof Failure)) throw failure;
    if (failure.status === 401) {
      this.trouble(t("error.401"), [[t("error.start"), () => location.reload()]]);
      return;
    }
    this.trouble([lead, failure.advice].filter(Boolean).join(" "), [[t("error.again"), again]]);
    if (failure.status !== 0) return;
    this.retry = () => { this.retry = null; again(); };
    this.timer = setTimeout(() => this.retry?.(), RETRY_MS);
  }

  trouble(message, offers = []) {
    const place = find("#problem");
    find("p", place).textContent = message;
    find(".actions", place).replaceChildren(...offers.map(([name, act]) =>
      make("button", { type: "button", class: "small", click: act }, name)));
    place.hidden = false;
    this.say("");
  }

  quiet() {
    clearTimeout(this.timer);
    this.retry = null;
    find("#problem").hidden = true;
  }
}

/** Time that the page was in view. */
class Stopwatch {
  constructor() {
    this.start();
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#pause() : this.#go()));
  }

  start() {
    this.total = 0;
    this.#go();
  }

  read() {
    return this.total + (this.since === null ? 0 : performance.now() - this.since);
  }

  #go() {
    this.since = document.hidden ? null : performance.now();
  }

  #pause() {
    this.total = this.read();
    this.since = null;
  }
}

async function whoami() {
  try {
    return await get("/api/me");
  } catch (failure) {
    if (failure.status === 401) return null;
    throw failure;
  }
}

async function open() {
  try {
    const config = await get("/api/config");
    const me = (await whoami()) ?? (await welcome(config));
    new Booth(config, me);
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    find("#problem p").textContent = failure.advice;
    find("#problem .actions").replaceChildren(
      make("button", { type: "button", class: "small", click: () => location.reload() }, t("error.again")));
    find("#problem").hidden = false;
  }
}

await open();
