// The public board, kept fresh without a jump: it is drawn anew only when something changed.

import { Failure, get } from "./api.js";
import { boardOf } from "./board.js";
import { find, tell } from "./dom.js";
import { t } from "./texts.js";

const EVERY_MS = 15_000;

let last = "";

async function refresh() {
  const place = find("#board");
  try {
    const board = await get(`/api/leaderboard${filters()}`);
    const state = JSON.stringify({ ...board, updated_at: null });
    if (state !== last) place.replaceChildren(...boardOf(board));
    last = state;
    tell(find("#problem"), "");
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    tell(find("#problem"), failure.status === 403 ? t("board.private") : failure.advice);
    if (failure.status === 403) place.replaceChildren();
  }
  place.setAttribute("aria-busy", "false");
}

// Only what the board knows; the language stays with the page.
function filters() {
  const here = new URLSearchParams(location.search);
  const asked = new URLSearchParams();
  for (const key of ["dataset", "session"]) if (here.get(key)) asked.set(key, here.get(key));
  return asked.size ? `?${asked}` : "";
}

await refresh();
setInterval(() => { if (!document.hidden) refresh(); }, EVERY_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
