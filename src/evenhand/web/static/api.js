// The one way to the server: JSON in and out, and every failure as one kind of error.

import { has, known, t } from "./texts.js";

/** `status` is 0 where the server could not be reached at all. */
export class Failure extends Error {
  constructor(status, detail, { where = null, retryAfter = 0, problems = [] } = {}) {
    super(detail);
    this.status = status;
    this.where = where;
    this.retryAfter = retryAfter;
    this.problems = problems;
  }

  /** What happened and what to do, in the reader's language. */
  get advice() {
    if (this.status === 429) return wait(this);
    if (this.status === 422) return t("error.422", { detail: this.message });
    if (has(`error.${this.status}`)) return t(`error.${this.status}`);
    return t(this.status >= 500 ? "error.server" : "error.other", { detail: this.message });
  }
}

function wait({ message, retryAfter }) {
  if (known(message) !== message || has(`known.${message}`)) return known(message);
  if (retryAfter >= 7200) return t("error.429_hours", { n: Math.ceil(retryAfter / 3600) });
  if (retryAfter >= 120) return t("error.429_minutes", { n: Math.ceil(retryAfter / 60) });
  return t("error.429", { n: Math.max(1, Math.ceil(retryAfter)) });
}

const TIMEOUT_MS = 20_000;

export async function ask(method, address, body = undefined, headers = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers }, signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Failure(0, "");
  }
  const content = await read(answer);
  if (answer.ok) return content;
  const retryAfter = Number(answer.headers.get("Retry-After")) || 0;
  const { detail = "", where = null, problems = [] } = content ?? {};
  throw new Failure(answer.status, typeof detail === "string" ? detail : JSON.stringify(detail), { where, retryAfter, problems });
}

async function read(answer) {
  try {
    return await answer.json();
  } catch {
    return null;
  }
}

export const get = (address) => ask("GET", address);
export const post = (address, body = {}) => ask("POST", address, body);
export const remove = (address) => ask("DELETE", address);

/** Tell when the connection is gone, on every page. */
function watchConnection() {
  const banner = document.getElementById("offline");
  const show = () => { banner.hidden = navigator.onLine; };
  window.addEventListener("online", show);
  window.addEventListener("offline", show);
  show();
}

watchConnection();
