// A text field with a list that narrows while one types: the combobox of the ARIA practices.

import { find, make } from "./dom.js";
import { t } from "./texts.js";

const MOST_SHOWN = 200;

export class Combobox {
  /** `picked` is called with the text of a picked entry. */
  constructor(input, list, { picked }) {
    this.input = input;
    this.list = list;
    this.picked = picked;
    this.entries = [];
    this.active = -1;
    input.addEventListener("input", () => this.open());
    input.addEventListener("focus", () => { input.select(); });
    input.addEventListener("click", () => this.open(""));
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("blur", () => this.close());
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => this.#click(event));
  }

  /** The entry that a text means: the same but for case and blanks. */
  match(text) {
    const plain = tidy(text);
    return this.entries.find((entry) => tidy(entry) === plain);
  }

  open(filter = this.input.value) {
    const wanted = tidy(filter);
    const shown = this.entries.filter((entry) => tidy(entry).includes(wanted)).slice(0, MOST_SHOWN);
    const items = shown.map((entry, i) => make("li", { role: "option", id: `option-${i}`, "aria-selected": "false", "data-entry": entry }, entry));
    this.list.replaceChildren(...(items.length ? items : [make("li", { role: "option", class: "none", "aria-disabled": "true", "aria-selected": "false" }, t("search.none"))]));
    this.#activate(-1);
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
  }

  close() {
    this.list.hidden = true;
    this.#activate(-1);
    this.input.setAttribute("aria-expanded", "false");
  }

  #options() {
    return [...this.list.querySelectorAll("[data-entry]")];
  }

  #activate(place) {
    const options = this.#options();
    this.active = options.length ? Math.max(-1, Math.min(place, options.length - 1)) : -1;
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === this.active)));
    const option = options[this.active];
    if (option) {
      this.input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (this.list.hidden) this.open("");
      this.#activate(this.active + step);
    } else if (event.key === "Enter" && this.active >= 0) {
      event.preventDefault();
      this.#pick(this.#options()[this.active].dataset.entry);
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.stopPropagation();
      this.close();
    }
  }

  #click(event) {
    const option = event.target.closest("[data-entry]");
    if (option) this.#pick(option.dataset.entry);
  }

  #pick(entry) {
    this.input.value = entry;
    this.close();
    this.picked(entry);
  }
}

const tidy = (text) => text.trim().replace(/\s+/g, " ").toLowerCase();

export const fieldOf = (root, picked) => new Combobox(find("#query", root), find("#query-list", root), { picked });
