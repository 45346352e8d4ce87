// @ts-check
/**
 * What the managers' pages gain from a script; everything works without it.
 * Copying an address, with a word that it was done; the address stands in a field for those who copy by hand.
 */

import { copy } from "./copy.js";
import { number } from "./language.js";

const said = document.querySelector(".said");

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-copy]"))) {
  button.hidden = false;
  const face = button.textContent ?? "";
  /** @type {number | undefined} */
  let timer;
  button.addEventListener("click", async () => {
    const field = /** @type {HTMLInputElement | null} */ (button.closest("tr")?.querySelector(".url") ?? null);
    try {
      await copy(button.dataset.copy ?? "");
    } catch {
      field?.focus();
      field?.select();
      return;
    }
    const done = button.dataset.done ?? "";
    button.textContent = done;
    if (said) said.textContent = done;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = face;
      if (said) said.textContent = "";
    }, 2500);
  });
}

for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input.url"))) {
  field.addEventListener("focus", () => field.select());
}

/** Numbers of the guests' room, anew every few seconds while somebody looks. */
const room = /** @type {HTMLElement | null} */ (document.querySelector("[data-live]"));
const PAUSE = 5000;

/** @param {HTMLElement} live */
async function refresh(live) {
  if (document.hidden) return;
  const answer = await fetch(live.dataset.live ?? "", { headers: { Accept: "application/json" }, redirect: "error" });
  if (!answer.ok) return;
  const numbers = await answer.json();
  const now = live.querySelector("[data-live-present]");
  if (now) now.textContent = number(numbers.present);
  for (const row of /** @type {NodeListOf<HTMLElement>} */ (live.querySelectorAll("[data-guest]"))) {
    const one = numbers.guests[row.dataset.guest ?? ""];
    if (!one) continue;
    const here = /** @type {HTMLElement | null} */ (row.querySelector("[data-here]"));
    const watched = row.querySelector("[data-watched]");
    if (here) here.hidden = !one.present;
    if (watched) watched.textContent = number(one.watched);
  }
}

if (room) {
  const again = () => refresh(room).catch(() => undefined).finally(() => setTimeout(again, PAUSE));
  setTimeout(again, PAUSE);
}

/** A link's start, in the time zone of whoever sets it; without this script the field is in UTC. */
for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[data-utc]"))) {
  const zone = /** @type {HTMLInputElement | null} */ (field.form?.elements.namedItem("zone") ?? null);
  const hint = document.getElementById(`${field.id}-hint`);
  if (!zone) continue;
  /** @param {Date} moment */
  const east = (moment) => -moment.getTimezoneOffset(); // minutes, as they are on that day
  if (hint) hint.textContent = field.dataset.hint ?? "";
  if (field.dataset.utc) {
    const moment = new Date(field.dataset.utc);
    field.value = new Date(moment.getTime() + east(moment) * 60_000).toISOString().slice(0, 16);
  }
  const tell = () => {
    zone.value = field.value ? String(east(new Date(field.value))) : "";
  };
  field.addEventListener("change", tell);
  tell();
}
