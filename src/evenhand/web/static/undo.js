// What stands below the panels after a vote: that it is saved, for how long it can be undone, and what comes next.

import { find, make } from "./dom.js";
import { t } from "./texts.js";

export class After {
  constructor(root) {
    this.root = root;
    this.timer = null;
  }

  /** `undo` is null where it cannot be undone. */
  show(message, { seconds, undo, next }) {
    this.clear();
    const go = make("button", { type: "button", class: "primary", id: "next", click: next }, t("after.next"));
    this.root.append(make("p", { class: "saved" }, message));
    if (undo && seconds > 0) this.root.append(this.#undoButton(seconds, undo, go));
    this.root.append(go);
    this.root.hidden = false;
    go.focus();
  }

  clear() {
    clearInterval(this.timer);
    this.root.replaceChildren();
    this.root.hidden = true;
  }

  #undoButton(seconds, undo, go) {
    const ends = performance.now() + seconds * 1000;
    const rest = make("span", { class: "left-s", "aria-hidden": "true" }, String(Math.ceil(seconds)));
    const bar = make("span", { class: "bar", "aria-hidden": "true" });
    const button = make("button", { type: "button", class: "undo", id: "undo", click: undo }, t("after.undo"), rest, bar);
    requestAnimationFrame(() => requestAnimationFrame(() => {
      bar.style.transition = `transform ${seconds}s linear`;
      bar.style.transform = "scaleX(0)";
    }));
    this.timer = setInterval(() => {
      const left = (ends - performance.now()) / 1000;
      rest.textContent = String(Math.max(0, Math.ceil(left)));
      if (left > 0) return;
      clearInterval(this.timer);
      if (document.activeElement === button) go.focus();
      button.remove();
    }, 250);
    return button;
  }
}

export const afterOf = (root) => new After(find("#after", root));
