// How one likes to look and to vote: kept in this browser, and never sent.

import { find, make } from "./dom.js";
import { t } from "./texts.js";

const KEPT_AS = "evenhand-view";

export class View {
  /** `changed` is called with the view now and after each change. */
  constructor({ changed }) {
    this.inStep = true;
    this.keys = true;
    Object.assign(this, kept());
    this.changed = changed;
    this.#connect("#in-step", "inStep");
    this.#connect("#keys-on", "keys");
    find("#open-view").addEventListener("click", () => find("#view").showModal());
    changed(this);
  }

  /** The list of keys in the dialog, for the choices that are offered. */
  listKeys(choices) {
    const rows = choices.map((choice, i) => [String(i + 1), t(`choice.${choice}`)]);
    rows.push(["← →", t("view.key_move")], ["↑ ↓", t("view.key_scroll")], ["U", t("view.key_undo")]);
    const terms = rows.flatMap(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]);
    find("#key-list").replaceChildren(...terms);
  }

  #connect(selector, name) {
    const box = find(selector);
    box.checked = this[name];
    box.addEventListener("change", () => {
      this[name] = box.checked;
      keep({ inStep: this.inStep, keys: this.keys });
      this.changed(this);
    });
  }
}

function kept() {
  try {
    const { inStep = true, keys = true } = JSON.parse(localStorage.getItem(KEPT_AS) ?? "{}");
    return { inStep: Boolean(inStep), keys: Boolean(keys) };
  } catch {
    return {}; // storage is off, or holds something else
  }
}

function keep(view) {
  try {
    localStorage.setItem(KEPT_AS, JSON.stringify(view));
  } catch { /* storage is off: the choice lasts as long as the page */ }
}
