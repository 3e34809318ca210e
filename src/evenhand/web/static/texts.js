// Words, numbers and times in the language of the page, from the same file as the page itself.

export const language = document.documentElement.lang;

const found = await fetch(new URL(`texts/${language}.json`, import.meta.url));
const texts = await found.json();
const plural = new Intl.PluralRules(language);

/** A text by its key; `{name}` is filled in. With a value `n`, `key.one` or `key.other` is taken. */
export function t(key, values = {}) {
  const counted = "n" in values ? texts[`${key}.${plural.select(Number(values.n))}`] ?? texts[`${key}.other`] : undefined;
  const text = counted ?? texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? count(value) : String(value);
  });
}

/** Whether there is a text of that key. */
export const has = (key) => key in texts;

const KNOWN = "known.";

// Sentences of the server with something filled in, as patterns that find it again.
const sentences = Object.keys(texts).filter((key) => key.startsWith(KNOWN) && key.includes("{")).map((key) => {
  const names = [...key.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const parts = key.slice(KNOWN.length).split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return { pattern: new RegExp(`^${parts.join("(.+?)")}$`), names, translated: texts[key] };
});

/** A text of the server, translated where it is one of those that come with the arena. */
export function known(text) {
  const whole = texts[KNOWN + text];
  if (whole !== undefined) return whole;
  for (const { pattern, names, translated } of sentences) {
    const found = pattern.exec(text);
    if (found) return translated.replace(/\{(\w+)\}/g, (_, name) => found[names.indexOf(name) + 1]);
  }
  return text;
}

export const count = (value) => new Intl.NumberFormat(language).format(value);

export function decimal(value, digits = 2) {
  if (value === null || value === undefined) return "–";
  const style = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, style).format(value).replace("-", "−");
}

export function percent(value, digits = 0) {
  if (value === null || value === undefined) return "–";
  const style = { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(language, style).format(value);
}

/** A time in the reader's own zone, with the zone's name. Takes ISO 8601, or seconds since 1970. */
export function moment(value, style = { dateStyle: "medium", timeStyle: "short" }) {
  if (value === null || value === undefined || value === "") return "–";
  const at = new Date(typeof value === "number" ? value * 1000 : value);
  return Number.isNaN(at.getTime()) ? String(value) : new Intl.DateTimeFormat(language, style).format(at);
}
