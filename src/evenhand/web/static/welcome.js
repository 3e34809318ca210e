// The first visit: what this is for, consent, and what one may say of oneself.

import { Failure, post } from "./api.js";
import { find, findAll, make, paragraphs, tell } from "./dom.js";
import { known, t } from "./texts.js";

/** Ask whoever is new, and resolve once they are registered. */
export function welcome(config) {
  const dialog = find("#welcome");
  prepare(dialog, config);
  dialog.showModal();
  find("#welcome-heading", dialog).scrollIntoView({ block: "start" });
  return new Promise((resolve) => {
    let registered = false;
    // Escape is not consent; a second one would close even a dialog that refuses to be cancelled.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => registered || dialog.showModal());
    const form = find("form", dialog);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!mayStart(dialog, config) || form.dataset.busy) return;
      form.dataset.busy = "1";
      try {
        const answer = await post("/api/register", answers(dialog));
        registered = true;
        history.replaceState(null, "", location.pathname);
        dialog.close();
        resolve(answer);
      } catch (failure) {
        refuse(dialog, failure);
      } finally {
        delete form.dataset.busy;
      }
    });
  });
}

/** The words to agree to: the arena's own, or those that say what is recorded. */
export function consentText(config) {
  const own = config.consent?.text?.trim();
  return paragraphs(own || t("welcome.consent_default"));
}

function prepare(dialog, config) {
  find("#consent-text", dialog).replaceChildren(...consentText(config));
  find("#invite-field", dialog).hidden = !config.invite_required;
  // An invitation comes behind the #, which browsers send to nobody; it outlives a change of language.
  find("#invite", dialog).value = new URLSearchParams(location.hash.slice(1)).get("invite") ?? "";
  for (const link of findAll(".dialog-languages a", dialog)) link.hash = location.hash;
  find("#profile", dialog).replaceChildren(...(config.profile ?? []).map(question));
}

function question({ id, label, options }) {
  const name = `profile-${id}`;
  const field = options?.length
    ? make("select", { id: name, "data-profile": id }, make("option", { value: "" }, t("welcome.rather_not")),
      ...options.map((option) => make("option", { value: option }, known(option))))
    : make("input", { id: name, type: "text", autocomplete: "off", maxlength: 100, "data-profile": id });
  return make("div", { class: "field" }, make("label", { for: name }, known(label)), field);
}

function mayStart(dialog, config) {
  const agreed = find("#agree", dialog).checked;
  tell(find("#agree-problem", dialog), agreed ? "" : t("welcome.agree_first"));
  find("#agree", dialog).setAttribute("aria-invalid", String(!agreed));
  if (!agreed) find("#agree", dialog).focus();
  const invited = !config.invite_required || find("#invite", dialog).value.trim() !== "";
  if (agreed && !invited) {
    tell(find("#welcome-problem", dialog), t("welcome.invite_first"));
    find("#invite", dialog).focus();
  }
  return agreed && invited;
}

function answers(dialog) {
  const body = { consent: true };
  const nickname = find("#nickname", dialog).value.trim();
  const invite = find("#invite", dialog).value.trim();
  const fields = [...dialog.querySelectorAll("[data-profile]")].filter((field) => field.value.trim());
  if (nickname) body.nickname = nickname;
  if (invite) body.invite = invite;
  if (fields.length) body.profile = Object.fromEntries(fields.map((field) => [field.dataset.profile, field.value.trim()]));
  return body;
}

function refuse(dialog, failure) {
  if (!(failure instanceof Failure)) throw failure;
  tell(find("#welcome-problem", dialog), failure.advice);
}
