// What is kept of the visitor, and withdrawing.

import { Failure, get, remove } from "./api.js";
import { find, make, paragraphs, tell } from "./dom.js";
import { count, moment, t } from "./texts.js";

async function open() {
  const days = find("#retention").dataset.days;
  find("#retention").textContent = days ? t("about.retention", { n: Number(days) }) : t("about.retention_none");
  find("#withdraw").addEventListener("click", () => find("#withdraw-dialog").showModal());
  find("#withdraw-dialog").addEventListener("close", withdraw);
  const config = await get("/api/config");
  const own = config.consent?.text?.trim();
  find("#consent-text").replaceChildren(...paragraphs(own || t("welcome.consent_default")));
  find("#contact").replaceChildren(contact(config.contact));
  await mine();
}

function contact(text) {
  if (!text) return document.createTextNode(t("about.contact_none"));
  return /^[^\s@:/?&<>"]+@[^\s@:/?&<>"]+$/.test(text) ? make("a", { href: `mailto:${text}` }, text) : document.createTextNode(text);
}

async function mine() {
  try {
    show(await get("/api/me"));
  } catch (failure) {
    if (failure.status !== 401) throw failure;
    find("#mine").replaceChildren(make("p", {}, t("about.mine_none")));
    find("#withdraw").hidden = true;
  }
}

function show(me) {
  const profile = Object.values(me.profile ?? {}).join(", ");
  const rows = {
    id: me.participant_id, nickname: me.nickname || t("about.none"), profile: profile || t("about.none"),
    since: moment(me.created_at), votes: count(me.votes), battles: count(me.battles),
  };
  const items = Object.entries(rows).flatMap(([key, value]) => [make("dt", {}, t(`about.mine_${key}`)), make("dd", {}, value)]);
  find("#mine").replaceChildren(make("dl", { class: "facts" }, items));
  find("#withdraw").hidden = false;
}

async function withdraw(event) {
  if (event.target.returnValue !== "withdraw") return;
  event.target.returnValue = "";
  try {
    const { votes_deleted: n } = await remove("/api/me");
    find("#withdraw").hidden = true;
    find("#mine").replaceChildren(make("p", { class: "done" }, t("about.withdrawn", { n })));
    find("#mine").scrollIntoView({ block: "nearest" });
  } catch (failure) {
    explain(failure);
  }
}

function explain(failure) {
  if (!(failure instanceof Failure)) throw failure;
  tell(find("#problem"), failure.advice);
}

open().catch(explain);
