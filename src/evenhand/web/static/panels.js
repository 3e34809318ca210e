// The two panels of a battle: images that load when they are near, what came into view, scrolling in step.

import { find, findAll, make } from "./dom.js";
import { t } from "./texts.js";

const SIDES = ["left", "right"];

export class Panels {
  /** `changed` is called whenever an image comes into view. */
  constructor(root, { changed }) {
    this.root = root;
    this.changed = changed;
    this.inStep = true;
    this.shown = { left: 0, right: 0 };
    this.views = { left: new Set(), right: new Set() };
    this.panes = Object.fromEntries(SIDES.map((side) => [side, find(`#panel-${side} .pane`, root)]));
    this.buttons = findAll("[data-show]", root);
    this.buttons.forEach((button) => button.addEventListener("click", () => this.show(button.dataset.show)));
    SIDES.forEach((side) => this.#follow(side));
    this.#watchSwipe();
  }

  /** How many images of each side came into view. */
  get seen() {
    return { left: this.views.left.size, right: this.views.right.size };
  }

  /** Whether something of both sides was looked at. */
  get bothSeen() {
    return SIDES.every((side) => this.shown[side] === 0 || this.views[side].size > 0);
  }

  fill(battle, { columns, eager }) {
    this.#stopWatching();
    this.root.style.setProperty("--columns", String(columns));
    for (const side of SIDES) {
      this.views[side].clear();
      this.shown[side] = battle[side].images.length;
      const { images, captions } = battle[side];
      const items = images.map((address, i) => image(address, captions?.[i], { side, place: i, total: images.length, eager }));
      find(".images", this.panes[side]).replaceChildren(...items);
      this.panes[side].scrollTop = 0;
    }
    find(".panels", this.root).scrollLeft = 0;
    this.#watch();
    this.#mark();
  }

  /** Bring one side into view; on a wide page both are. */
  show(side) {
    find(`#panel-${side}`, this.root).scrollIntoView({ block: "nearest", inline: "center" });
  }

  /** Scroll both sides by rows of images. */
  scrollRows(rows) {
    for (const pane of Object.values(this.panes)) {
      const first = find("li", pane);
      pane.scrollBy({ top: rows * ((first?.offsetHeight ?? 120) + 8) });
      if (this.inStep) break;
    }
  }

  choose(choice) {
    for (const side of SIDES) find(`#panel-${side}`, this.root).classList.toggle("chosen", choice === side);
  }

  #follow(side) {
    const other = this.panes[side === "left" ? "right" : "left"];
    this.panes[side].addEventListener("scroll", () => {
      const top = this.panes[side].scrollTop;
      if (this.inStep && Math.abs(other.scrollTop - top) > 1) other.scrollTop = top;
    }, { passive: true });
  }

  #watch() {
    this.near = SIDES.map((side) => new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) load(target);
    }, { root: this.panes[side], rootMargin: "300px 100%" }));
    this.inView = new IntersectionObserver((entries) => this.#note(entries), { threshold: 0.5 });
    SIDES.forEach((side, i) => findAll("li", this.panes[side]).forEach((item) => {
      if (find("img", item).dataset.src) this.near[i].observe(item);
      find("img", item).addEventListener("load", () => this.#lookAgain(item));
      this.inView.observe(item);
    }));
  }

  #stopWatching() {
    this.near?.forEach((observer) => observer.disconnect());
    this.inView?.disconnect();
  }

  // Whether a place is in view is told once; what was empty then counts when its image is there.
  #lookAgain(item) {
    if (this.views[item.dataset.side].has(item.dataset.place)) return;
    this.inView.unobserve(item);
    this.inView.observe(item);
  }

  #note(entries) {
    let news = false;
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || !arrived(find("img", target))) continue;
      const { side, place } = target.dataset;
      news ||= !this.views[side].has(place);
      this.views[side].add(place);
      this.inView.unobserve(target);
    }
    if (!news) return;
    this.#mark();
    this.changed();
  }

  #watchSwipe() {
    const watcher = new IntersectionObserver((entries) => {
      for (const { target, intersectionRatio } of entries) {
        if (intersectionRatio > 0.5) this.#mark(target.id.replace("panel-", ""));
      }
    }, { root: find(".panels", this.root), threshold: [0.51] });
    SIDES.forEach((side) => watcher.observe(find(`#panel-${side}`, this.root)));
  }

  #mark(current = undefined) {
    for (const button of this.buttons) {
      button.classList.toggle("seen", this.views[button.dataset.show].size > 0);
      if (current) button.setAttribute("aria-pressed", String(button.dataset.show === current));
    }
  }
}

function image(address, caption, { side, place, total, eager }) {
  const alt = caption || t("panel.image", { side: t(`choice.${side}`), place: place + 1, total });
  const picture = make("img", { alt, decoding: "async", draggable: "false" });
  if (place < eager) picture.src = address;
  else picture.dataset.src = address;
  const item = make("li", { "data-side": side, "data-place": place }, picture);
  picture.addEventListener("error", () => failed(item, address));
  return item;
}

// Loaded, or known to be missing: nothing more will come to see.
const arrived = (picture) => picture.hasAttribute("src") && picture.complete;

function load(item) {
  const picture = find("img", item);
  if (!picture.dataset.src) return;
  picture.src = picture.dataset.src;
  delete picture.dataset.src;
}

// One more try after a moment; then the place says that an image is missing.
function failed(item, address) {
  const picture = find("img", item);
  if (item.dataset.again) {
    item.classList.add("failed");
    item.append(t("panel.missing"));
    return;
  }
  item.dataset.again = "1";
  setTimeout(() => { picture.src = `${address}?again`; }, 1500);
}
