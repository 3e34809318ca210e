// Administration: signing in, and one section at a time. The token is sent once and kept nowhere;
// what proves a change to be ours is kept in this module only.

import { ask, Failure } from "./api.js";
import { find, findAll, make, tell } from "./dom.js";
import { t } from "./texts.js";
import { overview } from "./admin-overview.js";
import { audit, invites, searches, voters } from "./admin-people.js";
import { board, datasets, sessions, votes } from "./admin-records.js";
import { settings } from "./admin-settings.js";

const SECTIONS = { overview, votes, board, sessions, datasets, settings, searches, voters, invites, audit };
const EVERY_MS = 10_000;

class Desk {
  constructor() {
    this.csrf = null;
    this.section = "overview";
    this.round = 0;
    find("#sign-in").addEventListener("submit", (event) => this.signIn(event));
    find("#sign-out").addEventListener("click", () => this.signOut());
    window.addEventListener("hashchange", () => this.open());
    setInterval(() => { if (!document.hidden && this.csrf && this.live) this.refresh(); }, EVERY_MS);
  }

  get = (address) => this.asked(ask("GET", address));

  /** A change; it carries the proof that this page asked for it. */
  change = (method, address, body = method === "DELETE" ? undefined : {}) =>
    this.asked(ask(method, address, body, { "X-CSRF-Token": this.csrf ?? "" }));

  async asked(request) {
    try {
      return await request;
    } catch (failure) {
      if (failure.status === 401) this.show(null);
      throw failure;
    }
  }

  /** Do something that may fail, and say so; the rest of the page stays as it is. With `null` a word of success stays. */
  attempt = async (work, done = "") => {
    tell(find("#problem"), "");
    if (done !== null) tell(find("#done"), "");
    try {
      await work();
      if (done) tell(find("#done"), done);
      return true;
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      const said = failure.status === 401 ? t("admin.signed_out") : failure.status === 409 || failure.status === 404 ? failure.message : failure.advice;
      tell(find("#problem"), said);
      find("#problem").scrollIntoView({ block: "nearest" });
      return false;
    }
  };

  /** Ask before something that others will notice. */
  confirm = (heading, text, yes) => {
    const dialog = find("#confirm");
    find("#confirm-heading").textContent = heading;
    find("#confirm-text").textContent = text;
    find("#confirm-yes").textContent = yes;
    dialog.returnValue = "no";
    dialog.showModal();
    return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
  };

  /** A page loaded again while the cookie still holds. */
  async resume() {
    try {
      this.show((await ask("GET", "/api/admin/session")).csrf);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      this.show(null);
      if (failure.status === 0) tell(find("#problem"), failure.advice);
    }
  }

  async signIn(event) {
    event.preventDefault();
    const field = find("#token");
    const token = field.value;
    await this.attempt(async () => {
      try {
        this.show((await ask("POST", "/api/admin/login", { token })).csrf);
      } catch (failure) {
        if (failure.status === 401) throw new Failure(422, t("admin.wrong_token"));
        throw failure;
      } finally {
        field.value = "";
      }
    });
    if (!this.csrf) field.focus();
  }

  async signOut() {
    await this.attempt(async () => {
      await this.change("POST", "/api/admin/logout");
      this.show(null);
    });
  }

  show(csrf) {
    this.csrf = csrf;
    find("#sign-in").hidden = Boolean(csrf);
    find("#signed-in").hidden = !csrf;
    if (csrf) this.open();
    else find("#section").replaceChildren();
  }

  open() {
    if (!this.csrf) return;
    const asked = location.hash.slice(1);
    this.section = asked in SECTIONS ? asked : "overview";
    for (const link of findAll(".tabs a")) {
      if (link.hash === `#${this.section}`) {
        link.setAttribute("aria-current", "page");
        link.scrollIntoView({ block: "nearest", inline: "nearest" });
      } else link.removeAttribute("aria-current");
    }
    tell(find("#done"), "");
    this.live = null;
    this.draw();
  }

  /** Draw the section; what it returns beside its elements is how it keeps itself fresh. */
  draw = async () => {
    const round = ++this.round;
    const name = this.section;
    const place = find("#section");
    place.setAttribute("aria-busy", "true");
    await this.attempt(async () => {
      const { elements, live = null } = await SECTIONS[name](this);
      if (round !== this.round) return; // another section was opened meanwhile
      this.live = live;
      place.replaceChildren(make("h2", { tabindex: "-1" }, t(`admin.${name}`)), ...elements.flat().filter(Boolean));
    }, null);
    place.setAttribute("aria-busy", "false");
  };

  async refresh() {
    const { live } = this;
    try {
      await live();
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      tell(find("#problem"), failure.advice);
    }
  }
}

await new Desk().resume();
