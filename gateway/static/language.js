// @ts-check
/** How scripts write for people: as the page does, whose language may not be the browser's own. */

const { lang, dataset } = document.documentElement;
const format = new Intl.NumberFormat(dataset.intl || lang || "en");

/** @param {number} value */
export const number = (value) => format.format(value);

/**
 * A language's name in the page's own; the tag itself where nobody knows it, "" for none.
 * @param {string} tag
 */
export function languageName(tag) {
  if (!tag || tag === "und") return "";
  try {
    return new Intl.DisplayNames([dataset.intl || lang || "en"], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag;
  }
}

const inSeconds = new Intl.NumberFormat(dataset.intl || lang || "en", { style: "unit", unit: "second", unitDisplay: "short" });

/** How long something is: "25 sec", from a minute on as a position. @param {number} seconds */
export const span = (seconds) => (seconds < 60 ? inSeconds.format(Math.round(seconds)) : clock(seconds));

/** A position, as players write it. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
