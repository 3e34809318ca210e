// Why? Asked only where the battle asks for it, and emptied each time: nothing of it goes with another vote.

import { find, findAll, make } from "./dom.js";
import { known, t } from "./texts.js";

/** Resolves to `{tags, text}`, or to null where the voter goes back to choose anew. */
export function askReasons(choice, tags) {
  const dialog = find("#reasons");
  const text = find("#reason-text", dialog);
  text.value = "";
  dialog.returnValue = "back";
  find("#reasons-heading", dialog).textContent = t(`reasons.heading.${choice}`);
  find("#reason-tags", dialog).replaceChildren(...tags.map(chip));
  find("fieldset", dialog).hidden = tags.length === 0;
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const chosen = findAll("#reason-tags input:checked", dialog).map((box) => box.value);
      const said = text.value.trim();
      text.value = "";
      const outcomes = { send: { tags: chosen, text: said }, without: { tags: [], text: "" } };
      resolve(outcomes[dialog.returnValue] ?? null);
    }, { once: true });
  });
}

const chip = (tag) =>
  make("label", { class: "chip" }, make("input", { type: "checkbox", value: tag }), make("span", {}, known(tag)));
